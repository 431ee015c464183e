package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/keyrecord"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
	adapter "github.com/keyturn/keyturn/shared/store/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"keyturn": main})
}

// TestScript runs the scripts, which are the command's specification. Each has
// a local AWS of its own, and these commands besides testscript's:
//
//	exits CODE PROGRAM ARG...     run a program, which must exit with CODE
//	json FILE                     the last output must hold FILE, a JSON document; "*" fits everything
//	secret NAME [empty|off]       a secret with a value and rotation, or without one of them
//	advance DURATION              move AWS's clock
//	older NAME ID STATE AGO WHY   record an older key that was replaced AGO
//	failure NAME STEP TYPE TEXT   record a failed rotation
//	rotation works|fails|hangs    what the rotate function does in testSecret
//	rotation late                 the first key is stored, and the time is up
//	fault OPERATION EFFECT        drop: the next call's answer is lost; throttle, deny: it is refused
//	deploy [VENDOR]               another AWS, with the real functions and a simulated vendor
//	enable NAME                   turn a deployed secret's rotation on
//	idle                          wait until nothing is under way there
//	local ARG...                  run keyturn local and use it
//	end INT|TERM                  end it with this signal; it must exit with 0
//	value NAME WANT               the secret's current value must be WANT
//	asked NAME REASON             a rotation was asked for, with this reason and by us
//	vendor                        a simulated vendor on this machine, its keys' file and credentials
//	credential NAME               an admin secret must hold the vendor's credential, as admin put stores it
//	account VERSION               an account with a trail and a CDK bootstrap of this version
//	topic ENDPOINT[=FILTER]...    the notifications' topic, and who is subscribed to it
//	spoil NAME policy|stale|deletion|rotation   change an admin secret behind the command's back
//	may ROLE EXIT PROGRAM ARG...  run a program; ROLE's policy must allow each of its calls to AWS
//	mailed ADDRESS TEXT           the last mail to ADDRESS has TEXT in it
//	ledger grow|write|key|change ...    a ledger in a directory: see cmdLedger
//	queue make|signed NAME ...    a queue, or the sign-off in it: see cmdQueue
//	hand NAME [POLICY]            a deployed secret gets a key that somebody made by hand, and a policy
//
// With -short, those of the commands that have goroutines.
func TestScript(t *testing.T) {
	t.Parallel()
	dir, files := "testdata/script", []string(nil)
	if testing.Short() {
		for _, name := range []string{"admin-terminal", "doctor", "ledger", "local", "status"} {
			files = append(files, dir+"/"+name+".txt")
		}
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, Files: files, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error { return setup(t, env) },
		Cmds:  commands(),
	})
}

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":      cmdExits,
		"json":       cmdJSON,
		"secret":     on((*world).cmdSecret),
		"advance":    on((*world).cmdAdvance),
		"older":      on((*world).cmdOlder),
		"failure":    on((*world).cmdFailure),
		"alerted":    on((*world).cmdAlerted),
		"rotation":   on((*world).cmdRotation),
		"fault":      on((*world).cmdFault),
		"value":      on((*world).cmdValue),
		"asked":      on((*world).cmdAsked),
		"deploy":     cmdDeploy,
		"enable":     on((*world).cmdEnable),
		"idle":       on((*world).cmdIdle),
		"hand":       on((*world).cmdHand),
		"vendor":     cmdVendor,
		"account":    on((*world).cmdAccount),
		"topic":      on((*world).cmdTopic),
		"mailed":     on((*world).cmdMailed),
		"may":        cmdMay,
		"credential": cmdCredential,
		"spoil":      on((*world).cmdSpoil),
		"local":      cmdLocal,
		"ledger":     cmdLedger,
		"queue":      on((*world).cmdQueue),
		"end":        cmdEnd,
	}
}

type worldKey struct{}

