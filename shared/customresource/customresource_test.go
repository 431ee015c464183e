package customresource

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

const (
	signed  = "X-Amz-Signature=s3cr3t-signature"
	request = `{"RequestType":"Delete","ResponseURL":"https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/x?` + signed + `",
		"StackId":"s","RequestId":"r","LogicalResourceId":"Key1FirstValue"}`
)

// cloudformation is the bucket in which CloudFormation waits for answers.
type cloudformation struct {
	mu     sync.Mutex
	refuse []int // statuses of the first answers; 0: the connection is cut
	status int   // of the others
	bodies []string
}

func (c *cloudformation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	c.bodies = append(c.bodies, r.Method+" "+string(body))
	if len(c.refuse) > 0 {
		s := c.refuse[0]
		c.refuse = c.refuse[1:]
		if s == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(s)
		_, _ = io.WriteString(w, "<Error><Resource>"+signed+"</Resource></Error>")
		return
	}
	w.WriteHeader(c.status)
}

// start serves c over TLS, and returns a sender whose connections end there
// whatever the host.
func (c *cloudformation) start(t *testing.T, region string) Sender {
	t.Helper()
	srv := httptest.NewUnstartedServer(c)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of connections that are cut
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	s := NewSender(&http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
		},
	}, region)
	s.wait = func(context.Context, time.Duration) error { return nil }
	return s
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	q, ok := In(json.RawMessage(request))
	if !ok || q.Succeeded().PhysicalResourceID != "keyturn-first-value-Key1FirstValue" {
		t.Errorf("%+v", q.Succeeded())
	}
	q.PhysicalResourceID = "from-the-beginning"
	if a := q.Succeeded(); a.PhysicalResourceID != "from-the-beginning" || a.Status != "SUCCESS" || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	long := strings.Repeat("ä", 5000)
	if a := q.Failed(long); a.Status != "FAILED" || len(a.Reason) > MaxReason || !strings.HasPrefix(long, a.Reason) {
		t.Errorf("a reason of %d bytes", len(a.Reason))
	}
	for _, other := range []string{`{}`, `"x"`, `not JSON`, `{"RequestType":"Create"}`, `{"Step":"createSecret","SecretId":"x"}`} {
		if _, ok := In(json.RawMessage(other)); ok {
			t.Errorf("%s is taken for a request", other)
		}
	}
}

func TestSend_lost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		refuse []int
		want   string
		tries  int
	}{
		{"twice", []int{500, 0}, "", 3},
		{"for ever", []int{503, 503, 503}, "the answer to CloudFormation was not delivered: the status was 503", 3},
		{"no connection", []int{0, 0, 0}, "the answer to CloudFormation was not delivered: there was no response", 3},
		{"for good", []int{403}, "the answer to CloudFormation was not delivered: the status was 403", 1},
		{"redirected", []int{307}, "the answer to CloudFormation was not delivered: the status was 307", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &cloudformation{status: http.StatusOK, refuse: tt.refuse}
			q, ok := In(json.RawMessage(request))
			if !ok {
				t.Fatal("not taken for a request of CloudFormation's")
			}
			err := c.start(t, "eu-west-1").Send(t.Context(), q.ResponseURL, q.Succeeded())
			got := ""
			if err != nil {
				got = err.Error()
			}
			// A connection that is cut may be tried again by the client itself.
			if got != tt.want || len(c.bodies) < tt.tries {
				t.Errorf("%q after %d tries", got, len(c.bodies))
			}
		})
	}
}

func TestSend_onlyToCloudFormation(t *testing.T) {
	t.Parallel()
	const response = "cloudformation-custom-resource-response-"
	for _, to := range []string{
		"http://" + response + "useast1.s3.amazonaws.com/x?" + signed, "https://example.com/x?" + signed, "https://169.254.169.254/latest?" + signed,
		"https://" + response + "useast1.s3.amazonaws.com.example.com/?" + signed, "https://" + response + "useast1.s3.amazonaws.com@example.com/?" + signed,
		"https://u:p@" + response + "useast1.s3.amazonaws.com/?" + signed, "https://" + response + "useast1.s3.amazonaws.com:8443/?" + signed,
		"https://mine.s3.amazonaws.com/" + response + "useast1?" + signed, "::", "",
		// Buckets that anybody could make.
		"https://" + response + "mine.s3.amazonaws.com/?" + signed, "https://" + response + "useast9.s3.amazonaws.com/?" + signed,
		"https://" + response + "eu-west-1.s3.eu-west-1.amazonaws.com/?" + signed, "https://" + response + "useast1.s3.eu-west-1.amazonaws.com/?" + signed,
		"https://" + response + "euwest1.s3.eu-west-1.amazonaws.com.cn/?" + signed, "https://" + response + "cnnorth1.s3.cn-north-1.amazonaws.com/?" + signed,
		"https://" + response + "euwest1.s3.eu-west-1.example.amazonaws.com/?" + signed, "https://" + response + "s3-euwest1.amazonaws.com/?" + signed,
		"https://" + response + "accelerate.s3-accelerate.amazonaws.com/?" + signed, "https://" + response + "foo.s3-foo.amazonaws.com/?" + signed,
		"https://" + response + "useast2.s3.us-east-2.amazonaws.com/?" + signed, // another Region's
		"https://" + response + "euwest1.s3.eu-west-1.amazonaws.com/",           // unsigned
	} {
		c := &cloudformation{status: http.StatusOK}
		if err := c.start(t, "eu-west-1").Send(t.Context(), secret.New(to), Answer{}); err == nil || len(c.bodies) != 0 || strings.Contains(err.Error(), "example.com") {
			t.Errorf("%q: %v, %d answers", to, err, len(c.bodies))
		}
	}
}

// TestSend_everywhere has the addresses that CloudFormation is known to have
// given, from Regions of each form.
func TestSend_everywhere(t *testing.T) {
	t.Parallel()
	for host, region := range map[string]string{
		"useast1.s3.amazonaws.com": "us-east-1", "useast2.s3.us-east-2.amazonaws.com": "us-east-2", "uswest2.s3-us-west-2.amazonaws.com": "us-west-2",
		"eucentral1.s3.eu-central-1.amazonaws.com": "eu-central-1", "cnnorth1.s3.cn-north-1.amazonaws.com.cn": "cn-north-1",
		"usgovwest1.s3.us-gov-west-1.amazonaws.com": "us-gov-west-1",
	} {
		for _, query := range []string{"X-Amz-Algorithm=AWS4-HMAC-SHA256&" + signed, "AWSAccessKeyId=x&Expires=1&Signature=s3cr3t"} {
			c := &cloudformation{status: http.StatusOK}
			to := "https://cloudformation-custom-resource-response-" + host + "/arn%3Aaws%3Acloudformation?" + query
			if err := c.start(t, region).Send(t.Context(), secret.New(to), Answer{Status: "SUCCESS"}); err != nil || len(c.bodies) != 1 {
				t.Errorf("%s: %v, %d answers", host, err, len(c.bodies))
			}
		}
	}
}
