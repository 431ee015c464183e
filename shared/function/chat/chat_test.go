package chat_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/chat"
)

// topics is SNS's wire: it keeps what was published, unless it is to refuse.
type topics struct {
	mu     sync.Mutex
	status int
	got    []url.Values
}

func (s *topics) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, status := `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>`, 200
	if s.status != 0 {
		body, status = `<ErrorResponse><Error><Code>AuthorizationError</Code><Message>you sent prod/mailer</Message></Error></ErrorResponse>`, s.status
	} else {
		s.got = append(s.got, form)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

const alias = "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-channels:c0123456789ab"

func invoke(t *testing.T, s *topics, function, event string) (answer, failure string) {
	t.Helper()
	sys := boot.System{
		Getenv: func(string) string { return "" }, Stdout: io.Discard, Now: time.Now,
		ReadFile: func(path string) ([]byte, error) { t.Errorf("it read %s", path); return nil, io.EOF },
		AWS: &aws.Config{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
			HTTPClient: &http.Client{Transport: s}, BaseEndpoint: aws.String("http://127.0.0.1"),
		},
	}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r1", InvokedFunctionArn: function})
	out, err := boot.Prepare(ctx, sys, chat.Name, chat.Open, chat.Needs()...).Invoke(ctx, []byte(event))
	if err != nil {
		return "", err.Error()
	}
	return string(out), ""
}

func sent(message string) string {
	b, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"EventSource": "aws:sns", "Sns": map[string]any{"MessageId": "m1", "Subject": "Hello", "Message": message},
	}}})
	if err != nil {
		panic(err) // only texts
	}
	return string(b)
}

const (
	ours  = `{"version":1,"id":"failed-t1","time":"2026-11-23T04:05:06Z","kind":"failed","severity":"critical","secret":"prod/mailer","vendor":"acme","summary":"It failed."}`
	alarm = `{"AlarmName":"keyturn-overdue","NewStateValue":"ALARM","NewStateReason":"x","AlarmDescription":"y"}`
)

// TestFunction needs neither configuration nor fingerprint key, and passes on
// everything, each in the form that a chat shows.
func TestFunction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, message, part string }{
		{"one of ours", ours, `"id":"failed-t1","content":{"textType":"client-markdown","title":":rotating_light: Keyturn critical: failed: prod/mailer"`},
		{"an alarm", alarm, `"title":":rotating_light: Alarm ALARM: keyturn-overdue"`},
		{"somebody's text", "look at <this>", `"title":"Hello","description":"look at ‹this›"`},
		{"somebody's JSON", `{"version":1,"id":"x"}`, `"title":"Hello"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &topics{}
			if answer, failure := invoke(t, s, alias, sent(tt.message)); failure != "" || len(s.got) != 1 {
				t.Fatalf("%s %s, %d published", answer, failure, len(s.got))
			}
			got := s.got[0]
			if got.Get("TopicArn") != "arn:aws:sns:eu-west-1:111122223333:keyturn-channels-c0123456789ab" {
				t.Errorf("published to %s", got.Get("TopicArn"))
			}
			if m := got.Get("Message"); !strings.HasPrefix(m, `{"version":"1.0","source":"custom"`) || !strings.Contains(m, tt.part) {
				t.Errorf("published %s, without %s", m, tt.part)
			}
		})
	}
}

func TestFunction_refuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, function, event, failure string }{
		{"no alias", strings.TrimSuffix(alias, ":c0123456789ab"), sent(ours), "alias"},
		{"$LATEST", strings.TrimSuffix(alias, "c0123456789ab") + "$LATEST", sent(ours), "alias"},
		{"no records", alias, `{}`, "no records"},
		{"not an object", alias, `[]`, "Bad"},
		{"another source", alias, `{"Records":[{"EventSource":"aws:sqs"}]}`, "not of Amazon SNS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &topics{}
			if answer, failure := invoke(t, s, tt.function, tt.event); !strings.Contains(failure, tt.failure) || len(s.got) > 0 {
				t.Errorf("answers %s %s, not %s; %d published", answer, failure, tt.failure, len(s.got))
			}
		})
	}
}

// A message that was not taken is an error, so that Lambda tries again, and says
// nothing of what was in it.
func TestFunction_notTaken(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 500} {
		synctest.Test(t, func(t *testing.T) {
			_, failure := invoke(t, &topics{status: status}, alias, sent(ours))
			if !strings.Contains(failure, "not accepted (AuthorizationError)") || strings.Contains(failure, "prod/mailer") {
				t.Errorf("%d: %s", status, failure)
			}
		})
	}
}
