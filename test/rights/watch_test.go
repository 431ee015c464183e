package rights

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/organizations"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	trails, witness = "trails", "witness"
	honey           = "prod/backup/root"
	thief           = "AKIATHIEF00000000000"
	application     = "arn:aws:iam::" + wire.Account + ":role/app"
)

// watched is a file with what the watch may be told: with a trail or without.
func watched(t *testing.T, trailed bool) *access.Site {
	t.Helper()
	f := &keysfile.File{
		VendorAccounts: map[string]keysfile.VendorAccount{account: {Admin: "keyturn/admin/" + account}},
		Keys:           []keysfile.Key{{Name: secret, VendorAccount: account}, {Name: existing, VendorAccount: account, Existing: true}},
		Notifications:  keysfile.Notifications{Escalation: &keysfile.Escalation{}},
		Detect:         keysfile.Detect{Respond: &keysfile.Respond{}}, Audit: keysfile.Audit{Checkpoints: &keysfile.Checkpoints{Bucket: witness}},
	}
	if trailed {
		f.Audit.Trail = &keysfile.Trail{Bucket: trails}
	}
	s, err := access.New(f, access.Environment{Account: wire.Account, Region: wire.Region})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// days are what the audit and review functions live through: reads in peace, a theft
// that starts an emergency, hours that are sealed and compared, and a review.
func days(t *testing.T, trailed bool) *Recorder {
	t.Helper()
	ctx, r := t.Context(), region.New(region.Options{})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	objects, env := awss3.NewFromConfig(r.Cloud.Config()), map[string]string{"KEYTURN_CHECKPOINT_BUCKET": witness, "KEYTURN_ROTATENOW_ARN": lambda.ARN(stack.RotateNow) + ":emergency"}
	for _, name := range []string{trails, witness} {
		_, err := objects.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: aws.String(name)})
		must(err)
	}
	if trailed {
		env["KEYTURN_TRAIL_BUCKET"] = trails
		_, err := r.CloudTrail.Deliver(cloudtrail.Trail{Name: "main", Bucket: trails, MultiRegion: true}, cloudtrail.Delivery{})
		must(err)
	}
	for _, name := range []string{topic, escalation} {
		_, err := r.SNS.Create(name)
		must(err)
	}
	vendor := sendgridtest.New(r.Cloud.Clock().Now, sendgridtest.Options{})
	key := stack.Key{Account: account, Settings: map[string]any{"scopes": []string{"mail.send"}}, Grace: map[string]any{"min": "1h", "max": "24h", "noUsage": "revoke"}}
	var log diary
	rec := Record(r)
	st, err := stack.Deploy(ctx, r, stack.Options{
		Accounts: map[string]stack.Account{account: {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys:     map[string]stack.Key{secret: key, existing: key}, Vendors: &providertest.Transport{Handler: vendor, Host: host}, Log: &log,
		Env: map[string]string{"KEYTURN_TOPIC_ARN": here("sns", topic), "KEYTURN_ESCALATION_TOPIC_ARN": here("sns", escalation), "KEYTURN_ESCALATE_AFTER": "4h"},
		Watch: &stack.Watch{
			HoneyToken: honey, Review: true, Env: env, Callers: map[string]cloud.Caller{thief: {Role: application, Session: "i-0123", Address: "203.0.113.66"}},
			Know: func(s *detect.Site) { s.Respond = &detect.Respond{Rules: []string{"D-01"}} },
		},
	})
	must(err)
	t.Cleanup(st.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(log.String()))
		}
	})
	r.Organizations.Set(organizations.Organization{
		ID: "o-abcdefghij", Manager: "999988887777", Parents: map[string]string{wire.Account: "r-1"}, Policies: []organizations.Policy{{
			ID: "p-1", Name: "region", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, Targets: []string{"r-1", wire.Account},
		}},
	})
	read := func(name string) {
		cfg := r.Cloud.Config()
		cfg.Credentials = credentials.NewStaticCredentialsProvider(thief, cloud.SecretKey, "")
		_, err := sm.NewFromConfig(cfg).GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
		must(err)
	}
	cmk, err := kms.NewFromConfig(r.Cloud.Config()).CreateKey(ctx, &kms.CreateKeyInput{})
	must(err)
	_, err = sm.NewFromConfig(r.Cloud.Config()).UpdateSecret(ctx, &sm.UpdateSecretInput{SecretId: aws.String(secret), KmsKeyId: cmk.KeyMetadata.Arn})
	must(err)
	must(st.Init(ctx, secret), st.Enable(ctx, secret), st.Init(ctx, existing), st.Task(ctx, audit.TaskCanary))
	time.Sleep(2 * time.Hour)
	for _, name := range []string{secret, existing, honey} {
		read(name)
	}
	for range 9 {
		time.Sleep(time.Hour)
		must(st.Task(ctx, audit.TaskCanary), st.Task(ctx, audit.TaskSeal), st.Task(ctx, audit.TaskReconcile))
	}
	must(st.Review(ctx))
	time.Sleep(7 * 24 * time.Hour)
	must(st.Task(ctx, audit.TaskSeal), st.Task(ctx, audit.TaskReconcile), st.Review(ctx))
	return rec
}

