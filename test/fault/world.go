// Package fault proves what Keyturn promises of crashes, faults and races: it
// lets whole rotations and retirements run with something going wrong at each
// of their calls, or several at once, and looks whether anything was lost, left
// behind, cut off or said aloud.
//
// A run is known by its name: run it again with
//
//	go test ./test/fault -only NAME
package fault

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/scheduler"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const (
	secretName     = "prod/app/key"
	adminName      = "keyturn/admin/main"
	table          = "keyturn"
	topic          = "keyturn"
	queue          = "keyturn-audit"
	fingerprintKey = "Qx7vZk2mWp9sLr4tBn8cHd3fJg6yUe5a"
)

// World is one secret with its AWS, its vendor and its functions. It lives in a
// testing/synctest bubble, unless its functions are processes.
type World struct {
	subject   Subject
	cloud     *cloud.Cloud
	dynamo    *dynamodb.Service
	queues    *sqs.Service
	topics    *sns.Service
	schedules *scheduler.Service
	services  map[string]wire.Service
	writes    atomic.Int64 // of Secrets Manager, ended
	fake      providertest.Fake
	foreign   []provider.Issued
	consumer  *consumer
	transport http.RoundTripper
	base      string // URL of the vendor
	host      string
	site      *site // nil: the functions run in this process, in a bubble

	ctx    context.Context //nolint:containedctx // the world's life
	stop   context.CancelFunc
	cfg    aws.Config
	env    map[string]string
	config []byte
	over   chan struct{} // closed when the world ends
	busy   sync.WaitGroup
	race   *race

	mu       sync.Mutex
	warm     map[string][]*process
	started  bool // calls are numbered
	calls    []Call
	plan     []Fault
	said     strings.Builder // logs, errors, messages, records
	tokens   []string        // RotationTokens
	trial    string          // token of the rotation on trial
	back     bool            // somebody went back to an older key
	rival    bool            // somebody took AWSPENDING from a rotation
	down     time.Time       // until then the vendor answers our functions with 503
	attempts int             // createSecrets of the rotation on trial
	intents  []audit.Record
	facts    []audit.Record // all other records
	events   [][]byte       // label events that wait for the retire function
	wakeups  [][]byte       // schedules that are due
	woken    chan struct{}
	breaches []string
	broken   map[string]int  // how often, by the breach's format
	stored   map[string]bool // ids of keys that a version holds, or has held, and their rotations

	asked, granted map[string]int // in a race, of what is no step
	ids            int

	// What a bad engine would do in each invocation besides: for tests of the judge.
	besides func(context.Context, *process)

	reads  map[string]*http.Request // nil: stale answers of the vendor are not wanted
	before map[string]snapshot
}

// entropy is a source that gives the same every time.
type entropy struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

// Read implements io.Reader.
func (e *entropy) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.r.Read(b)
}

// steady waits as long before each of the SDK's tries, whoever asks.
type steady struct{}

// BackoffDelay implements [retry.BackoffDelayer].
func (steady) BackoffDelay(attempt int, _ error) (time.Duration, error) {
	return 100 * time.Millisecond << attempt, nil
}

// halved is what the vendors' clients take for chance.
func halved(d time.Duration) time.Duration { return d / 2 }

// NewWorld makes a world in which the secret has its first key.
func NewWorld(s Subject) *World { return newWorld(s, nil) }

func newWorld(s Subject, site *site) *World {
	w := &World{
		subject: s, site: site, base: base, host: host, over: make(chan struct{}), woken: make(chan struct{}, 1), warm: map[string][]*process{},
		before: map[string]snapshot{}, stored: map[string]bool{}, asked: map[string]int{}, granted: map[string]int{}, broken: map[string]int{},
	}
	w.ctx, w.stop = context.WithCancel(httpapi.WithJitter(context.Background(), halved))
	w.cloud = cloud.New(cloud.Options{
		Rand: &entropy{r: rand.NewChaCha8([32]byte{1})}, Invoker: cloud.InvokerFunc(w.rotation),
		SecretsManager: secretsmanager.Options{Attempts: 7, RetryDelay: site.retryDelay(), Invocable: func(string, string) bool { return true }},
	})
	clock := w.cloud.Clock()
	w.dynamo, w.queues = dynamodb.New(clock, dynamodb.Options{}), sqs.New(clock)
	w.topics = sns.New(sns.Options{Clock: clock})
	w.schedules = scheduler.New(scheduler.Options{Clock: clock, Functions: w})
	w.services = map[string]wire.Service{
		"secretsmanager": w.cloud.SecretsManager(), "dynamodb": w.dynamo, "sqs": w.queues, "sns": w.topics, "scheduler": w.schedules,
	}
	for name, s := range w.services {
		w.cloud.Register(name, s)
	}
	w.cloud.Subscribe(func(e cloud.Event) bool { return e.DetailType == "Secret Label Updated" }, w.label)
	w.transport = w.cloud.Transport()
	w.fake = s.New(clock.Now)
	w.foreign = s.foreign(w.fake)
	w.consumer = &consumer{world: w}
	if site != nil {
		site.open(w)
	}
	w.deploy()
	return w
}

