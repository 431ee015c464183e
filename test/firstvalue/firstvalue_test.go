// Package firstvalue sends CloudFormation's requests about a key's first value to
// the whole rotate function on the local AWS, and reads what it is answered.
package firstvalue

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	account = "main"
	name    = "prod/app/key"
	host    = "vendor.test"
	admin   = "keyturn/admin/" + account
	signed  = "X-Amz-Signature=s3cr3t-signature"
	bucket  = "cloudformation-custom-resource-response-useast1.s3-us-east-1.amazonaws.com"
)

// answer is what CloudFormation reads.
type answer struct{ Status, Reason, PhysicalResourceId string } //nolint:revive // its names

// world is a deployment before its first value.
type world struct {
	t      *testing.T
	region *region.Region
	stack  *stack.Stack
	sm     *sm.Client
	vendor *sendgridtest.Server

	mu      sync.Mutex
	answers []answer
	lose    int // answers that do not arrive
	said    bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, region: region.New(region.Options{})}
	w.vendor = sendgridtest.New(w.region.Cloud.Clock().Now, sendgridtest.Options{})
	w.sm = sm.NewFromConfig(w.region.Cloud.Config())
	var err error
	w.stack, err = stack.Deploy(t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{account: {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: w.vendor.Admin(host)}},
		Keys:     map[string]stack.Key{name: {Account: account, Settings: map[string]any{"scopes": []string{"mail.send"}}}},
		Vendors:  &providertest.Transport{Handler: w.vendor, Host: host}, Answers: w, Log: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stack.Close(); _ = w.region.Close() })
	return w
}

// RoundTrip is the bucket in which CloudFormation waits.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var a answer
	if err = json.Unmarshal(raw, &a); err != nil || r.Method != http.MethodPut || r.URL.Host != bucket || r.URL.RawQuery != signed {
		w.t.Errorf("%s to %s: %s", r.Method, r.URL.Host, raw)
	}
	if w.lose > 0 {
		w.lose--
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: r}, nil
	}
	w.answers = append(w.answers, a)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// Write keeps what the functions print.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(b)
}

// ask is CloudFormation's request, and the answer to it.
func (w *world) ask(kind, id, existing string) answer {
	w.t.Helper()
	out, failure, err := w.region.Lambda.Invoke(w.t.Context(), stack.Rotate(account), w.event(kind, id, existing))
	if err != nil || failure != "" {
		w.t.Fatalf("%s %s %v", failure, out, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.answers) != 1 {
		w.t.Fatalf("%d answers", len(w.answers))
	}
	a := w.answers[0]
	w.answers = nil
	if a.PhysicalResourceId != "keyturn-first-value-Key1FirstValue" {
		w.t.Errorf("another resource: %+v", a)
	}
	return a
}

func (w *world) event(kind, id, existing string) []byte {
	w.t.Helper()
	event, err := json.Marshal(map[string]any{
		"RequestType": kind, "RequestId": id, "ResponseURL": "https://" + bucket + "/x?" + signed, "ResourceType": "Custom::KeyturnFirstValue",
		"StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/keyturn-schedules-07/1", "LogicalResourceId": "Key1FirstValue",
		"ResourceProperties": map[string]string{"ServiceToken": "arn", "Version": "1", "Secret": name, "Existing": existing},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return event
}

func (w *world) put(id, value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}

// value is the current one; "" if there is none.
func (w *world) value() string {
	out, err := w.sm.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name)})
	if err != nil {
		return ""
	}
	return aws.ToString(out.SecretString)
}

// within runs a test in a bubble, and looks that nothing secret was said.
func within(t *testing.T, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f(w)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range []string{"s3cr3t", "SG."} {
			if strings.Contains(w.said.String(), s) {
				t.Errorf("%s was said: %s", s, w.said.String())
			}
		}
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	within(t, func(w *world) {
		if a := w.ask("Create", "r-1", "false"); a.Status != "SUCCESS" {
			w.t.Fatalf("%+v", a)
		}
		value := w.value()
		if live := w.vendor.Live(); len(live) != 1 || value == "" {
			w.t.Fatalf("%d keys at the vendor, a value: %v", len(live), value != "")
		}
		// The same request again, as when its answer was lost; another one; a change;
		// the end, as in a rollback. None of them changes anything.
		for _, again := range []struct{ kind, id string }{{"Create", "r-1"}, {"Create", "r-2"}, {"Update", "r-3"}, {"Delete", "r-4"}} {
			if a := w.ask(again.kind, again.id, "false"); a.Status != "SUCCESS" {
				w.t.Errorf("%v: %+v", again, a)
			}
			if len(w.vendor.Live()) != 1 || w.value() != value {
				w.t.Errorf("%v: %d keys at the vendor, the same value: %v", again, len(w.vendor.Live()), w.value() == value)
			}
		}
		// What comes after it in the stack: the schedule, whose attaching proves the value.
		if err := w.stack.Enable(w.t.Context(), name); err != nil {
			w.t.Error(err)
		}
		if _, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.region.Cloud.Rotated(w.t.Context(), name); err != nil || w.value() == value {
			w.t.Errorf("not rotated: %v", err)
		}
	})
}