// world is one script's AWS.
type world struct {
	region   *region.Region
	secrets  *sm.Client
	store    *adapter.Store
	table    *records.Table
	behavior chan string  // holds what the rotate function does
	server   *server      // keyturn local, while it runs
	stack    *stack.Stack // the real functions, once deployed
	watched  bool         // its accesses are watched
	vendor   vendor
	outage   *outage         // of the deployed vendor
	mend     func()          // ends what cmdDenied began
	extra    provider.Issued // the last that cmdCrowd made
	value    string          // that cmdRemember keeps
}

func setup(t *testing.T, env *testscript.Env) error {
	t.Helper()
	w := newWorld(t)
	env.Values[worldKey{}] = w
	ctx, stop := context.WithCancel(t.Context())
	l, err := w.region.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		stop()
		return err
	}
	served := make(chan error, 1)
	go func() { served <- w.region.Serve(ctx, l) }()
	env.Defer(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := w.region.Close(); err != nil {
			t.Error(err)
		}
	})
	env.Setenv("AWS_ENDPOINT_URL", "http://"+l.Addr().String())
	env.Setenv("AWS_REGION", wire.Region)
	env.Setenv("AWS_ACCESS_KEY_ID", cloud.AccessKey)
	env.Setenv("AWS_SECRET_ACCESS_KEY", cloud.SecretKey)
	env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return os.WriteFile(env.WorkDir+"/keyturn.json", []byte(configuration), 0o600)
}

// configuration is every script's, unless it brings its own.
const configuration = `{
  "version": 1,
  "vendorAccounts": {"main": {"provider": "sendgrid", "admin": "keyturn/admin/sendgrid", "hosts": ["api.sendgrid.com"]}},
  "keys": {
    "prod/mailer": {"vendorAccount": "main", "settings": {"scopes": ["mail.send"]}, "owner": "mailer@example.com", "tier": 1},
    "prod/shop": {"vendorAccount": "main", "settings": {"scopes": ["mail.send"]}, "owner": "shop@example.com"}
  }
}`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{behavior: make(chan string, 1)}
	r := region.New(region.Options{})
	cfg := r.Cloud.Config()
	client := dynamodb.NewFromConfig(cfg)
	text := func(name string) ddb.AttributeDefinition {
		return ddb.AttributeDefinition{AttributeName: &name, AttributeType: ddb.ScalarAttributeTypeS}
	}
	if _, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("keyturn"), BillingMode: ddb.BillingModePayPerRequest,
		AttributeDefinitions: []ddb.AttributeDefinition{text("secret"), text("item")},
		KeySchema: []ddb.KeySchemaElement{
			{AttributeName: aws.String("secret"), KeyType: ddb.KeyTypeHash},
			{AttributeName: aws.String("item"), KeyType: ddb.KeyTypeRange},
		},
	}); err != nil {
		t.Fatal(err)
	}
	table := records.New(client, "keyturn")
	table.Now = r.Cloud.Clock().Now
	w.region, w.secrets, w.store, w.table = r, sm.NewFromConfig(cfg), adapter.New(sm.NewFromConfig(cfg)), table
	w.behavior <- "works"
	if err := w.register(); err != nil {
		t.Fatal(err)
	}
	return w
}

// on makes a script's command of a world's method.
func on(f func(w *world, ctx context.Context, args []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		w, ok := ts.Value(worldKey{}).(*world)
		if !ok || neg {
			ts.Fatalf("wrong use")
		}
		ts.Check(f(w, context.Background(), args))
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: json FILE")
	}
	var got, want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &got))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &want))
	if where := misfit(got, want, "$"); where != "" {
		ts.Fatalf("%s", where)
	}
}

