package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

func (w *world) put(ctx context.Context, value string) error {
	_, err := w.sm.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: &value})
	return err
}

func (w *world) value(t *testing.T) string {
	t.Helper()
	out, err := w.sm.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.SecretString)
}

// impatient turns the SDK's own retries off.
func (w *world) impatient() {
	w.sm = sm.NewFromConfig(w.Config(), func(o *sm.Options) { o.RetryMaxAttempts = 1 })
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		effect  cloud.Effect
		applied bool // the put took effect
	}{
		{"an error before", cloud.FailBefore, false},
		{"an error after", cloud.FailAfter, true},
		{"a lost request", cloud.DropBefore, false},
		{"a lost answer", cloud.DropAfter, true},
		{"a hang before", cloud.Hang, false},
		{"a hang after", cloud.HangAfter, true},
		{"throttling", cloud.Throttle, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.impatient()
				w.Inject(cloud.Fault{Service: "secretsmanager", Operation: "PutSecretValue", Effect: tt.effect})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := w.put(ctx, "second"); err == nil {
					t.Error("the call succeeds")
				}
				want := "first"
				if tt.applied {
					want = "second"
				}
				if got := w.value(t); got != want {
					t.Errorf("the value is %q, want %q", got, want)
				}
				last := w.Calls(cloud.ByOperation("PutSecretValue"))
				if len(last) != 1 || !last[0].Faulted || !last[0].Done {
					t.Errorf("the log says %+v", last)
				}
			})
		})
	}
}

func TestSDKRetriesAFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Inject(cloud.Fault{Operation: "PutSecretValue", Effect: cloud.DropAfter, Nth: 1, Count: 2})
		if err := w.put(t.Context(), "second"); err != nil {
			t.Fatal(err)
		}
		if got := len(w.Calls(cloud.ByOperation("PutSecretValue"))); got != 3 {
			t.Errorf("%d calls, want 3", got)
		}
		if got := len(w.stages(t)); got != 2 {
			t.Errorf("%d labeled versions, want 2: a retry has the same token", got)
		}
	})
}

func TestNthFaultAndItsRemoval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.impatient()
		remove := w.Inject(cloud.Fault{
			Operation: "PutSecretValue", Nth: 2, Effect: cloud.FailBefore,
			Match: func(c *wire.Call) bool { return bytes.Contains(c.Body, []byte("marked")) },
			Error: &wire.Error{Code: "EncryptionFailure", Message: "no"},
		})
		for i, tt := range []struct {
			value string
			ok    bool
		}{{"marked 1", true}, {"other", true}, {"marked 2", false}, {"marked 3", true}} {
			err := w.put(t.Context(), tt.value)
			if (err == nil) != tt.ok {
				t.Errorf("call %d: %v", i, err)
			}
			if _, isIt := errors.AsType[*types.EncryptionFailure](err); !tt.ok && !isIt {
				t.Errorf("call %d: %v, want EncryptionFailure", i, err)
			}
		}
		remove()
	})
}

func TestStaleRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.put(t.Context(), "second"); err != nil {
			t.Fatal(err)
		}
		w.Inject(cloud.Fault{Operation: "GetSecretValue", Effect: cloud.Stale, Nth: 1})
		if a, b := w.value(t), w.value(t); a != "first" || b != "second" {
			t.Errorf("read %q and then %q, want first and then second", a, b)
		}
	})
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, host, origin string
		unsafe             bool
		want               int
	}{
		{"loopback", "127.0.0.1:4566", "", false, http.StatusOK},
		{"loopback by name", "localhost:4566", "", false, http.StatusOK},
		{"loopback of IPv6", "[::1]:4566", "", false, http.StatusOK},
		{"a rebound name", "evil.example:4566", "", false, http.StatusForbidden},
		{"a name that begins well", "localhost.evil.example", "", false, http.StatusForbidden},
		{"another machine", "192.0.2.1", "", false, http.StatusForbidden},
		{"a web page", "127.0.0.1:4566", "https://evil.example", false, http.StatusForbidden},
		{"a local web page", "127.0.0.1:4566", "http://127.0.0.1:8080", false, http.StatusForbidden},
		{"unsafe", "192.0.2.1", "", true, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := cloud.New(cloud.Options{Unsafe: tt.unsafe})
			t.Cleanup(c.Close)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
			r.Host = tt.host
			r.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
		})
	}
}