// Close ends the world and everything that is parked in it.
func (w *World) Close() {
	close(w.over)
	w.stop()
	w.site.close()
	w.cloud.Close()
	w.topics.Close()
	w.schedules.Close()
	w.busy.Wait()
}

func (w *World) deploy() {
	w.cfg = w.cloud.Config()
	w.cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = steady{} })
	}
	w.env = map[string]string{
		"KEYTURN_TABLE": table, "KEYTURN_TOPIC_ARN": sns.ARN(topic),
		"KEYTURN_AUDIT_QUEUE_URL":     w.site.endpoint() + "/" + wire.Account + "/" + queue,
		"KEYTURN_SCHEDULE_ROLE_ARN":   "arn:aws:iam::" + wire.Account + ":role/keyturn",
		"KEYTURN_RETIRE_FUNCTION_ARN": "arn:aws:lambda:us-east-1:" + wire.Account + ":function:" + retiring,
		"KEYTURN_ROTATE_FUNCTION_ARN": "arn:aws:lambda:us-east-1:" + wire.Account + ":function:" + rotating,
		"KEYTURN_FINGERPRINT_KEY":     fingerprintKey,
	}
	w.config = w.configuration()
	w.site.deploy(w.env, w.config)
	w.must(w.dynamo, "CreateTable", map[string]any{
		"TableName": table, "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []any{map[string]string{"AttributeName": "secret", "AttributeType": "S"}, map[string]string{"AttributeName": "item", "AttributeType": "S"}},
		"KeySchema":            []any{map[string]string{"AttributeName": "secret", "KeyType": "HASH"}, map[string]string{"AttributeName": "item", "KeyType": "RANGE"}},
	})
	_, err := w.queues.Create(queue, nil)
	check(err)
	_, err = w.topics.Create(topic)
	check(err)
	admin := w.fake.Admin(w.host)
	fields := map[string]any{"hosts": admin.Hosts}
	for name, v := range admin.Fields {
		fields[name] = v.Reveal()
	}
	w.must(w.cloud.SecretsManager(), "CreateSecret", map[string]any{"Name": adminName, "SecretString": string(encode(fields)), "ClientRequestToken": w.uuid()})
	first := map[string]any{"Name": secretName, "ClientRequestToken": w.uuid()}
	begin := map[string]any{"version": 1, "mode": "init", "secret": secretName, "token": w.uuid()}
	if w.subject.Adopted {
		first["SecretString"] = string(encode(map[string]string{"apiKey": w.fake.Add("made by hand").Value.Reveal()}))
		begin = map[string]any{"version": 1, "mode": "adopt", "secret": secretName}
	}
	w.must(w.cloud.SecretsManager(), "CreateSecret", first)
	if _, failure := w.invoke(rotating, encode(begin), nil); failure != "" {
		panic("the first key was not made: " + failure + "\n" + w.said.String())
	}
}

func (w *World) configuration() []byte {
	settings := w.subject.Settings(w.base)
	settings["baseURL"] = w.base + w.subject.Path
	key := map[string]any{
		"vendorAccount": "main", "settings": settings, "owner": "platform@example.com",
		"grace": map[string]any{"min": "10m", "quiet": "10m", "disabled": "10m", "max": "48h", "noUsage": "revoke"},
	}
	maps.Copy(key, w.subject.Config)
	return encode(map[string]any{
		"version":        1,
		"vendorAccounts": map[string]any{"main": map[string]any{"provider": w.subject.Vendor, "admin": adminName, "hosts": []string{w.host}, "allowPrivate": w.site != nil}},
		"keys":           map[string]any{secretName: key},
	})
}

