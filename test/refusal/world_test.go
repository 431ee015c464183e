package refusal

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	account = "main"
	name    = "prod/app/key"
	host    = "vendor.test"
	admin   = "keyturn/admin/" + account
)

// world is a deployment with one key, rotated by schedule.
type world struct {
	t      *testing.T
	region *region.Region
	stack  *stack.Stack
	sm     *sm.Client
	vendor *sendgridtest.Server
	wires  *providertest.Transport
	log    bytes.Buffer // what the functions print

	mu    sync.Mutex
	at    string // the step that a fault waits for
	fault providertest.Fault
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.region = region.New(region.Options{Lambda: lambda.Options{OnInvoke: w.invoked}})
	w.vendor = sendgridtest.New(w.region.Cloud.Clock().Now, sendgridtest.Options{})
	w.wires = &providertest.Transport{Handler: w.vendor, Host: host}
	w.sm = sm.NewFromConfig(w.region.Cloud.Config())
	s, err := stack.Deploy(t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{account: {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: w.vendor.Admin(host)}},
		Keys:     map[string]stack.Key{name: {Account: account, Settings: map[string]any{"scopes": []string{"mail.send"}}}},
		Vendors:  w, Log: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.stack = s
	t.Cleanup(func() { s.Close(); _ = w.region.Close() })
	if err := s.Init(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return w
}

// RoundTrip implements [http.RoundTripper].
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	fault := w.fault
	if w.at != "" {
		fault = providertest.Fault{}
	}
	w.mu.Unlock()
	if fault.Reply == nil || fault.Applied {
		return w.wires.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return fault.Reply(r, nil)
}

// Write keeps what the functions print.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// invoked lets the fault begin with the step that it waits for.
func (w *world) invoked(i lambda.Invocation) {
	var e struct{ Step string }
	w.mu.Lock()
	defer w.mu.Unlock()
	if json.Unmarshal(i.Payload, &e) == nil && e.Step == w.at {
		w.at = ""
	}
}

// from lets every request to the vendor go wrong in one way, from the beginning
// of a step; "": from now.
func (w *world) from(step, fault string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range providertest.Faults() {
		if f.Name == fault {
			w.at, w.fault = step, f
			return
		}
	}
	w.t.Fatalf("there is no fault %q", fault)
}

// current returns the value that is AWSCURRENT.
func (w *world) current() string {
	w.t.Helper()
	out, err := w.sm.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.SecretString)
}

func (w *world) put(id, value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dropAdmin() {
	w.t.Helper()
	if _, err := w.sm.DeleteSecret(w.t.Context(), &sm.DeleteSecretInput{SecretId: aws.String(admin), ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		w.t.Fatal(err)
	}
}

// rotate asks for a rotation and waits for its end.
func (w *world) rotate() {
	w.t.Helper()
	if _, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.region.Cloud.Rotated(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// failures returns what people were told of failed steps.
func (w *world) failures() (all []notify.Message) {
	w.t.Helper()
	for _, m := range w.region.SNS.Inbox(stack.Topic) {
		var n notify.Message
		if err := json.Unmarshal([]byte(m.For("sqs")), &n); err != nil {
			w.t.Fatal(err)
		}
		if n.Kind == notify.Failed && n.Step != "" { // without a step: the retire function's
			all = append(all, n)
		}
	}
	return all
}

// call invokes the rotate function, and returns its errorType.
func (w *world) call(event string) string {
	w.t.Helper()
	out, failure, err := w.region.Lambda.Invoke(context.WithoutCancel(w.t.Context()), stack.Rotate(account), []byte(event))
	if err != nil {
		w.t.Fatal(err)
	}
	var e struct{ ErrorType, ErrorMessage string }
	if failure == "" || json.Unmarshal(out, &e) != nil || strings.TrimSpace(e.ErrorMessage) == "" {
		return "no error: " + string(out)
	}
	return e.ErrorType
}

func (w *world) enable() {
	w.t.Helper()
	if err := w.stack.Enable(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// steps returns the values that the metrics' dimension step has had.
func (w *world) steps() (all []string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(w.log.String()) {
		var m struct {
			AWS  json.RawMessage `json:"_aws"`
			Step string          `json:"step"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		if m.AWS != nil {
			all = append(all, m.Step)
		}
	}
	return all
}
