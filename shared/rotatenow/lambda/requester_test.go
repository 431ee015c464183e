package lambda_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotatenow/lambda"
)

// reply is one answer of Lambda; status 0: none comes.
type reply struct {
	status     int
	code, body string
	failed     bool // the function
}

// script answers one request after the other, and the last for ever.
type script struct {
	replies []reply
	sent    []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := s.replies[min(len(s.sent), len(s.replies)-1)]
	s.sent = append(s.sent, r.URL.EscapedPath()+" "+string(body))
	if a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	h := http.Header{}
	if a.code != "" {
		h.Set("X-Amzn-Errortype", a.code)
	}
	if a.failed {
		h.Set("X-Amz-Function-Error", "Unhandled")
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

const (
	alias = "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-rotatenow:emergency"
	role  = "arn:aws:iam::111122223333:role/keyturn-audit"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	failure := func(kind string) reply {
		return reply{200, "", `{"errorType":"` + kind + `","errorMessage":"why"}`, true}
	}
	started := reply{200, "", `{"version":1,"mode":"emergency","secret":"a","status":"started","token":"v7"}`, false}
	for name, tt := range map[string]struct {
		replies          []reply
		version, refused string
		unclear          bool
		sent             int
	}{
		"started":               {replies: []reply{started}, version: "v7", sent: 1},
		"in progress":           {replies: []reply{failure("InProgress")}, refused: "InProgress: why", sent: 1},
		"not ours":              {replies: []reply{failure("NotOurs")}, refused: "NotOurs: why", sent: 1},
		"no right to":           {replies: []reply{{403, "AccessDeniedException", `{"Message":"no"}`, false}}, refused: "Lambda refused the request: AccessDeniedException", sent: 1},
		"throttled once":        {replies: []reply{{429, "TooManyRequestsException", `{}`, false}, started}, version: "v7", sent: 2},
		"throttled":             {replies: []reply{{429, "TooManyRequestsException", `{}`, false}}, refused: "Lambda refused the request: TooManyRequestsException", sent: 3},
		"store gave no answer":  {replies: []reply{failure("StoreUnavailable")}, unclear: true, sent: 1},
		"cut short":             {replies: []reply{failure("Sandbox.Timedout")}, unclear: true, sent: 1},
		"ended":                 {replies: []reply{failure("Runtime.ExitError")}, unclear: true, sent: 1},
		"did not say why":       {replies: []reply{{200, "", `x`, true}}, unclear: true, sent: 1},
		"Lambda's own trouble":  {replies: []reply{{500, "ServiceException", `{}`, false}}, unclear: true, sent: 1},
		"no answer":             {replies: []reply{{}}, unclear: true, sent: 1},
		"an answer of no token": {replies: []reply{{200, "", `{"status":"started"}`, false}}, unclear: true, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: tt.replies}
				client := sdk.New(sdk.Options{
					Region: "eu-west-1", HTTPClient: &http.Client{Transport: s}, Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "x", ""),
					BaseEndpoint: aws.String("http://lambda.test"),
				})
				version, refused, err := lambda.NewRequester(client, alias, role).Request(t.Context(), "prod/a", "finding D-07-1: read")
				if version != tt.version || refused != tt.refused || (err != nil) != tt.unclear || len(s.sent) != tt.sent {
					t.Errorf("got %q, refused %q, %v, sent %d times", version, refused, err, len(s.sent))
				}
				path, body, _ := strings.Cut(s.sent[0], " ")
				if !strings.Contains(path, "emergency") {
					t.Errorf("sent to %s", path)
				}
				q, err := rotatenow.Parse([]byte(body))
				if diff := cmp.Diff(rotatenow.Request{Version: 1, Mode: rotatenow.Emergency, Secret: "prod/a", Reason: "finding D-07-1: read", Requester: role}, q); diff != "" || err != nil {
					t.Errorf("%v, request (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}
