//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
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
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/binaries"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/real/gitea"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	giteaSecret  = "prod/mailer/gitea"
	giteaAccount = "gitea"

	graceLeast = time.Second
	graceQuiet = 3 * time.Second
	graceMost  = 6 * time.Second
	usageLag   = 2 * time.Second // what shared/provider/gitea says of last_used_at
)

// giteaWorld is the real Gitea, the local AWS on a socket with the real
// binaries as its functions, and a consumer.
type giteaWorld struct {
	t        *testing.T
	began    time.Time
	tick     *time.Ticker
	git      *client
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
type key struct {
	id, name, value, version string
	number                   int64 // id, as Gitea has it
}

func newGiteaWorld(t *testing.T) *giteaWorld {
	t.Helper()
	server := gitea.Start(t)
	dir := t.TempDir()
	if err := binaries.Build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	w := &giteaWorld{t: t, began: time.Now(), tick: time.NewTicker(200 * time.Millisecond), git: newClient(server)}
	w.logf("Gitea %s is at %s, the functions are built", gitea.Version, server.URL)
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
	w.deploy(server, dir)
	w.sm = sm.NewFromConfig(w.region.Cloud.Config())
	w.records = keydb.New(dynamodb.NewFromConfig(w.region.Cloud.Config()), stack.Table)
	return w
}

func (w *giteaWorld) deploy(server *gitea.Server, dir string) {
	w.t.Helper()
	base, err := url.Parse(server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stack, err = stack.Deploy(w.t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{giteaAccount: {
			Provider: "gitea", Base: server.URL, Hosts: []string{base.Host},
			Admin: provider.Admin{Hosts: []string{base.Host}, Fields: map[string]secret.Value{
				"username": secret.New(server.User), "password": secret.New(server.Password),
			}},
		}},
		Keys: map[string]stack.Key{giteaSecret: {
			Account: giteaAccount, Settings: map[string]any{"scopes": []string{"read:user"}}, Owner: "mailer@example.com",
			Grace: map[string]any{"min": graceLeast.String(), "quiet": graceQuiet.String(), "max": graceMost.String(), "onMax": "hold"},
		}},
		Binaries: dir, Dir: dir, Endpoint: w.region.Endpoint(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.logf("deployed to the local AWS at %s; grace: min %s, quiet %s, max %s, then hold", w.region.Endpoint(), graceLeast, graceQuiet, graceMost)
}

// mark remembers what must not be seen anywhere.
func (w *giteaWorld) mark(i lambda.Invocation) {
	var e struct{ RotationToken string }
	if json.Unmarshal(i.Payload, &e) == nil && e.RotationToken != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tokens = append(w.tokens, e.RotationToken)
	}
}

// logf writes a line of the log: the time, and seconds since the start.
func (w *giteaWorld) logf(format string, args ...any) {
	w.t.Helper()
	now := time.Now()
	w.t.Logf("%s %6.1fs  %s", now.UTC().Format("15:04:05.000"), now.Sub(w.began).Seconds(), fmt.Sprintf(format, args...))
}

func (w *giteaWorld) printLogs() {
	w.t.Helper()
	for _, f := range w.functions() {
		w.t.Logf("%s:\n%s", f, strings.Join(w.region.Lambda.Logs(f), "\n"))
	}
}

func (w *giteaWorld) functions() []string {
	return []string{stack.Rotate(giteaAccount), stack.Retire(giteaAccount), stack.RotateNow}
}

// current reads the secret, as any consumer does.
func (w *giteaWorld) current() key {
	w.t.Helper()
	k, err := read(w.t.Context(), w.sm)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func read(ctx context.Context, client *sm.Client) (key, error) {
	out, err := client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String(giteaSecret)})
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
	number, err := strconv.ParseInt(v.Keyturn.KeyID, 10, 64)
	return key{v.Keyturn.KeyID, v.Keyturn.KeyName, v.Value, aws.ToString(out.VersionId), number}, err
}

func (w *giteaWorld) accepts(k key) {
	w.t.Helper()
	w.git.whoAmI(w.t, k.value).named("key "+k.id).want(w.t, 200)
}

func (w *giteaWorld) record(k key) keyrecord.Record {
	w.t.Helper()
	b, err := w.records.Load(w.t.Context(), giteaSecret)
	if err != nil {
		w.t.Fatal(err)
	}
	rec, _ := b.Key(k.id)
	return rec
}

// until waits for something to become so, and prints the news meanwhile.
func (w *giteaWorld) until(what string, most time.Duration, so func() (keyrecord.Record, bool)) keyrecord.Record {
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
func (w *giteaWorld) untilNews(kind notify.Kind, says string) {
	w.t.Helper()
	w.until(fmt.Sprintf("a notification %q that says %q", kind, says), 10*time.Second, func() (keyrecord.Record, bool) {
		return keyrecord.Record{}, slices.ContainsFunc(w.news(), func(m notify.Message) bool {
			return m.Kind == kind && m.Secret == giteaSecret && strings.Contains(strings.Join(m.Known, "\n"), says)
		})
	})
}

// news returns all notifications, and prints those that are new.
func (w *giteaWorld) news() []notify.Message {
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
