//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/keyrecord"
	keydb "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	graceLeast = time.Second
	graceQuiet = 3 * time.Second
	graceMost  = 6 * time.Second
)

// server is a real vendor, asked by hand: nothing of ours is in between.
type server interface {
	// account and key configure it.
	account() stack.Account
	key() stack.Key
	// mint makes a key as a person does.
	mint(t *testing.T) handmade
	// list returns what the server says of each key there is, by its ID.
	list(t *testing.T) map[string]string
	// made checks what the server says of a key that we made.
	made(t *testing.T, k key)
	// try uses a key as its consumer does. An error is neither yes nor no.
	try(ctx context.Context, value string) (accepted bool, err error)
	// secrets are what nobody may see, without the keys.
	secrets() []string
}

// vendor is a server, and what the rotation of its keys is judged by.
type vendor struct {
	server
	name, title string
	// lastUsed is when the server says that a key was last used, with which
	// delay. Nil: it does not say.
	lastUsed func(t *testing.T, id string) time.Time
	lag      time.Duration
	// idOf returns the ID that a key has by its value. Nil: the secret tells.
	idOf func(value string) string
}

// handmade is a key that is none of ours.
type handmade struct{ id, value, listed string }

// scene is a real server, the local AWS on a socket with the real binaries as
// its functions, and a consumer.
type scene struct {
	vendor
	t        *testing.T
	began    time.Time
	tick     *time.Ticker
	secret   string
	region   *region.Region
	stack    *stack.Stack
	sm       *sm.Client
	records  *keydb.Table
	consumer *consumer
	told     int // news that were printed

	mu     sync.Mutex
	tokens []string // RotationTokens
}

// key is a key as a version of the secret holds it.
type key struct{ id, name, value, version string }

// String is how the log calls it: some IDs are long.
func (k key) String() string { return short(k.id) }

func short(id string) string { return id[:min(len(id), 12)] }

func newScene(t *testing.T, v vendor, binaries string) *scene {
	t.Helper()
	w := &scene{vendor: v, t: t, began: time.Now(), tick: time.NewTicker(200 * time.Millisecond), secret: "prod/mailer/" + v.name}
	w.logf("%s runs, the functions are built", v.title)
	w.region = region.New(region.Options{Lambda: lambda.Options{OnInvoke: w.mark}})
	l, err := w.region.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- w.region.Serve(ctx, l) }()
	t.Cleanup(func() {
		if t.Failed() {
			w.printLogs()
		}
		if w.stack != nil {
			w.stack.Close()
		}
		err := w.region.Close()
		stop()
		if e := <-served; err != nil || e != nil {
			t.Errorf("the local AWS: %v, %v", err, e)
		}
	})
	w.deploy(binaries)
	w.sm = sm.NewFromConfig(w.region.Cloud.Config())
	w.records = keydb.New(dynamodb.NewFromConfig(w.region.Cloud.Config()), stack.Table)
	return w
}

func (w *scene) deploy(binaries string) {
	w.t.Helper()
	k := w.key()
	k.Account, k.Owner = w.name, "mailer@example.com"
	k.Grace = map[string]any{"min": graceLeast.String(), "quiet": graceQuiet.String(), "max": graceMost.String(), "onMax": "hold"}
	then := "hold"
	if w.lastUsed == nil {
		k.Grace["noUsage"] = "revoke"
		then = "revoke, for it does not say when keys are used"
	}
	var err error
	w.stack, err = stack.Deploy(w.t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{w.name: w.account()}, Keys: map[string]stack.Key{w.secret: k},
		Binaries: binaries, Dir: w.t.TempDir(), Endpoint: w.region.Endpoint(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.logf("deployed to the local AWS at %s; grace: min %s, quiet %s, max %s, then %s", w.region.Endpoint(), graceLeast, graceQuiet, graceMost, then)
}

// mark remembers what must not be seen anywhere.
func (w *scene) mark(i lambda.Invocation) {
	var e struct{ RotationToken string }
	if json.Unmarshal(i.Payload, &e) == nil && e.RotationToken != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tokens = append(w.tokens, e.RotationToken)
	}
}

// logf writes a line of the log: the time, and seconds since the start.
func (w *scene) logf(format string, args ...any) {
	w.t.Helper()
	now := time.Now()
	w.t.Logf("%s %6.1fs  %s", now.UTC().Format("15:04:05.000"), now.Sub(w.began).Seconds(), fmt.Sprintf(format, args...))
}

func (w *scene) printLogs() {
	w.t.Helper()
	for _, f := range w.functions() {
		w.t.Logf("%s:\n%s", f, strings.Join(w.region.Lambda.Logs(f), "\n"))
	}
}

func (w *scene) functions() []string {
	return []string{stack.Rotate(w.name), stack.Retire(w.name), stack.RotateNow}
}

// current reads the secret, as any consumer does.
func (w *scene) current() key {
	w.t.Helper()
	k, err := read(w.t.Context(), w.sm, w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.idOf != nil {
		k.id = w.idOf(k.value)
	}
	return k
}

func read(ctx context.Context, client *sm.Client, name string) (key, error) {
	out, err := client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return key{}, err
	}
	var v struct {
		Value   string `json:"apiKey"`
		Keyturn struct{ KeyID, KeyName string }
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &v); err != nil {
		return key{}, err
	}
	return key{v.Keyturn.KeyID, v.Keyturn.KeyName, v.Value, aws.ToString(out.VersionId)}, nil
}

func (w *scene) accepts(k key) {
	w.t.Helper()
	w.want("key "+k.String(), k.value, true)
}

// want tries a key.
func (w *scene) want(what, value string, accepted bool) {
	w.t.Helper()
	if ok, err := w.try(w.t.Context(), value); err != nil || ok != accepted {
		w.t.Errorf("%s: accepted: %v, want %v; %v", what, ok, accepted, err)
	}
}

func (w *scene) record(k key) keyrecord.Record {
	w.t.Helper()
	b, err := w.records.Load(w.t.Context(), w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	rec, _ := b.Key(k.id)
	return rec
}

// until waits for something to become so, and prints the news meanwhile.
func (w *scene) until(what string, most time.Duration, so func() (keyrecord.Record, bool)) keyrecord.Record {
	w.t.Helper()
	for start := time.Now(); ; <-w.tick.C {
		w.news()
		rec, ok := so()
		if ok {
			return rec
		}
		if time.Since(start) > most {
			w.t.Fatalf("not in %s: %s; record: %+v", most, what, rec)
		}
	}
}

// untilNews waits for a notification that says something.
func (w *scene) untilNews(kind notify.Kind, says string) {
	w.t.Helper()
	w.until(fmt.Sprintf("a notification %q that says %q", kind, says), 10*time.Second, func() (keyrecord.Record, bool) {
		return keyrecord.Record{}, slices.ContainsFunc(w.news(), func(m notify.Message) bool {
			return m.Kind == kind && m.Secret == w.secret && strings.Contains(strings.Join(m.Known, "\n"), says)
		})
	})
}

// news returns all notifications, and prints those that are new.
func (w *scene) news() []notify.Message {
	w.t.Helper()
	inbox := w.region.SNS.Inbox(stack.Topic)
	all := make([]notify.Message, len(inbox))
	for i, m := range inbox {
		if err := json.Unmarshal([]byte(m.Texts["sqs"]), &all[i]); err != nil {
			w.t.Fatalf("notification %q: %v", m.Subject, err)
		}
		if i >= w.told {
			w.logf("  SNS at %s: %q", m.Time.Format("15:04:05.000"), m.Subject)
		}
	}
	w.told = max(w.told, len(all))
	return all
}