func TestListenRefusesOtherAddresses(t *testing.T) {
	t.Parallel()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		if l, err := c.Listen(t.Context(), addr); err == nil {
			_ = l.Close()
			t.Errorf("it listens on %s", addr)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	c.Clock().Advance(1000 * time.Hour)
	l, err := c.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, l) }()
	cfg := c.Config()
	cfg.HTTPClient, cfg.BaseEndpoint = nil, aws.String("http://"+l.Addr().String())
	client := sm.NewFromConfig(cfg)
	if _, err := client.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(name)}); err != nil {
		t.Error(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String(), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || date.Before(time.Now().Add(999*time.Hour)) {
		t.Errorf("the Date header says %s: it is the local AWS's time", date)
	}
	if resp.Header.Get("X-Amzn-Requestid") == "" {
		t.Error("no request id")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUnknownServiceAndOperation(t *testing.T) {
	t.Parallel()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	for target, want := range map[string]string{
		"DynamoDB_20120810.GetItem": "501 NotImplemented", "": "501 NotImplemented",
		"secretsmanager.MadeUp": "400 UnknownOperationException",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", target)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		var body struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &body)
		if got := fmt.Sprint(w.Code, " ", body.Type); got != want {
			t.Errorf("%q: %s, want %s", target, got, want)
		}
	}
}

// bus collects the events that a pattern accepts.
type bus struct {
	mu     sync.Mutex
	events []map[string]any
}

func listen(c *cloud.Cloud, pattern func(cloud.Event) bool) *bus {
	b := &bus{}
	c.Subscribe(pattern, func(_ context.Context, event []byte) {
		var e map[string]any
		_ = json.Unmarshal(event, &e)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	})
	return b
}

func TestLabelEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := listen(w.Cloud, func(e cloud.Event) bool { return e.DetailType == "Secret Label Updated" })
		token := aws.ToString(w.rotate(t, nil).VersionId)
		out, err := w.sm.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		if len(b.events) != 1 {
			t.Fatalf("%d events, want one: AWSPENDING and AWSPREVIOUS make none", len(b.events))
		}
		e := b.events[0]
		if e["id"] == "" || e["time"] == "" {
			t.Errorf("no id or time: %v", e)
		}
		delete(e, "id")
		delete(e, "time")
		want := map[string]any{
			"version": "0", "detail-type": "Secret Label Updated", "source": "aws.secretsmanager",
			"account": wire.Account, "region": wire.Region, "resources": []any{aws.ToString(out.ARN)},
			"detail": map[string]any{"name": name, "labelUpdated": "AWSCURRENT", "versionId": token},
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTrailHoldsNoValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := listen(w.Cloud, nil)
		token := aws.ToString(w.rotate(t, nil).VersionId)
		const marked = "marked-value-9b1d"
		_, err := w.sm.PutSecretValue(t.Context(), &sm.PutSecretValueInput{
			SecretId: aws.String(name), SecretString: aws.String(marked), RotationToken: aws.String(marked),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.sm.PutSecretValue(t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretBinary: []byte(marked)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		text, err := json.Marshal([]any{w.Trail(), w.Calls(), all.events})
		if err != nil {
			t.Fatal(err)
		}
		for rotationToken := range w.tokens {
			if bytes.Contains(text, []byte(rotationToken)) {
				t.Error("a RotationToken is in the trail, the log or an event")
			}
		}
		for _, value := range []string{marked, "bWFya2VkLXZhbHVl", "value of " + token} {
			if bytes.Contains(text, []byte(value)) {
				t.Errorf("%q is in the trail, the log or an event", value)
			}
		}
		var succeeded cloud.Record
		for _, r := range w.Trail() {
			if r.EventName == "RotationSucceeded" {
				succeeded = r
			}
		}
		arn, _ := succeeded.AdditionalEventData["SecretId"].(string)
		if !strings.HasPrefix(arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:"+name+"-") ||
			succeeded.RequestID != "Rotation-"+arn+"-"+token || succeeded.EventType != "AwsServiceEvent" {
			t.Errorf("the record of the rotation: %+v", succeeded)
		}
	})
}
