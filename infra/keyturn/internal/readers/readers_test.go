package readers_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/keyturn/internal/readers"
)

const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/x-AbCdEf"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// account is what AWS knows about one secret.
type account struct {
	policy string
	events map[string][]types.Event // by resource
	denied error
}

func (a account) GetResourcePolicy(context.Context, *sm.GetResourcePolicyInput, ...func(*sm.Options)) (*sm.GetResourcePolicyOutput, error) {
	if a.denied != nil {
		return nil, a.denied
	}
	return &sm.GetResourcePolicyOutput{ResourcePolicy: &a.policy}, nil
}

// LookupEvents has pages of two.
func (a account) LookupEvents(_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error) {
	if a.denied != nil {
		return nil, a.denied
	}
	all := a.events[aws.ToString(in.LookupAttributes[0].AttributeValue)]
	from := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &from); err != nil {
			return nil, err
		}
	}
	out := &cloudtrail.LookupEventsOutput{Events: all[from:min(from+2, len(all))]}
	if from+2 < len(all) {
		out.NextToken = aws.String(strconv.Itoa(from + 2))
	}
	return out, nil
}

func event(id, name, record string, ago time.Duration) types.Event {
	at := now.Add(-ago)
	return types.Event{EventId: &id, EventName: &name, CloudTrailEvent: &record, EventTime: &at}
}

func find(t *testing.T, a account) readers.Readers {
	t.Helper()
	return readers.Finder{Policies: a, Trail: a, Now: func() time.Time { return now }}.Find(t.Context(), arn, "prod/x")
}

func TestReads(t *testing.T) {
	t.Parallel()
	role := `{"userIdentity":{"arn":"arn:aws:sts::1:assumed-role/mailer/%s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/mailer"}}}}`
	user := `{"userIdentity":{"arn":"arn:aws:iam::1:user/me"}}`
	shared := event("e1", "GetSecretValue", user, time.Hour)
	got := find(t, account{events: map[string][]types.Event{
		arn: {
			shared,
			event("e2", "GetSecretValue", fmt.Sprintf(role, "a"), 3*time.Hour),
			event("e3", "GetSecretValue", fmt.Sprintf(role, "b"), 2*time.Hour),
			event("e4", "DescribeSecret", user, time.Minute),
			event("e5", "GetSecretValue", `{"errorCode":"AccessDenied","userIdentity":{"arn":"arn:aws:iam::1:user/thief"}}`, time.Minute),
		},
		"prod/x": {shared, event("e6", "GetSecretValue", `nonsense`, 4*time.Hour)},
	}})
	want := []readers.Read{
		{Principal: "arn:aws:iam::1:user/me", Count: 1, Last: now.Add(-time.Hour)},
		{Principal: "arn:aws:iam::1:role/mailer", Count: 2, Last: now.Add(-2 * time.Hour)},
		{Principal: "somebody", Count: 1, Last: now.Add(-4 * time.Hour)},
	}
	if diff := cmp.Diff(want, got.Reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	if !got.Since.Equal(now.Add(-readers.Span)) || len(got.Unknown) != 3 {
		t.Errorf("since %s, unknown %q", got.Since, got.Unknown)
	}
}

// A history that does not end is said not to be all.
func TestReads_many(t *testing.T) {
	t.Parallel()
	var many []types.Event
	for i := range 50 {
		many = append(many, event(strconv.Itoa(i), "GetSecretValue", `{"userIdentity":{"arn":"a"}}`, time.Hour))
	}
	got := find(t, account{events: map[string][]types.Event{arn: many}})
	if len(got.Reads) != 1 || got.Reads[0].Count != 40 || !strings.Contains(strings.Join(got.Unknown, "\n"), "there are more") {
		t.Errorf("%+v", got)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	got := find(t, account{denied: errors.New("echoed")})
	text := strings.Join(got.Unknown, "\n")
	if len(got.Unknown) != 5 || !strings.Contains(text, "cloudtrail:LookupEvents") || !strings.Contains(text, "GetResourcePolicy") || strings.Contains(text, "echoed") {
		t.Errorf("unknown %q", got.Unknown)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy string
		want   []readers.Grant
		says   string
	}{
		"none": {"", nil, ""},
		"two principals": {
			`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:b","arn:a"]},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`,
			[]readers.Grant{{Principal: "arn:a"}, {Principal: "arn:b"}},
			"",
		},
		"patterns, everybody, one statement": {
			`{"Statement":{"Effect":"Allow","Principal":"*","Action":["ssm:*","secretsmanager:G?tSecret*"],"Condition":{"StringEquals":{"a":"b"}}}}`,
			[]readers.Grant{{Principal: "*", Conditional: true}},
			"",
		},
		"all actions":         {`{"Statement":[{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"*"}]}`, []readers.Grant{{Principal: "x.amazonaws.com"}}, ""},
		"other actions":       {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:DescribeSecret"}]}`, nil, ""},
		"all but another":     {`{"Statement":[{"Effect":"Allow","Principal":"*","NotAction":"secretsmanager:DeleteSecret"}]}`, []readers.Grant{{Principal: "*"}}, ""},
		"all but this":        {`{"Statement":[{"Effect":"Allow","Principal":"*","NotAction":"secretsmanager:*"}]}`, nil, ""},
		"denied":              {`{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*"}]}`, nil, "denies"},
		"everybody but one":   {`{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"arn:a"},"Action":"*"}]}`, nil, "NotPrincipal"},
		"no policy at all":    {`[]`, nil, "cannot be understood"},
		"no statement at all": {`{"Statement":7}`, nil, "cannot be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := find(t, account{policy: tt.policy})
			if diff := cmp.Diff(append([]readers.Grant{}, tt.want...), got.Policy); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if n := len(got.Unknown); (n > 3) != (tt.says != "") || !strings.Contains(strings.Join(got.Unknown, "\n"), tt.says) {
				t.Errorf("unknown %q, want %q", got.Unknown, tt.says)
			}
		})
	}
}
