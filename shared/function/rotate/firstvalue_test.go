package rotate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/customresource"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	key       = "prod/mailer/sendgrid"
	signed    = "X-Amz-Signature=s3cr3t-signature"
	answerURL = "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/arn%3Aaws?" + signed
)

// cloudformation is the bucket in which CloudFormation waits for answers.
type cloudformation struct {
	mu      sync.Mutex
	status  int
	bodies  []string
	headers http.Header
	paths   []string
}

func (c *cloudformation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	c.bodies, c.paths, c.headers = append(c.bodies, r.Method+" "+string(body)), append(c.paths, r.URL.String()), r.Header
	w.WriteHeader(c.status)
}

// start serves c over TLS, and returns a sender whose connections end there
// whatever the host.
func (c *cloudformation) start(t *testing.T) customresource.Sender {
	t.Helper()
	srv := httptest.NewUnstartedServer(c)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of connections that are cut
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return customresource.NewSender(&http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
		},
	}, "eu-west-1")
}

func keys(id string) (config.Key, bool) {
	return config.Key{Secret: key, VendorAccount: "sendgrid-main", Vendor: "sendgrid"}, strings.Contains(id, key)
}

func requestOf(t *testing.T, kind string, with func(*customresource.Request)) customresource.Request {
	t.Helper()
	q, ok := customresource.In(json.RawMessage(`{
		"RequestType": "` + kind + `", "ResponseURL": "` + answerURL + `", "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-rotate-sendgrid-main",
		"StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/keyturn-schedules-07/1", "RequestId": "r-1", "LogicalResourceId": "Key1FirstValue",
		"ResourceType": "Custom::KeyturnFirstValue",
		"ResourceProperties": {"ServiceToken": "arn", "Version": "1", "Secret": "` + key + `", "Existing": "false"}
	}`))
	if !ok {
		t.Fatal("not taken for a request of CloudFormation's")
	}
	if with != nil {
		with(&q)
	}
	return q
}

func TestFirstValue_answers(t *testing.T) {
	t.Parallel()
	existing := func(q *customresource.Request) { q.ResourceProperties.Existing = "true" }
	filled := store.Secret{Name: key, Stages: map[string][]string{"v1": {store.Current}}}
	for _, tt := range []struct {
		name   string
		kind   string
		with   func(*customresource.Request)
		init   error
		secret store.Secret
		find   error
		want   string // the reason, or a part of it; "": success
		inits  int
	}{
		{name: "a first value", kind: "Create", inits: 1},
		{name: "a change", kind: "Update", inits: 1},
		{name: "there is one already", kind: "Create", init: &rotation.Error{Type: rotation.HasCurrent}, inits: 1},
		{name: "the end is for a person", kind: "Delete"},
		{
			name: "no admin credential", kind: "Create", inits: 1, init: &rotation.Error{Step: "init", Type: rotation.AdminMissing, What: "there is no admin credential"},
			want: "init: there is no admin credential; run keyturn admin put sendgrid-main, then deploy again",
		},
		{
			name: "a refused admin credential", kind: "Update", inits: 1, init: &rotation.Error{Type: rotation.AdminRefused, What: "list the keys", Next: []string{"look"}},
			want: "list the keys; look; run keyturn admin put sendgrid-main, then deploy again",
		},
		{name: "no room", kind: "Create", inits: 1, init: &rotation.Error{Type: rotation.VendorFull, What: "no room", Next: []string{"delete some"}}, want: "no room; delete some"},
		{name: "what is not ours to show", kind: "Create", inits: 1, init: errors.New("hunter2"), want: "an unexpected error; the function's log shows its kind"},
		{name: "another secret", kind: "Create", with: func(q *customresource.Request) { q.ResourceProperties.Secret = "prod/other" }, want: "not in the function's configuration"},
		{name: "another version", kind: "Create", with: func(q *customresource.Request) { q.ResourceProperties.Version = "2" }, want: "one version"},
		{name: "an unknown request", kind: "Import", want: "one version"},
		{name: "it exists and has a value", kind: "Create", with: existing, secret: filled},
		{name: "it exists and is empty", kind: "Create", with: existing, want: "exists and has no value: store the key that its consumers use, or run keyturn init " + key},
		{name: "it does not exist", kind: "Create", with: existing, find: &store.Error{Op: "DescribeSecret", Kind: store.KindNotFound}, want: "there is no secret " + key},
		{name: "it is marked for deletion", kind: "Create", with: existing, secret: store.Secret{Deleted: time.Unix(1, 0)}, want: "marked for deletion"},
		{name: "it cannot be seen", kind: "Create", with: existing, find: &store.Error{Op: "DescribeSecret", Kind: store.KindDenied}, want: "DescribeSecret: access denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &cloudformation{status: http.StatusOK}
			var log bytes.Buffer
			inits := 0
			f := firstValue{
				keys: keys, answers: c.start(t), wait: func(context.Context, time.Duration) error { return context.Canceled },
				log: slog.New(slog.NewJSONHandler(&log, nil)),
				init: func(_ context.Context, id, token string) error {
					if inits++; id != key || len(token) != 32 {
						t.Errorf("init of %q with token %q", id, token)
					}
					return tt.init
				},
				describe: func(context.Context, string) (store.Secret, error) { return tt.secret, tt.find },
			}
			if err := f.handle(t.Context(), requestOf(t, tt.kind, tt.with)); err != nil {
				t.Fatal(err)
			}
			if len(c.bodies) != 1 || inits != tt.inits {
				t.Fatalf("%d answers, %d inits", len(c.bodies), inits)
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(strings.TrimPrefix(c.bodies[0], "PUT ")), &got); err != nil {
				t.Fatal(err)
			}
			why := got["Reason"]
			delete(got, "Reason")
			want := map[string]string{
				"Status": "SUCCESS", "PhysicalResourceId": "keyturn-first-value-Key1FirstValue", "RequestId": "r-1", "LogicalResourceId": "Key1FirstValue",
				"StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/keyturn-schedules-07/1",
			}
			if tt.want != "" {
				want["Status"] = "FAILED"
			}
			if d := cmp.Diff(want, got); d != "" || !strings.Contains(why, tt.want) || (why == "") != (tt.want == "") {
				t.Errorf("reason %q, want %q; answer (-want +got):\n%s", why, tt.want, d)
			}
			if c.headers.Get("Content-Type") != "" || c.headers.Get("Content-Length") == "" {
				t.Errorf("headers %v", c.headers)
			}
			for _, secret := range []string{"s3cr3t", "hunter2"} {
				if strings.Contains(log.String()+c.bodies[0], secret) {
					t.Errorf("%s is in the log or the answer: %s %s", secret, log.String(), c.bodies[0])
				}
			}
		})
	}
}