// TestRolesOfTheWatch: nothing missing, nothing spare, with a trail's files and with
// LookupEvents.
func TestRolesOfTheWatch(t *testing.T) {
	t.Parallel()
	for name, trailed := range map[string]bool{"files": true, "LookupEvents": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !trailed {
				t.Skip("the other differs in one call")
			}
			var calls map[Call]int
			synctest.Test(t, func(t *testing.T) {
				var odd []string
				if calls, odd = days(t, trailed).Calls(); len(odd) > 0 {
					t.Errorf("this test does not know %q", slices.Compact(slices.Sorted(slices.Values(odd))))
				}
			})
			site := watched(t, trailed)
			for function, build := range map[string]func() (iam.Document, error){site.AuditName(): site.Audit, site.ReviewName(): site.Review} {
				d, err := build()
				if err != nil {
					t.Fatal(err)
				}
				compareWatch(t, function, d, calls)
			}
		})
	}
}

func compareWatch(t *testing.T, function string, d iam.Document, calls map[Call]int) {
	t.Helper()
	missing, spare := compare(function, d, calls)
	for _, m := range missing {
		t.Errorf("missing: %s", m)
	}
	for _, s := range spare {
		t.Errorf("spare: %s", s)
	}
	seesEveryChange(t, function, d, calls)
}

// TestRoleOfTheChat: a notification that goes to a channel takes one right, and the
// role has no other.
func TestRoleOfTheChat(t *testing.T) {
	t.Parallel()
	channel := keysfile.Slack{Workspace: "T0123ABCD", Channel: "C0123ABCD"}
	calls := map[Call]int{}
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		defer r.Close()
		rec := Record(r)
		st, err := stack.Deploy(t.Context(), r, stack.Options{Channels: map[string]string{channel.Alias(): ""}})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if _, err = sns.NewFromConfig(r.Cloud.Config()).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(here("sns", stack.Topic)), Message: aws.String("a text")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var odd []string
		if calls, odd = rec.Calls(); len(odd) > 0 {
			t.Errorf("this test does not know %q", odd)
		}
	})
	s, err := access.New(&keysfile.File{Notifications: keysfile.Notifications{Subscriptions: []keysfile.Subscription{{Slack: &channel}}}},
		access.Environment{Account: wire.Account, Region: wire.Region})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Chat()
	if err != nil {
		t.Fatal(err)
	}
	// Lambda itself sends what the function could not.
	d.Statement = slices.DeleteFunc(d.Statement, func(st iam.Statement) bool { return st.Sid == "Undelivered" })
	compareWatch(t, s.ChatName(), d, calls)
}
