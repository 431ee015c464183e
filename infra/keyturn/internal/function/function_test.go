package function_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
)

// reply is one answer of Lambda; status 0: none comes.
type reply struct {
	status      int
	kind, body  string
	functionErr bool
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
	s.sent = append(s.sent, r.URL.Path+" "+string(body))
	if a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	h := http.Header{}
	if a.kind != "" {
		h.Set("X-Amzn-Errortype", a.kind)
	}
	if a.functionErr {
		h.Set("X-Amz-Function-Error", "Unhandled")
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	refused := reply{status: 429, kind: "TooManyRequestsException", body: `{"Message":"Rate Exceeded."}`}
	absent := reply{status: 404, kind: "ResourceNotFoundException", body: `{"Message":"Function not found"}`}
	broken := reply{status: 502, kind: "ServiceException", body: `{"Message":"oops"}`}
	good := reply{status: 200, body: `{"n":7}`}
	failed := reply{status: 200, body: `{"errorType":"NotOurs","errorMessage":"not in it"}`, functionErr: true}
	silent := reply{status: 200, body: `null`, functionErr: true}
	for _, tt := range []struct {
		name    string
		repeat  function.Repeat
		replies []reply
		sent    int
		ran     bool
		typed   string // errorType
		err     string
	}{
		{"answered", function.Once, []reply{good}, 1, true, "", ""},
		{"failed", function.Safe, []reply{failed}, 1, true, "NotOurs", "NotOurs: not in it"},
		{"failed without a word", function.Safe, []reply{silent}, 1, true, "", "the function failed and did not say why"},
		{"no such function", function.Safe, []reply{absent}, 1, false, "", "Function not found"},
		{"busy, then answered", function.Once, []reply{refused, good}, 2, true, "", ""},
		{"busy for ever", function.Once, []reply{refused}, 3, false, "", "Rate Exceeded"},
		{"a lost answer is not asked for twice", function.Once, []reply{{}, good}, 1, true, "", "unexpected EOF"},
		{"nor is one of an error of Lambda's", function.Once, []reply{broken, good}, 1, true, "", "oops"},
		{"where it is safe, it is", function.Safe, []reply{{}, broken, good}, 3, true, "", ""},
		{"not JSON", function.Safe, []reply{{status: 200, body: "<html>"}}, 1, true, "", "not what this version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: tt.replies}
				api := lambda.New(lambda.Options{
					Region: "us-east-1", HTTPClient: &http.Client{Transport: s}, BaseEndpoint: aws.String("http://127.0.0.1"),
					Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				})
				var out struct{ N int }
				err := function.Invoke(t.Context(), api, "f", tt.repeat, map[string]int{"in": 1}, &out)
				switch {
				case tt.err == "" && (err != nil || out.N != 7):
					t.Fatalf("Invoke = %d, %v", out.N, err)
				case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
					t.Fatalf("Invoke = %v, want %q", err, tt.err)
				}
				if len(s.sent) != tt.sent || s.sent[0] != `/2015-03-31/functions/f/invocations {"in":1}` {
					t.Errorf("sent %q, want %d", s.sent, tt.sent)
				}
				if err != nil && function.Ran(err) != tt.ran {
					t.Errorf("Ran = %v, want %v", function.Ran(err), tt.ran)
				}
				if f, ok := errors.AsType[*function.Error](err); ok && f.Type != tt.typed || !ok && tt.typed != "" {
					t.Errorf("error %+v, want the type %q", f, tt.typed)
				}
			})
		})
	}
}
