// Package review tests the weekly review, whole: the real functions on the local AWS,
// a ledger that the audit function wrote, and a person who signs off.
package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	record "github.com/keyturn/keyturn/shared/audit"
	auditsqs "github.com/keyturn/keyturn/shared/audit/sqs"
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/function/audit"
	function "github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/review"
	"github.com/keyturn/keyturn/shared/review/weekly"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/iam"
	"github.com/keyturn/keyturn/test/cloud/organizations"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	host = "vendor.test"
	key  = "prod/app/key"

	// Access keys, which name who calls.
	operator = "AKIAOPERATOR00000000"
	app      = "AKIAAPP0000000000000"
	reviewer = "AKIAREVIEWER00000000"
)

func role(name string) string { return "arn:aws:iam::" + wire.Account + ":role/" + name }

// world is a deployment, and the review function beside it. Its time is that of a
// testing/synctest bubble.
type world struct {
	t        *testing.T
	region   *region.Region
	stack    *stack.Stack
	log      bytes.Buffer
	function *boot.Boundary
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, region: region.New(region.Options{})}
	vendor := sendgridtest.New(w.region.Cloud.Clock().Now, sendgridtest.Options{})
	person := func(name, session string) cloud.Caller { return cloud.Caller{Role: role(name), Session: session} }
	var err error
	w.stack, err = stack.Deploy(t.Context(), w.region, stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys: map[string]stack.Key{key: {
			Account: "main", Owner: "app@example.com", Settings: map[string]any{"scopes": []string{"mail.send"}},
			Grace: map[string]any{"min": "1h", "max": "24h", "noUsage": "revoke"},
		}},
		Vendors: &providertest.Transport{Handler: vendor, Host: host}, Log: io.Discard, Sweep: true,
		Watch: &stack.Watch{Callers: map[string]cloud.Caller{
			operator: person("deployer", "alex"), app: person("app", "app-1"), reviewer: person("auditor", "ann@example.com"),
			"keyturn-review": person("keyturn-review", "keyturn-review"),
		}},
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
	w.people()
	w.open()
	return w
}

// people are who the account's policies let in.
func (w *world) people() {
	all := `{"Version":"2012-10-17","Statement":[{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}]}`
	account := iam.Account{Users: []iam.User{{Rights: iam.Rights{Name: "ann", Inline: map[string]string{"all": all}}}}}
	for _, name := range []string{"app", "forgotten", "auditor", "keyturn-rotate-main"} {
		account.Roles = append(account.Roles, iam.Role{Rights: iam.Rights{Name: name, Inline: map[string]string{"all": all}}})
	}
	account.Roles[2].Inline = nil // an auditor reads no key
	w.region.IAM.Set(account)
	w.region.Organizations.Set(organizations.Organization{ID: "o-exampleorgid", Manager: "999988887777", Refuse: true})
}

// open prepares the review function, as infra/cdk deploys it.
func (w *world) open() {
	env := map[string]string{
		"KEYTURN_TABLE": stack.Table, "KEYTURN_TOPIC_ARN": sns.ARN(stack.Topic), "KEYTURN_ACCOUNT_ID": wire.Account,
		"KEYTURN_AUDIT_QUEUE_URL": "http://127.0.0.1/" + wire.Account + "/" + stack.Audit, "KEYTURN_WATCH_TABLE": stack.WatchTable,
		"KEYTURN_LEDGER_BUCKET": stack.Ledger, "KEYTURN_LEDGER_KEY": stack.LedgerKey, "KEYTURN_LEDGER_ORIGIN": stack.LedgerOrigin,
		"KEYTURN_SITE": "site.json", "KEYTURN_FINGERPRINT_KEY": stack.FingerprintKey,
	}
	site, err := json.Marshal(&detect.Site{Roles: []string{role("keyturn-rotate-main")}, Suppressions: []detect.Suppression{
		{Rule: "D-06", Principal: role("app"), Until: w.now().Add(24 * time.Hour), Reason: "a migration"},
	}})
	w.must("site", err)
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider("keyturn-review", cloud.SecretKey, "")
	w.function = boot.Prepare(w.t.Context(), boot.System{
		Getenv: func(k string) string { return env[k] },
		ReadFile: func(path string) ([]byte, error) {
			if path == "site.json" {
				return site, nil
			}
			return []byte(`{"version": 1,
				"vendorAccounts": {"main": {"provider": "sendgrid", "admin": "` + w.admin() + `", "hosts": ["api.sendgrid.com"]}},
				"keys": {"` + key + `": {"vendorAccount": "main", "settings": {"scopes": ["mail.send"]}, "owner": "app@example.com"}}}`), nil
		},
		Stdout: &w.log, Now: time.Now, AWS: &cfg,
	}, function.Name, function.Open, function.Needs()...)
}

func (w *world) now() time.Time { return w.region.Cloud.Clock().Now() }

// admin is the name of the admin credential's secret.
func (w *world) admin() string {
	out, err := w.as(operator).ListSecrets(w.t.Context(), nil)
	w.must("list", err)
	for _, s := range out.SecretList {
		if strings.Contains(*s.Name, "admin") {
			return *s.Name
		}
	}
	w.t.Fatal("there is no admin credential")
	return ""
}

func (w *world) as(accessKey string) *sm.Client {
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(accessKey, cloud.SecretKey, "")
	return sm.NewFromConfig(cfg)
}

func (w *world) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v\n%.5000s", what, err, w.log.String())
	}
}