func TestFirstValue_token(t *testing.T) {
	t.Parallel()
	a, again := requestOf(t, "Create", nil), requestOf(t, "Create", nil)
	next := requestOf(t, "Create", func(q *customresource.Request) { q.RequestID = "r-2" })
	if token(a) != token(again) || token(a) == token(next) {
		t.Error("the same request has another token, or another the same")
	}
}

func TestFirstValue_panicIsAnswered(t *testing.T) {
	t.Parallel()
	c := &cloudformation{status: http.StatusOK}
	f := firstValue{
		keys: keys, answers: c.start(t), log: slog.New(slog.DiscardHandler),
		init: func(context.Context, string, string) error { panic("hunter2") },
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed: the boundary ends the process")
			}
		}()
		_ = f.handle(t.Context(), requestOf(t, "Create", nil)) // it panics
	}()
	if len(c.bodies) != 1 || !strings.Contains(c.bodies[0], `"Status":"FAILED","Reason":"the function panicked`) || strings.Contains(c.bodies[0], "hunter2") {
		t.Errorf("answers %q", c.bodies)
	}
}

// inMemory answers without a socket, which a bubble cannot have.
type inMemory struct{ bodies []string }

func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	m.bodies = append(m.bodies, string(b))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, err
}

func TestFirstValue_waitsWhileThereIsTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		clear int // after so many tries
		want  string
		took  time.Duration
	}{
		{"until it passes", 3, "SUCCESS", 30 * time.Second},                               // 10 + 20
		{"and answers before its time is up", 100, "FAILED", 150*time.Second - forAnswer}, // of the function's 150 s
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, tries := &inMemory{}, 0
				f := firstValue{
					keys: keys, answers: customresource.NewSender(m, "eu-west-1"), wait: customresource.Sleep, log: slog.New(slog.DiscardHandler),
					init: func(context.Context, string, string) error {
						if tries++; tries < tt.clear {
							return &rotation.Error{Type: rotation.VendorRateLimited, What: "list the keys"}
						}
						return nil
					},
				}
				ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
				defer cancel()
				began := time.Now()
				if err := f.handle(ctx, requestOf(t, "Create", nil)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != tt.took || len(m.bodies) != 1 || !strings.Contains(m.bodies[0], tt.want) {
					t.Errorf("%v, %d tries, %q", took, tries, m.bodies)
				}
			})
		})
	}
}
