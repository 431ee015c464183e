package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const runbooks = "../../docs/runbooks"

// TestRunbooks brings a local AWS into the state that a runbook is for, and
// mends it by the runbook's own commands. The scripts are named as the runbooks
// are. Besides TestScript's commands there are:
//
//	runbook SECTION           run the commands marked sh in this section
//	outage down|works         the deployed vendor answers 503, or as usual
//	denied OPERATION CODE     AWS refuses an operation, until mended
//	mended                    AWS refuses nothing any more
//	crowd N                   somebody makes N keys at the vendor
//	thin                      somebody ends one of them
//	revoke                    somebody ends the key of the remembered value at the vendor
//	wrong NAME                an admin secret holds a credential that the vendor refuses
//	remember                  keep the current value, for works and is
//	sweep                     the hourly sweep of the vendor account
//	unstage NAME              somebody takes AWSPENDING off
//	task NAME...              the audit function's schedules, one after another
//	cut                       somebody removes the rule that brings CloudTrail's records
//	missed some|none          the ledger's comparisons found what EventBridge did not bring
//	told N TEXT               soon N messages have TEXT in them
//	replicate REGION          the secret has a replica there, which must come in sync
//	keys N                    this many keys are left at the vendor
//	is same|other             the current value is the remembered one, or not
func TestRunbooks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("commands that TestScript runs, too")
	}
	all := commands()
	all["runbook"] = cmdRunbook
	all["outage"] = on((*world).cmdOutage)
	all["denied"] = on((*world).cmdDenied)
	all["mended"] = on((*world).cmdMended)
	all["crowd"] = on((*world).cmdCrowd)
	all["revoke"] = on((*world).cmdRevoke)
	all["thin"] = on((*world).cmdThin)
	all["wrong"] = on((*world).cmdWrong)
	all["remember"] = on((*world).cmdRemember)
	all["sweep"] = on((*world).cmdSweep)
	all["unstage"] = on((*world).cmdUnstage)
	all["task"] = on((*world).cmdTask)
	all["cut"] = on((*world).cmdCut)
	all["missed"] = on((*world).cmdMissed)
	all["told"] = on((*world).cmdTold)
	all["replicate"] = on((*world).cmdReplicate)
	all["keys"] = on((*world).cmdKeys)
	all["is"] = on((*world).cmdIs)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/runbook", RequireExplicitExec: true, Cmds: all,
		Setup: func(env *testscript.Env) error { return setup(t, env) },
	})
}

// fence is a block of a runbook.
type fence struct{ section, mark, text string }

var fenced = regexp.MustCompile("(?ms)^## (.+?)$|^```([^\\n]*)\\n(.*?)^```$")

// fences returns the blocks of a runbook.
func fences(name string) (all []fence, err error) {
	text, err := os.ReadFile(filepath.Join(runbooks, name+".md"))
	section := ""
	for _, m := range fenced.FindAllSubmatch(text, -1) {
		if len(m[1]) > 0 {
			section = string(m[1])
			continue
		}
		all = append(all, fence{section, string(m[2]), string(m[3])})
	}
	return all, err
}

// TestRunbooks_whole wants each runbook to have every section and no unmarked
// block, its commands to exist, and every block marked sh to be run by its script.
func TestRunbooks_whole(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil || len(files) != 12 {
		t.Fatalf("%d runbooks, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"What you see", "Why", "First minute", "Mend", "Prove", "After"} {
			if !strings.Contains(string(text), "\n## "+section+"\n") {
				t.Errorf("%s has no section %s", name, section)
			}
		}
		all, err := fences(name)
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile("testdata/runbook/" + name + ".txt")
		if ran := err == nil; !ran && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if len(all) == 0 {
			t.Errorf("%s has no command", name)
		}
		for _, f := range all {
			for line := range strings.Lines(f.text) {
				checkRunbook(t, name, f.mark, line)
			}
			if f.mark == "sh" && !strings.Contains(string(script), "\nrunbook '"+f.section+"'\n") {
				t.Errorf("%s: no script runs the commands of %q", name, f.section)
			}
		}
	}
}

// awsLine is the shape of what calls AWS. Nothing checks that the flags exist.
var awsLine = regexp.MustCompile(`^aws [a-z0-9-]+ [a-z0-9-]+( --[a-z-]+( [^-].*)?)*$`)

func checkRunbook(t *testing.T, name, mark, line string) {
	t.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), " # ")
	switch words := shellWords(line); {
	case mark == "sh" && words[0] == "keyturn":
		checkOurs(t, name+": "+line, words[1:])
	case mark == "sh aws" && awsLine.MatchString(line):
	default:
		t.Errorf("%s: %q in a block marked %q", name, line, mark)
	}
}

