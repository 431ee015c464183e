package rotation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	adapter "github.com/keyturn/keyturn/shared/store/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud"
)

const (
	name     = "prod/mailer"
	admin    = "keyturn/admin/acme"
	rotator  = "arn:aws:lambda:us-east-1:123456789012:function:keyturn-rotate"
	foreign  = "made by hand"
	deadline = 60 * time.Second
)

// world is one secret on the local AWS, one vendor, and the engine between
// them. It lives in a synctest bubble.
type world struct {
	t       *testing.T
	cloud   *cloud.Cloud
	sm      *sm.Client
	vendor  *vendor
	records *records
	audit   *trail
	inbox   *inbox
	engine  *rotation.Engine
	key     config.Key
	log     *bytes.Buffer
	steps   []string // that the driver ran, with their outcomes
	mu      sync.Mutex
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, vendor: newVendor(), records: &records{once: map[string]bool{}}, audit: &trail{}, inbox: &inbox{}, log: &bytes.Buffer{},
		key: config.Key{
			Secret: name, Vendor: "acme", VendorAccount: "acme-main", Admin: admin, Hosts: []string{"api.acme.test"}, Owner: "mail@example.com",
			Value: config.Value{Field: "apiKey"}, Grace: config.Grace{Min: time.Hour, Quiet: time.Hour, Max: time.Hour, OnMax: config.Hold, NoUsage: config.Hold},
		},
	}
	w.cloud = cloud.New(cloud.Options{Invoker: cloud.InvokerFunc(w.invoke)})
	t.Cleanup(w.cloud.Close)
	cfg := w.cloud.Config()
	w.sm = sm.NewFromConfig(cfg)
	w.engine = &rotation.Engine{
		Keys: func(id string) (config.Key, bool) {
			return w.key, id == name || strings.Contains(id, ":secret:"+name+"-")
		},
		Store: adapter.New(w.sm), Records: w.records, Vendors: w.vendor, Audit: w.audit, Notifier: w.inbox,
		Now: w.cloud.Clock().Now, Random: func() uint32 { w.vendor.random++; return w.vendor.random },
		Fingerprint: secret.New("fingerprint-key"), Log: slog.New(slog.NewJSONHandler(&lockedWriter{w: w.log}, nil)),
	}
	w.create(admin, `{"hosts":["api.acme.test"],"apiKey":"acme-admin"}`)
	w.create(name, "")
	return w
}

// invoke is the rotate function as Secrets Manager's driver calls it.
func (w *world) invoke(ctx context.Context, _ string, event []byte) (result []byte, functionError string, err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled { //nolint:errorlint // a panic value
				panic(p)
			}
			functionError = "Unhandled"
		}
	}()
	q, err := rotation.ParseRequest(event)
	if err != nil {
		return nil, "Unhandled", nil
	}
	out, err := w.engine.Rotate(ctx, q.Event)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.steps = append(w.steps, string(q.Step)+": "+errorType(err))
		b, _ := json.Marshal(map[string]string{"errorType": errorType(err), "errorMessage": err.Error()})
		return b, "Unhandled", nil
	}
	w.steps = append(w.steps, string(q.Step)+": "+string(out))
	return []byte("null"), "", nil
}

func errorType(err error) string {
	if e, ok := errors.AsType[*rotation.Error](err); ok {
		return e.ErrorType()
	}
	return "untyped"
}

func (w *world) create(id, value string) {
	w.t.Helper()
	in := &sm.CreateSecretInput{Name: &id}
	if value != "" {
		in.SecretString = &value
	}
	if _, err := w.sm.CreateSecret(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

// first makes the first key as `keyturn init` does.
func (w *world) first() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	if err := w.engine.Init(ctx, name, "11111111-1111-4111-8111-111111111111"); err != nil {
		w.t.Fatal(err)
	}
}

// enable turns rotation on without rotating.
func (w *world) enable() {
	w.t.Helper()
	_, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{
		SecretId: aws.String(name), RotationLambdaARN: aws.String(rotator), RotateImmediately: aws.Bool(false),
		RotationRules: &smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.idle()
}

func (w *world) rotate() (token string) {
	w.t.Helper()
	out, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.idle()
	return aws.ToString(out.VersionId)
}

func (w *world) idle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 24*time.Hour)
	defer cancel()
	if err := w.cloud.Rotated(ctx, name); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stages() map[string][]string {
	w.t.Helper()
	out, err := w.sm.DescribeSecret(w.t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.VersionIdsToStages
}

// value returns the key in a version, "" if there is none.
func (w *world) value(stage string) string {
	w.t.Helper()
	whole := w.whole(stage)
	if whole.Empty() {
		return ""
	}
	v, err := payload.Key(whole, w.key.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Reveal()
}

// whole returns the value with all that is in it, empty if there is none.
func (w *world) whole(stage string) secret.Value {
	w.t.Helper()
	out, err := w.sm.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name), VersionStage: &stage})
	if err != nil {
		return secret.Value{}
	}
	return secret.New(aws.ToString(out.SecretString))
}

// noted returns the key ID in the value's note.
func (w *world) noted(stage string) string {
	w.t.Helper()
	meta, ok := payload.Metadata(w.whole(stage), w.key.Value)
	if !ok {
		w.t.Fatal("the value has no note")
	}
	return meta.KeyID
}

// step calls the function by hand.
func (w *world) step(s rotation.Step, token string) (rotation.Outcome, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	return w.engine.Rotate(ctx, rotation.Event{Step: s, SecretID: name, Token: token})
}

// errKilled stands for a process that dies on the spot.
var errKilled = errors.New("killed")

// records keeps the records of one secret.
type records struct {
	mu       sync.Mutex
	book     keyrecord.Book
	once     map[string]bool
	failures []keyrecord.Failure
	err      error
}

func (r *records) Load(context.Context, string) (keyrecord.Book, error) { return r.book, r.err }

func (r *records) SetFailure(ctx context.Context, f keyrecord.Failure) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, f)
	return nil
}

func (r *records) First(_ context.Context, s, id string, _ time.Duration) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.once[s+id]
	r.once[s+id] = true
	return !was, nil
}

func (r *records) Forget(_ context.Context, s, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.once, s+id)
	return nil
}

// trail is an audit sink that can refuse.
type trail struct {
	mu      sync.Mutex
	records []audit.Record
	refuse  func(audit.Record) error
}

func (a *trail) Record(_ context.Context, r audit.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		if err := a.refuse(r); err != nil {
			return err
		}
	}
	a.records = append(a.records, r)
	return nil
}

func (a *trail) acts() (out []string) {
	for _, r := range a.records {
		out = append(out, string(r.Act)+" "+string(r.Phase))
	}
	return out
}

type inbox struct {
	mu       sync.Mutex
	messages []notify.Message
	refuse   int // the next so many
}

func (i *inbox) Notify(ctx context.Context, m notify.Message) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse > 0 {
		i.refuse--
		return errors.New("topic gone")
	}
	i.messages = append(i.messages, m)
	return nil
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (w *world) putPending(version, value string) {
	w.t.Helper()
	_, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{
		SecretId: aws.String(name), ClientRequestToken: &version, SecretString: &value, VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		w.t.Error(err)
	}
}

// putFirst stores a first value that a person made.
func (w *world) putFirst(value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}