func TestCreate_fails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		test, admin string
		want        string
	}{
		{"the admin credential is refused", `{"hosts":["` + host + `"],"apiKey":"SG.dead.dead"}`, "run keyturn admin put main, then deploy again"},
		{"the admin credential is empty", `{"hosts":["` + host + `"],"apiKey":""}`, "run keyturn admin put main, then deploy again"},
	} {
		t.Run(tt.test, func(t *testing.T) {
			t.Parallel()
			within(t, func(w *world) {
				w.put(admin, tt.admin)
				if a := w.ask("Create", "r-1", "false"); a.Status != "FAILED" || !strings.Contains(a.Reason, tt.want) {
					w.t.Errorf("%+v", a)
				}
				before := len(w.region.Cloud.Calls())
				if a := w.ask("Delete", "r-2", "false"); a.Status != "SUCCESS" { // CloudFormation rolls back
					w.t.Errorf("%+v", a)
				}
				if made := len(w.region.Cloud.Calls()) - before; made != 0 || len(w.vendor.Live()) != 0 || w.value() != "" {
					w.t.Errorf("the rollback made %d calls; %d keys at the vendor; a value: %v", made, len(w.vendor.Live()), w.value() != "")
				}
				// Whoever deploys does as the message says.
				key := w.vendor.AdminKey()
				w.put(admin, `{"hosts":["`+host+`"],"apiKey":"`+key.Reveal()+`"}`)
				if a := w.ask("Create", "r-3", "false"); a.Status != "SUCCESS" || len(w.vendor.Live()) != 1 || w.value() == "" {
					w.t.Errorf("after admin put: %+v, %d keys", a, len(w.vendor.Live()))
				}
			})
		})
	}
}

func TestCreate_existing(t *testing.T) {
	t.Parallel()
	within(t, func(w *world) {
		a := w.ask("Create", "r-1", "true")
		if a.Status != "FAILED" || !strings.Contains(a.Reason, "keyturn init "+name) || !strings.Contains(a.Reason, "no value") {
			w.t.Errorf("%+v", a)
		}
		w.put(name, `{"apiKey":"by hand"}`)
		if a = w.ask("Create", "r-2", "true"); a.Status != "SUCCESS" {
			w.t.Errorf("%+v", a)
		}
		if len(w.vendor.Live()) != 0 || w.value() != `{"apiKey":"by hand"}` {
			w.t.Error("a secret that is not ours to fill was filled")
		}
	})
}

// holds says whether the value is the only key that is live at the vendor.
func (w *world) holds() bool {
	live := w.vendor.Live()
	return len(live) == 1 && strings.Contains(w.value(), live[0].ID)
}

// TestCreate_interrupted cuts the making of a first value where it hurts: the
// vendor has made a key, and it cannot be stored, or nobody hears that it was.
// A deployment after it ends with one key, which the secret holds.
func TestCreate_interrupted(t *testing.T) {
	t.Parallel()
	denied := &wire.Error{Code: "AccessDeniedException", Message: "you may not"}
	for _, tt := range []struct {
		test  string
		fault cloud.Fault
		want  string // status of the first try
	}{
		{"it cannot be stored", cloud.Fault{Operation: "PutSecretValue", Nth: 1, Error: denied}, "FAILED"},
		{"it is stored, and the answer says otherwise", cloud.Fault{Operation: "PutSecretValue", Nth: 1, Count: 5, Effect: cloud.FailAfter}, "SUCCESS"},
		{"it is stored, and the connection breaks", cloud.Fault{Operation: "PutSecretValue", Nth: 1, Effect: cloud.DropAfter, Count: 5}, "SUCCESS"},
		{"the store is away", cloud.Fault{Operation: "PutSecretValue", Nth: 1, Count: 3}, "SUCCESS"},
	} {
		t.Run(tt.test, func(t *testing.T) {
			t.Parallel()
			within(t, func(w *world) {
				w.region.Cloud.Inject(tt.fault)
				if a := w.ask("Create", "r-1", "false"); a.Status != tt.want {
					w.t.Errorf("%+v", a)
				}
				if tt.want == "FAILED" {
					if a := w.ask("Delete", "r-2", "false"); a.Status != "SUCCESS" {
						w.t.Errorf("%+v", a)
					}
				}
				a := w.ask("Create", "r-3", "false")
				time.Sleep(4 * 24 * time.Hour) // a key that may have been stored waits for the sweep
				synctest.Wait()
				if a.Status != "SUCCESS" || !w.holds() {
					w.t.Errorf("%+v; at the vendor %d keys, a value: %v", a, len(w.vendor.Live()), w.value() != "")
				}
			})
		})
	}
}

// TestAnswer_lost loses every try of an answer: the function fails, so that
// Lambda sends the same request again, and CloudFormation need not wait an hour.
func TestAnswer_lost(t *testing.T) {
	t.Parallel()
	within(t, func(w *world) {
		w.lose = 3
		out, failure, err := w.region.Lambda.Invoke(w.t.Context(), stack.Rotate(account), w.event("Create", "r-1", "false"))
		if err != nil || failure == "" || !strings.Contains(string(out), "AnswerUndelivered") {
			w.t.Errorf("%q %s %v", failure, out, err)
		}
		value := w.value()
		if a := w.ask("Create", "r-1", "false"); a.Status != "SUCCESS" || !w.holds() || w.value() != value {
			w.t.Errorf("%+v; at the vendor %d keys, the same value: %v", a, len(w.vendor.Live()), w.value() == value)
		}
	})
}