// now is the world's time.
func (w *World) now() time.Time { return w.cloud.Clock().Now() }

func (w *World) uuid() string {
	w.ids++
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, w.ids)).String()
}

func (w *World) requestID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.uuid()
}

// must carries out an operation of a service, as somebody else would, unseen by
// the faults.
func (w *World) must(s wire.Service, operation string, in any) []byte {
	out, err := w.do(s, operation, in)
	if err != nil {
		panic(fmt.Errorf("%s: %w", operation, err))
	}
	return out
}

func (w *World) do(s wire.Service, operation string, in any) ([]byte, error) {
	if !reads(operation) {
		defer w.writes.Add(1)
	}
	reply, err := s.Serve(w.ctx, &wire.Call{Operation: operation, Body: encode(in), Now: w.cloud.Clock().Now(), HTTP: &http.Request{}})
	if err != nil {
		return nil, err
	}
	return reply.Body, nil
}

// awsAnswers has a request answered by the local AWS. A bubble goes past its
// log, its trail and its own faults, which nobody looks at and which cost as
// much as the answer.
func (w *World) awsAnswers(r *http.Request, body []byte, c Call, stale bool) (*http.Response, error) {
	if stale {
		r = r.WithContext(wire.WithStale(r.Context()))
	}
	s := w.services[c.Service]
	if w.site != nil || s == nil {
		return w.transport.RoundTrip(r)
	}
	now := w.now()
	call := &wire.Call{Service: c.Service, Operation: s.Operation(r, body), RequestID: "request", Body: body, HTTP: r, Now: now}
	reply, err := s.Serve(r.Context(), call)
	if ctxErr := r.Context().Err(); ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		reply = s.Fail(call, wire.AsError(err))
	}
	h := http.Header{"X-Amzn-Requestid": {call.RequestID}, "Date": {now.Format(http.TimeFormat)}}
	maps.Copy(h, reply.Header)
	return response(r, cmp.Or(reply.Status, http.StatusOK), h, reply.Body), nil
}

// watchReads makes stale answers of the vendor possible.
func (w *World) watchReads() { w.reads = map[string]*http.Request{} }

// number counts a call and returns what goes wrong with it.
func (w *World) number(p *process, c Call) Effect {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := c.Service + " " + c.Operation
	again := p.op == op
	p.op = op
	if !w.started {
		return None
	}
	c.At = w.now()
	w.calls = append(w.calls, c)
	for _, f := range w.plan {
		if f.At != len(w.calls) {
			continue
		}
		switch f.Effect {
		case HangBefore, HangAfter:
			p.hangs = true
		case FailBefore, FailAfter:
			p.sticky = FailBefore
		case Throttle:
			p.sticky = Throttle
		case None, DropAfter, KillBefore, KillAfter, Late, Stale, effects:
		}
		return f.Effect
	}
	switch {
	case p.hangs:
		return HangBefore
	case p.sticky != None && again:
		return p.sticky
	}
	p.sticky = None
	return None
}

// hear keeps what was said, to look for secrets in it.
func (w *World) hear(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said.Write(b)
}

// accepted notes an audit record that the queue has taken.
func (w *World) accepted(body []byte) {
	var in struct{ MessageBody string }
	var rec audit.Record
	if json.Unmarshal(body, &in) != nil || json.Unmarshal([]byte(in.MessageBody), &rec) != nil {
		w.breach("an audit record that is none")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if rec.Phase == audit.Intent {
		w.intents = append(w.intents, rec)
	} else {
		w.facts = append(w.facts, rec)
	}
}

// judgeAct looks whether a change at the vendor was announced.
func (w *World) judgeAct(act Act) {
	if act.Kind == audit.Roll {
		w.consumer.rolled()
	}
	w.mu.Lock()
	announced := false
	for _, in := range w.intents {
		announced = announced || in.Act == act.Kind && (act.ID == "" || in.KeyID == act.ID) && (act.Name == "" || in.KeyName == act.Name)
	}
	w.mu.Unlock()
	if !announced {
		w.breach("%s of key %q %q at the vendor without an accepted intent", act.Kind, act.ID, act.Name)
	}
	for _, k := range w.foreign {
		if act.ID != "" && act.ID == k.ID {
			w.breach("%s of key %s, which is somebody else's", act.Kind, act.ID)
		}
	}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	check(err)
	return b
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
