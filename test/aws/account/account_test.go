//go:build aws

package account_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/test/aws/install"
	"github.com/keyturn/keyturn/test/aws/own"
	"github.com/keyturn/keyturn/test/aws/probe"
)

const root = "../../.."

// run is one test run in an account.
type run struct {
	*testing.T
	ctx   context.Context //nolint:containedctx // ends with Ctrl-C
	cfg   aws.Config
	place own.Place
	install.Props
	caller string
}

// begin checks the account, says what will happen, and sees to the cleanup, which
// a failure or Ctrl-C does not keep from happening.
func begin(t *testing.T) *run {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	t.Cleanup(stop)
	place, err := own.Chosen(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(place.Region))
	if err != nil {
		t.Fatal(err)
	}
	caller, err := own.Guard(ctx, cfg, place)
	if err != nil {
		t.Fatal(err)
	}
	name, err := own.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{T: t, ctx: ctx, cfg: cfg, place: place}
	r.caller = r.principal(caller)
	r.Props = install.Props{
		Name: name, AccountID: place.Account, Region: place.Region, Caller: r.caller,
		Reader: "arn:aws:iam::" + place.Account + ":role/" + name + "-reader",
	}
	t.Logf(`In the account %s, %s, as %s, this makes, all named %s...:
stacks of the CDK with 3 encryption keys, a table, queues, topics, functions, alarms and a secret; two IAM users and four
roles; about 30 secrets, a table, queues and a function for the probes. It takes about an hour and should cost under a dollar
(3 encryption keys and 40 secrets by the hour, about 12 alarms). It is removed at the end; the encryption keys 7 days later.
If it is cut off: go run ./test/aws/sweep %s`, place.Account, place.Region, r.caller, name, name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 40*time.Minute)
		defer cancel()
		s := &own.Sweeper{Config: cfg, Only: name, Say: t.Logf}
		if err := s.Sweep(ctx); err != nil {
			t.Errorf("not all was removed, run go run ./test/aws/sweep %s: %v", name, err)
		}
	})
	return r
}

// principal is the role of a session, or the user itself: policies know sessions
// by their role, whose path a session's ARN leaves out.
func (r *run) principal(arn string) string {
	r.Helper()
	_, session, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(session, "/")
	var out struct {
		ARN string `xml:"GetRoleResult>Role>Arn"`
	}
	r.must(own.Query(r.ctx, r.cfg, "iam", own.IAMVersion, "GetRole", url.Values{"RoleName": {name}}, &out))
	return out.ARN
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// command runs a program in the repository, with the run's keys' file.
func (r *run) command(file string, args ...string) {
	r.Helper()
	c := exec.CommandContext(r.ctx, args[0], args[1:]...) //nolint:gosec // the test's own commands
	c.Dir, c.WaitDelay = root, time.Minute
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Env = append(os.Environ(), "AWS_REGION="+r.place.Region, "KEYTURN_FILE="+file, "KEYTURN_CONFIG="+file, "KEYTURN_ENVIRONMENT="+install.Environment)
	out, err := c.CombinedOutput()
	if err != nil {
		r.Fatalf("%s: %v\n%s", strings.Join(args[:2], " "), err, out)
	}
}

func TestAccount(t *testing.T) {
	r := begin(t)
	p := r.Props
	r.people()
	dir := t.TempDir()
	file := filepath.Join(dir, "keyturn.yaml")
	text, err := p.File()
	r.must(err)
	r.must(os.WriteFile(file, text, 0o600))
	r.command(file, "infra/node_modules/.bin/cdk", "deploy", "--all", "--require-approval", "never", "--output", filepath.Join(dir, "cdk.out"))

	reader := r.assume(p.Reader)
	first := r.value(reader)
	if got := r.user(first); got != p.User() {
		t.Errorf("the first value is a key of %q, want %q", got, p.User())
	}
	before, err := sm.NewFromConfig(r.cfg).DescribeSecret(r.ctx, &sm.DescribeSecretInput{SecretId: aws.String(p.Key())})
	r.must(err)
	if !aws.ToBool(before.RotationEnabled) || before.NextRotationDate == nil {
		t.Error("the key has no schedule")
	}
	r.command(file, "go", "run", "./infra/keyturn", "rotate-now", p.Key(), "--reason", "make test-aws")
	second := r.value(reader)
	if second.ID == first.ID {
		t.Error("the key is what it was before the rotation")
	}
	for _, k := range []accessKey{first, second} {
		if got := r.user(k); got != p.User() {
			t.Errorf("a key is of %q, want %q: both must work during the grace", got, p.User())
		}
	}
	r.retirement()
	r.matrix(reader)
	r.probes()
}

// retirement looks for the schedule on which the replaced key is retired.
func (r *run) retirement() {
	r.Helper()
	out, err := scheduler.NewFromConfig(r.cfg).ListSchedules(r.ctx, &scheduler.ListSchedulesInput{GroupName: &r.Name})
	r.must(err)
	n := 0
	for _, s := range out.Schedules {
		full, err := scheduler.NewFromConfig(r.cfg).GetSchedule(r.ctx, &scheduler.GetScheduleInput{GroupName: &r.Name, Name: s.Name})
		r.must(err)
		at, once := strings.CutPrefix(strings.TrimSuffix(aws.ToString(full.ScheduleExpression), ")"), "at(")
		if !once {
			continue // the sweep's
		}
		n++
		if when, err := time.Parse("2006-01-02T15:04:05", at); err != nil || time.Until(when) < 30*time.Minute || time.Until(when) > 72*time.Hour {
			r.Errorf("the replaced key is retired at %s (%v), want within the grace of 1 to 72 h", at, err)
		}
	}
	if n != 1 {
		r.Errorf("%d schedules that fire once, want the retirement's", n)
	}
}

// probes records what AWS does.
func (r *run) probes() {
	w := r.world()
	recorded := map[string]probe.Outcome{}
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	slots := make(chan struct{}, 6)
	for _, p := range probe.All() {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, err := p.Run(r.ctx, w)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.Errorf("probe %s: %v", p.Name, err)
				return
			}
			recorded[p.Name] = out
		})
	}
	wg.Wait()
	b, err := json.MarshalIndent(recorded, "", "\t")
	r.must(err)
	r.must(os.WriteFile("../recorded.json", append(b, '\n'), 0o644)) //nolint:gosec // for everybody to read
	r.Logf("recorded %d of %d probes in test/aws/recorded.json: now go test ./test/aws/probe", len(recorded), len(probe.All()))
}

// accessKey is a key of an IAM user.
type accessKey struct{ ID, Secret string }

// adminSecret stores the admin credential.
func (r *run) adminSecret(k accessKey) {
	r.Helper()
	value, err := json.Marshal(map[string]any{
		"accessKeyId": k.ID, "secretAccessKey": k.Secret, "hosts": []string{"iam.amazonaws.com", "sts.us-east-1.amazonaws.com"},
	})
	r.must(err)
	_, err = sm.NewFromConfig(r.cfg).CreateSecret(r.ctx, &sm.CreateSecretInput{
		Name: aws.String(r.Admin()), SecretString: aws.String(string(value)),
		Tags: []smtypes.Tag{{Key: aws.String(own.Tag), Value: &r.Name}},
	})
	r.must(err)
}