// life is a rotation, a reader, and a ledger that knows of both.
func (w *world) life() {
	ctx := w.t.Context()
	w.must("init", w.stack.Init(ctx, key))
	w.must("enable", w.stack.Enable(ctx, key))
	_, err := w.as(operator).RotateSecret(ctx, &sm.RotateSecretInput{SecretId: new(key)})
	w.must("rotate", err)
	w.must("rotate", w.region.Cloud.Rotated(ctx, key))
	_, err = w.as(app).GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: new(key)})
	w.must("read", err)
	w.settle()
}

func (w *world) settle() {
	time.Sleep(6 * time.Hour)
	w.must("seal", w.stack.Task(w.t.Context(), audit.TaskSeal))
}

func (w *world) run() weekly.Done {
	w.t.Helper()
	out, err := w.function.Invoke(w.t.Context(), []byte(`{"task":"review"}`))
	w.must("review", err)
	var done weekly.Done
	w.must("answer", json.Unmarshal(out, &done))
	return done
}

func (w *world) object(path string) []byte {
	w.t.Helper()
	out, err := s3.NewFromConfig(w.region.Cloud.Config()).GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: new(stack.Ledger), Key: &path})
	w.must(path, err)
	b, err := io.ReadAll(out.Body)
	w.must(path, err)
	return b
}

func (w *world) told() []sns.Message {
	return slices.DeleteFunc(w.region.SNS.Inbox(stack.Topic), func(m sns.Message) bool { return m.Attributes["kind"].Value != "reviewed" })
}

// TestReview wants two weeks: the page of the first is announced once and signed off,
// and the second shows that.
func TestReview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.life()
		first := w.run()
		page := w.object("review/" + first.Week + "/review.html")
		sum := sha256.Sum256(page)
		if first.SHA256 != hex.EncodeToString(sum[:]) || first.Keys != 2 || first.Already {
			t.Errorf("%+v", first)
		}
		w.says(page)
		if again := w.run(); !again.Already || again.SHA256 != first.SHA256 {
			t.Errorf("again: %+v", again)
		}
		told := w.told()
		if len(told) != 1 {
			t.Fatalf("told %d times", len(told))
		}
		for _, want := range []string{first.Report, first.SHA256, "\n" + stack.LedgerOrigin + "\n"} {
			if text := told[0].For("email"); !strings.Contains(text, want) {
				t.Errorf("%q is not in the message:\n%s", want, text)
			}
		}
		w.signOff(first)
		time.Sleep(7 * 24 * time.Hour)
		second := w.run()
		if second.Week == first.Week || second.Already || len(w.told()) != 2 {
			t.Errorf("the week after: %+v, told %d times", second, len(w.told()))
		}
		var r review.Review
		w.must("read", json.Unmarshal(w.object("review/"+second.Week+"/review.json"), &r))
		if len(r.SignOffs) != 2 || r.SignOffs[0].Void != "" && r.SignOffs[1].Void != "" {
			t.Fatalf("sign-offs: %+v", r.SignOffs)
		}
		for _, s := range r.SignOffs {
			// The local AWS names a sender by the access key.
			if s.Writer != reviewer || (s.SHA256 == first.SHA256) != (s.Void == "") {
				t.Errorf("sign-off: %+v", s)
			}
		}
		if !r.Compared {
			t.Error("it is not compared with the week before")
		}
		if len(r.Notices) == 0 || !r.Notices[0].Expired || !strings.Contains(r.Notices[0].Text, "a migration") {
			t.Errorf("what has ended does not head the page: %+v", r.Notices)
		}
		if t.Failed() {
			t.Logf("%.5000s", w.log.String())
		}
	})
}

// says wants the first page to say who can read, who did, and what is not known.
func (w *world) says(page []byte) {
	w.t.Helper()
	week := weekly.Week(w.now())
	var r review.Review
	w.must("read", json.Unmarshal(w.object("review/"+week+"/review.json"), &r))
	can, reads := map[string]review.Can{}, map[string]int64{}
	for _, k := range r.Keys {
		for _, p := range k.Readers {
			if k.Name == key {
				can[p.ARN], reads[p.ARN] = p.Can, p.Reads
			}
		}
	}
	user := "arn:aws:iam::" + wire.Account + ":user/ann"
	for _, arn := range []string{role("app"), role("forgotten"), user} {
		if can[arn] != review.Yes {
			w.t.Errorf("%s: %q", arn, can[arn])
		}
	}
	if can[role("auditor")] != "" || reads[role("app")] != 1 || reads[role("forgotten")] != 0 {
		w.t.Errorf("can %v, reads %v", can, reads)
	}
	for _, want := range []string{"at most those who are listed can read", "a migration", "was not compared with CloudTrail"} {
		if !bytes.Contains(page, []byte(want)) {
			w.t.Errorf("the page does not say %q", want)
		}
	}
	if bytes.Contains(page, []byte("SG.")) {
		w.t.Error("the page holds a key")
	}
}

// signOff has a person sign off the page, and one that never was.
func (w *world) signOff(done weekly.Done) {
	w.t.Helper()
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(reviewer, cloud.SecretKey, "")
	queue := auditsqs.Open(cfg, "http://127.0.0.1/"+wire.Account+"/"+stack.Audit)
	for _, sum := range []string{done.SHA256, strings.Repeat("0", 64)} {
		w.must("sign off", queue.Record(context.WithoutCancel(w.t.Context()), record.Record{
			ID: "sign-off-" + sum, Time: w.now(), Act: record.SignOff, Phase: record.Fact,
			Detail: map[string]string{"sha256": sum, "report": done.Report, "decision": "accepted", "note": "read", "by": "me"},
		}))
	}
}
