// Package audit tests what looks at every access, whole: the real functions on the
// local AWS, CloudTrail's path with its delays, and the ledger that comes of it.
package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	gocmp "github.com/google/go-cmp/cmp"

	record "github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	account = "main"
	host    = "vendor.test"
	key     = "prod/app/key"
	honey   = "prod/backup/root"

	// Access keys, which name who calls.
	operator = "AKIAOPERATOR00000000"
	app      = "AKIAAPP0000000000000"
	thief    = "AKIATHIEF00000000000"
	curious  = "AKIACURIOUS000000000"
)

func role(name string) string { return "arn:aws:iam::" + wire.Account + ":role/" + name }

// logs is what the functions print.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String leaves the metrics out.
func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.DeleteFunc(strings.Split(l.b.String(), "\n"), func(s string) bool { return strings.Contains(s, `"_aws"`) }), "\n")
}

// world is a deployment. Its time is that of a testing/synctest bubble.
type world struct {
	t      *testing.T
	region *region.Region
	stack  *stack.Stack
	log    *logs
}

func newWorld(t *testing.T, path rules.Path, change ...func(*world, *stack.Watch)) *world {
	t.Helper()
	w := &world{t: t, region: region.New(region.Options{}), log: &logs{}}
	vendor := sendgridtest.New(w.region.Cloud.Clock().Now, sendgridtest.Options{})
	watch := &stack.Watch{
		Path: path, Rules: detections(path), HoneyToken: honey, Deployers: []string{role("deployer"), "arn:aws:iam::" + wire.Account + ":user/local"},
		Callers: map[string]cloud.Caller{
			operator: {Role: role("deployer"), Session: "alex"},
			app:      {Role: role("app"), Session: "app-1", Address: "10.0.0.7"},
			thief:    {Role: role("app"), Session: "i-0123", Address: "203.0.113.66"},
			curious:  {Role: role("intern"), Session: "sam", Address: "198.51.100.9"},
		},
	}
	for _, c := range change {
		c(w, watch)
	}
	var err error
	w.stack, err = stack.Deploy(t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{account: {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys: map[string]stack.Key{key: {
			Account: account, Settings: map[string]any{"scopes": []string{"mail.send"}}, Grace: map[string]any{"min": "1h", "max": "24h", "noUsage": "revoke"},
		}},
		Vendors: &providertest.Transport{Handler: vendor, Host: host}, Log: w.log, Sweep: true,
		Watch: watch,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stack.Close()
		if err := w.region.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// detections turns all on where records are no later than they expect, for beyond it
// only those that are on by default must be right.
func detections(path rules.Path) map[string]bool {
	if path.Delay > detect.Lateness {
		return nil
	}
	on := map[string]bool{}
	for _, r := range detect.All(&detect.Site{}) {
		on[r.ID] = true
	}
	return on
}

// as is Secrets Manager as whoever has the access key sees it.
func (w *world) as(accessKey string) *sm.Client {
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(accessKey, cloud.SecretKey, "")
	return sm.NewFromConfig(cfg, func(o *sm.Options) { o.RetryMaxAttempts = 1 })
}

func (w *world) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) read(accessKey, name string) error {
	_, err := w.as(accessKey).GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: &name})
	return err
}

// peace rotates a key, which its consumer goes on reading.
func (w *world) peace() {
	ctx := w.t.Context()
	w.must("init", w.stack.Init(ctx, key))
	w.must("enable", w.stack.Enable(ctx, key))
	for range 3 {
		w.must("read", w.read(app, key))
		time.Sleep(time.Minute)
	}
	_, err := w.as(operator).RotateSecret(ctx, &sm.RotateSecretInput{SecretId: new(key)})
	w.must("rotate", err)
	w.must("rotate", w.region.Cloud.Rotated(ctx, key))
	w.must("read", w.read(app, key))
	time.Sleep(3 * 24 * time.Hour) // the old key ends
}

// attack has a thief read the honey token, and another be denied the key.
func (w *world) attack() {
	w.must("read the honey token", w.read(thief, honey))
	remove := w.region.Cloud.Inject(cloud.Fault{
		Service: "secretsmanager", Operation: "GetSecretValue", Count: 2, Match: func(c *wire.Call) bool { return c.AccessKey == curious },
		Error: &wire.Error{Code: "AccessDeniedException", Message: "User is not authorized to perform: secretsmanager:GetSecretValue", Status: 400},
	})
	defer remove()
	if err := w.read(curious, key); err == nil {
		w.t.Fatal("the denial is none")
	}
}

// settle lets all records come, and the hours of the reads be sealed.
func (w *world) settle() {
	time.Sleep(6 * time.Hour)
	w.must("seal", w.stack.Task(w.t.Context(), audit.TaskSeal))
}

// facts proves the ledger, and returns what it says.
func (w *world) facts() (all []history.Fact) {
	w.t.Helper()
	r, err := w.stack.Verify(w.t.Context(), func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		all = append(all, f)
		return err
	})
	w.must("verify", err)
	if r.Tree.N != int64(len(all)) || r.Pending > 0 {
		w.t.Errorf("%d entries proven, of %d; %d tiles pending", r.Tree.N, len(all), r.Pending)
	}
	return all
}