// misfit says where got is not want, exactly but for "*".
func misfit(got, want any, path string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", path, got)
		}
		for name := range g {
			if _, ok := w[name]; !ok {
				return fmt.Sprintf("%s.%s is not expected", path, name)
			}
		}
		for name, v := range w {
			if _, ok := g[name]; !ok {
				return fmt.Sprintf("%s.%s is missing", path, name)
			}
			if m := misfit(g[name], v, path+"."+name); m != "" {
				return m
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %v, want a list of %d", path, got, len(w))
		}
		for i := range w {
			if m := misfit(g[i], w[i], fmt.Sprintf("%s[%d]", path, i)); m != "" {
				return m
			}
		}
	default:
		if want != "*" && got != want {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
	}
	return ""
}

func (w *world) cmdSecret(ctx context.Context, args []string) error {
	kind := ""
	if len(args) == 2 {
		kind = args[1]
	}
	in := &sm.CreateSecretInput{Name: &args[0]}
	if kind != "empty" {
		in.SecretString = aws.String(`{"apiKey":"VALUE-TO-HIDE"}`)
	}
	if _, err := w.secrets.CreateSecret(ctx, in); err != nil || kind != "" {
		return err
	}
	return w.enable(ctx, args[0])
}

func (w *world) cmdAdvance(_ context.Context, args []string) error {
	d, err := time.ParseDuration(args[0])
	w.cloud().Clock().Advance(d)
	return err
}

// cloud is the AWS that the script's commands talk to.
func (w *world) cloud() *cloud.Cloud {
	if w.stack != nil {
		return w.stack.Region.Cloud
	}
	return w.region.Cloud
}

func (w *world) now() time.Time { return w.cloud().Clock().Now() }

func (w *world) cmdOlder(ctx context.Context, args []string) error {
	ago, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	_, err = w.table.Put(ctx, keyrecord.Record{
		Secret: args[0], KeyID: args[1], Version: "v-" + args[1], Vendor: "sendgrid", State: keyrecord.State(args[2]),
		Replaced: w.now().Add(-ago), Why: args[4],
	})
	return err
}

func (w *world) cmdFailure(ctx context.Context, args []string) error {
	f := keyrecord.Failure{Secret: args[0], Version: "another", Step: args[1], ErrorType: args[2], Text: args[3], At: w.now()}
	return errors.Join(w.table.SetFailure(ctx, f), w.table.SetFailure(ctx, f)) // the second counts 2
}

// cmdAlerted opens an alert: key, id, summary.
func (w *world) cmdAlerted(ctx context.Context, args []string) error {
	return w.table.OpenAlert(ctx, keyrecord.Alert{
		Secret: args[0], ID: args[1], Kind: "failed", Severity: "critical", Summary: args[2], About: keyrecord.AboutRotation, At: w.now(),
	})
}

func (w *world) cmdRotation(_ context.Context, args []string) error {
	<-w.behavior
	w.behavior <- args[0]
	return nil
}

func (w *world) cmdFault(_ context.Context, args []string) error {
	f := cloud.Fault{Operation: args[0], Nth: 1}
	switch args[1] {
	case "drop":
		f.Effect = cloud.DropAfter
	case "throttle":
		f.Effect, f.Nth = cloud.Throttle, 0
	case "deny":
		f.Nth = 0
		f.Error = &wire.Error{Code: "AccessDeniedException", Message: "you may not"}
	default:
		return fmt.Errorf("unknown effect %s", args[1])
	}
	w.cloud().Inject(f)
	return nil
}

func (w *world) cmdValue(ctx context.Context, args []string) error {
	v, err := w.store.Get(ctx, args[0], "", store.Current)
	if err == nil && v.Value.Reveal() != args[1] {
		err = fmt.Errorf("the value is %q", v.Value.Reveal())
	}
	return err
}

func (w *world) cmdAsked(ctx context.Context, args []string) error {
	book, err := w.table.Load(ctx, args[0])
	if err != nil {
		return err
	}
	for _, q := range book.Requests {
		if q.Reason == args[1] && strings.HasPrefix(q.Requester, "arn:aws:iam::123456789012:user/") {
			return nil
		}
	}
	return fmt.Errorf("what was asked for: %+v", book.Requests)
}