// cmdRunbook runs the commands of a section. One that ends with "# exit N" must.
func cmdRunbook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: runbook SECTION")
	}
	all, err := fences(ts.Name())
	ts.Check(err)
	ran := 0
	for _, f := range all {
		if f.section != args[0] || f.mark != "sh" {
			continue
		}
		for line := range strings.Lines(f.text) {
			line, code, found := strings.Cut(strings.TrimSpace(line), " # exit ")
			if !found {
				code = "0"
			}
			cmdExits(ts, false, append([]string{code}, shellWords(strings.TrimSpace(line))...))
			ran++
		}
	}
	if ran == 0 {
		ts.Fatalf("it has no command in %q", args[0])
	}
}

// outage is a vendor that can be down.
type outage struct {
	next http.Handler
	down atomic.Bool
}

// ServeHTTP implements http.Handler.
func (o *outage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	o.next.ServeHTTP(w, r)
}

func (w *world) cmdOutage(_ context.Context, args []string) error {
	w.outage.down.Store(args[0] == "down")
	return nil
}

func (w *world) cmdDenied(_ context.Context, args []string) error {
	w.mend = w.cloud().Inject(cloud.Fault{Operation: args[0], Error: &wire.Error{Code: args[1], Message: "refused", Status: http.StatusBadRequest}})
	return nil
}

func (w *world) cmdMended(context.Context, []string) error {
	w.mend()
	return nil
}

func (w *world) cmdCrowd(_ context.Context, args []string) error {
	var n int
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		return err
	}
	for range n {
		w.extra = w.vendor.Add("somebody's", "mail.send")
	}
	return nil
}

func (w *world) cmdThin(ctx context.Context, _ []string) error { return w.delete(ctx, w.extra.ID) }

// cmdRevoke takes the key's ID from its value, SG.ID.REST.
func (w *world) cmdRevoke(ctx context.Context, _ []string) error {
	m := regexp.MustCompile(`SG\.([^."]+)\.`).FindStringSubmatch(w.value)
	if m == nil {
		return errors.New("the remembered value holds no key")
	}
	return w.delete(ctx, m[1])
}

// delete ends a key at the vendor, as its console does.
func (w *world) delete(ctx context.Context, id string) error {
	r := httptest.NewRequestWithContext(ctx, http.MethodDelete, "/v3/api_keys/"+id, nil)
	r.Header.Set("Authorization", "Bearer "+w.vendor.Admin("").Field("apiKey").Reveal())
	answer := httptest.NewRecorder()
	w.vendor.ServeHTTP(answer, r)
	if answer.Code != http.StatusNoContent {
		return fmt.Errorf("the vendor answers %d", answer.Code)
	}
	return nil
}

func (w *world) cmdWrong(ctx context.Context, args []string) error {
	c := sm.NewFromConfig(w.cloud().Config())
	v, err := c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &args[0]})
	if err != nil {
		return err
	}
	text := regexp.MustCompile(`SG\.[^"]+`).ReplaceAllString(*v.SecretString, "SG.VALUE-TO-HIDE")
	_, err = c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &args[0], SecretString: aws.String(text)})
	return err
}

func (w *world) current(ctx context.Context) (string, error) {
	v, err := sm.NewFromConfig(w.cloud().Config()).GetSecretValue(ctx, &sm.GetSecretValueInput{
		SecretId: aws.String("prod/mailer"), VersionStage: aws.String(store.Current),
	})
	if err != nil {
		return "", err
	}
	return *v.SecretString, nil
}

func (w *world) cmdRemember(ctx context.Context, _ []string) (err error) {
	w.value, err = w.current(ctx)
	return err
}

func (w *world) cmdIs(ctx context.Context, args []string) error {
	got, err := w.current(ctx)
	if err == nil && (got == w.value) != (args[0] == "same") {
		err = fmt.Errorf("the value is not the %s", args[0])
	}
	return err
}

func (w *world) cmdSweep(ctx context.Context, _ []string) error {
	out, failure, err := w.stack.Region.Lambda.Invoke(ctx, stack.Retire("main"), []byte(`{"version":1,"sweep":true}`))
	if err == nil && failure != "" {
		err = fmt.Errorf("%s", out)
	}
	return err
}

// cmdUnstage does what the runbook's call of AWS does.
func (w *world) cmdUnstage(ctx context.Context, args []string) error {
	c := sm.NewFromConfig(w.cloud().Config())
	d, err := c.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &args[0]})
	if err != nil {
		return err
	}
	for version, stages := range d.VersionIdsToStages {
		if slices.Contains(stages, store.Pending) {
			_, err = c.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
				SecretId: &args[0], VersionStage: aws.String(store.Pending), RemoveFromVersionId: &version,
			})
			return err
		}
	}
	return errors.New("no version has AWSPENDING")
}

func (w *world) cmdKeys(_ context.Context, args []string) error {
	if n := strconv.Itoa(len(w.vendor.Live())); n != args[0] {
		return fmt.Errorf("%s keys are left", n)
	}
	return nil
}