// findings are the messages about what was found.
func (w *world) findings() []sns.Message {
	return slices.DeleteFunc(w.region.SNS.Inbox(stack.Topic), func(m sns.Message) bool { return m.Attributes["kind"].Value != "finding" })
}

// drained wants the queues to be empty: nothing was given up or is still to be done.
func (w *world) drained() {
	for _, q := range []string{stack.Trail, stack.Audit} {
		for _, m := range w.region.SQS.Messages(q) {
			if !m.Deleted {
				w.t.Errorf("%s still has a message, received %d times: %.300s", q, m.Receives, m.Body)
			}
		}
	}
}

func run(t *testing.T, path rules.Path, f func(w *world), change ...func(*world, *stack.Watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, path, change...)
		f(w)
		w.drained()
		if t.Failed() {
			t.Logf("%.20000s", w.log.String())
		}
	})
}

// TestPeace wants a whole rotation, and the end of the old key, to trip nothing.
func TestPeace(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		w.peace()
		w.settle()
		acts := map[record.Act]int{}
		for _, f := range w.facts() {
			switch f.Kind {
			case history.KindAct:
				if f.Act.Phase == record.Outcome {
					acts[f.Act.Act]++
				}
			case history.KindAlert, history.KindRefused:
				w.t.Errorf("%+v %+v", f.Alert, f.Refused)
			}
		}
		if acts[record.Create] != 2 || acts[record.Revoke] != 1 {
			w.t.Errorf("acts %v, want two keys made and one revoked", acts)
		}
		for _, m := range w.findings() {
			w.t.Errorf("told of %s", m.Subject)
		}
	})
}

// TestAttack wants the theft to be told once, with who and where, and the ledger to
// hold it, the denial, and who read what.
func TestAttack(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{Seed: 1, Delay: 10 * time.Minute}, func(w *world) {
		w.peace()
		w.attack()
		w.settle()
		told := w.findings()
		if len(told) != 1 {
			w.t.Fatalf("%d messages, want one", len(told))
		}
		for _, want := range []string{honey, role("app"), "i-0123", "203.0.113.66", "keyturn ack --installation --id D-01-"} {
			if text := told[0].For("email"); !strings.Contains(text, want) {
				w.t.Errorf("%q is not in the message:\n%s", want, text)
			}
		}
		_, mailed, _ := strings.Cut(told[0].For("email"), "--against takes it\n\n")
		mailed, _, _ = strings.Cut(mailed, "\nTo receive fewer")
		w.must("the mail's checkpoint", w.stack.Extends(w.t.Context(), []byte(mailed)))
		var alerts, denials int
		reads := map[string]int64{}
		for _, f := range w.facts() {
			switch f.Kind {
			case history.KindAlert:
				alerts++
				if a := f.Alert; a.Rule != "D-01" || a.Principal != role("app") || a.Secret != honey || a.Source != "203.0.113.66" || len(a.Events) != 1 {
					w.t.Errorf("alert %+v", a)
				}
			case history.KindCall:
				if f.Call.Error != "" {
					denials++
					if c := f.Call; c.Error != "AccessDeniedException" || c.Principal != role("intern") || c.Source != "198.51.100.9" {
						w.t.Errorf("denial %+v", c)
					}
				}
			case history.KindReads:
				reads[f.Reads.Principal+" "+nameOf(f.Reads.Secret)+" "+f.Reads.Network] += f.Reads.Count
			}
		}
		if alerts != 1 || denials != 1 {
			w.t.Errorf("%d alerts and %d denials, want one of each", alerts, denials)
		}
		if reads[role("app")+" "+key+" 10.0.0.0/24"] != 4 || reads[role("app")+" "+honey+" 203.0.113.0/24"] != 1 {
			w.t.Errorf("reads %v", reads)
		}
	})
}

// nameOf is a secret's name, of its ARN or itself.
func nameOf(secret string) string {
	if _, name, ok := strings.Cut(secret, ":secret:"); ok {
		return name[:len(name)-len("-abcdef")]
	}
	return secret
}

// TestPath wants duplicates and another order to change nothing of what is said.
func TestPath(t *testing.T) {
	t.Parallel()
	said := func(path rules.Path) (out []string) {
		run(t, path, func(w *world) {
			w.peace()
			w.attack()
			w.settle()
			for _, f := range w.facts() {
				out = append(out, line(f))
			}
			for _, m := range w.findings() {
				out = append(out, "told "+m.Subject+" "+m.Attributes["severity"].Value)
			}
		})
		slices.Sort(out)
		return out
	}
	want := said(rules.Path{})
	if len(want) < 20 {
		t.Fatalf("only %d things are said", len(want))
	}
	for _, path := range []rules.Path{
		{Seed: 1, Delay: detect.Lateness - time.Minute, Duplicates: 60},
		{Seed: 2, Delay: 2 * detect.Lateness, Duplicates: 60},
	} {
		if d := gocmp.Diff(want, said(path)); d != "" {
			t.Errorf("%+v (-straight +disorder):\n%s", path, d)
		}
	}
}

// line says what f says, without what is of one run: ids, times and tokens.
func line(f history.Fact) string {
	switch f.Kind {
	case history.KindAct:
		return strings.Join([]string{"act", string(f.Act.Act), string(f.Act.Phase), f.Act.Secret}, " ")
	case history.KindCall:
		name, _, _ := strings.Cut(f.Call.Name, " ")
		return strings.Join([]string{"call", name, f.Call.Principal, f.Call.Source, f.Call.Error}, " ")
	case history.KindReads:
		count := strconv.FormatInt(f.Reads.Count, 10)
		if strings.Contains(f.Reads.Principal, ":role/keyturn-") {
			count = "some" // how often our functions look again is of one run
		}
		b, _ := json.Marshal([]any{f.Reads.Principal, nameOf(f.Reads.Secret), f.Reads.Network, count, f.Reads.Hour})
		return "reads " + string(b)
	case history.KindAlert:
		return strings.Join([]string{"alert", f.Alert.Rule, f.Alert.Principal, f.Alert.Secret, f.Alert.Source}, " ")
	default:
		return cmp.Or(string(f.Kind), "?")
	}
}

// TestCanary wants reads of the canary that come back to be peace, and a path that
// is cut to be told.
func TestCanary(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		beat := func(ctx context.Context, hours int) {
			for range hours * 4 {
				w.must("beat", w.stack.Task(ctx, audit.TaskCanary))
				time.Sleep(15 * time.Minute)
			}
		}
		beat(w.t.Context(), 3)
		if n := len(w.findings()); n != 0 {
			w.t.Fatalf("%d messages while the path is alive", n)
		}
		w.stack.Cut()
		beat(w.t.Context(), 3)
		if told := w.findings(); len(told) != 1 || !strings.Contains(told[0].For("email"), "silent") {
			w.t.Errorf("told %v", told)
		}
	})
}
