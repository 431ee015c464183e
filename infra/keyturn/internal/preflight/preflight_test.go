package preflight_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/infra/keyturn/internal/preflight"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// account is an AWS account in which all is well for file().
type account struct {
	t   *testing.T
	r   *region.Region
	cfg aws.Config
	sm  *sm.Client
}

func file() *keysfile.File {
	return &keysfile.File{
		Name:           "keyturn",
		VendorAccounts: map[string]keysfile.VendorAccount{"main": {Provider: "sendgrid", Admin: "admin/main"}},
		Keys:           []keysfile.Key{{Name: "prod/new", VendorAccount: "main"}, {Name: "prod/old", VendorAccount: "main", Existing: true}},
	}
}

func newAccount(t *testing.T, o region.Options) *account {
	t.Helper()
	r := region.New(o)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &account{t: t, r: r, cfg: r.Cloud.Config()}
	a.sm = sm.NewFromConfig(a.cfg)
	a.bootstrap("29")
	r.CloudTrail.SetTrails(cloudtrail.Trail{Name: "main", MultiRegion: true})
	a.secret("admin/main", "v")
	a.secret("prod/old", "v")
	return a
}

func (a *account) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) bootstrap(version string) {
	a.t.Helper()
	_, err := ssm.NewFromConfig(a.cfg).PutParameter(a.t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/cdk-bootstrap/hnb659fds/version"), Value: &version, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	a.must(err)
}

func (a *account) secret(name, value string, tags ...string) {
	a.t.Helper()
	in := &sm.CreateSecretInput{Name: &name}
	if value != "" {
		in.SecretString = &value
	}
	for i := 0; i < len(tags); i += 2 {
		in.Tags = append(in.Tags, types.Tag{Key: &tags[i], Value: &tags[i+1]})
	}
	_, err := a.sm.CreateSecret(a.t.Context(), in)
	a.must(err)
}

func (a *account) end(name string) {
	a.t.Helper()
	_, err := a.sm.DeleteSecret(a.t.Context(), &sm.DeleteSecretInput{SecretId: &name})
	a.must(err)
}

func (a *account) topic(endpoints ...string) {
	a.t.Helper()
	c := sns.NewFromConfig(a.cfg)
	made, err := c.CreateTopic(a.t.Context(), &sns.CreateTopicInput{Name: aws.String("keyturn-notifications")})
	a.must(err)
	for _, e := range endpoints {
		protocol := "email"
		if strings.HasPrefix(e, "http:") {
			protocol = "http"
		}
		_, err := c.Subscribe(a.t.Context(), &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: &protocol, Endpoint: &e})
		a.must(err)
	}
}

func (a *account) deny(operation string) {
	a.r.Cloud.Inject(cloud.Fault{Operation: operation, Error: &wire.Error{Code: "AccessDeniedException", Message: "you may not"}})
}

// run returns what is not ok, as "status subject: what".
func (a *account) run(f *keysfile.File, environment string) (out []string) {
	a.t.Helper()
	p := preflight.New(a.cfg, preflight.Place{Account: wire.Account, Region: wire.Region, Environment: environment}, f)
	for _, c := range p.Run(a.t.Context()) {
		if c.Status == preflight.OK {
			continue
		}
		if len(c.Next) == 0 {
			a.t.Errorf("%s: %s: says nothing of what to do", c.Subject, c.What)
		}
		out = append(out, fmt.Sprintf("%s %s: %s", c.Status, c.Subject, c.What))
	}
	return out
}

func TestWell(t *testing.T) {
	t.Parallel()
	if bad := newAccount(t, region.Options{}).run(file(), "prod"); len(bad) > 0 {
		t.Errorf("all is well, and it says %q", bad)
	}
}

func TestNotWell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options region.Options
		change  func(a *account, f *keysfile.File)
		want    []string // beginnings
	}{
		{"no bootstrap", region.Options{}, func(a *account, _ *keysfile.File) { a.bootstrap("5") }, []string{"missing CDK bootstrap: its version is 5, and at least 6"}},
		{"no bootstrap, and a replica", region.Options{}, func(a *account, f *keysfile.File) {
			a.bootstrap("5")
			f.Environments = map[string]keysfile.Environment{"prod": {Replicas: []string{"eu-central-1"}}}
		}, []string{"missing CDK bootstrap: its version is 5", "missing CDK bootstrap in eu-central-1: its version is 5", "warning replicas in eu-central-1: who reads a replica there is not seen"}},
		{"a bootstrap of another kind", region.Options{}, func(a *account, _ *keysfile.File) { a.bootstrap("x") }, []string{"warning CDK bootstrap: its version is no number"}},
		{"no right to see it", region.Options{}, func(a *account, _ *keysfile.File) { a.deny("GetParameter") }, []string{"warning CDK bootstrap: you may not see it (AccessDeniedException)"}},
		{"concurrency", region.Options{Lambda: lambda.Options{AccountConcurrency: 10}}, func(_ *account, f *keysfile.File) { reserve(f, 2) }, []string{"missing Lambda concurrency: 10 of 10 are not reserved; this deployment reserves 2 more, and leaves 8"}},
		{"concurrency that AWS may refuse", region.Options{Lambda: lambda.Options{AccountConcurrency: 50}}, func(_ *account, f *keysfile.File) { reserve(f, 2) }, []string{"warning Lambda concurrency: 50 of 50"}},
		{"concurrency that is deployed", region.Options{Lambda: lambda.Options{AccountConcurrency: 50}}, func(a *account, f *keysfile.File) {
			reserve(f, 2)
			a.must(a.r.Lambda.Register(lambda.Function{Name: "keyturn-rotate-main", ReservedConcurrency: 2, Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }}))
		}, nil},
		{"no trail", region.Options{}, func(a *account, _ *keysfile.File) { a.r.CloudTrail.SetTrails() }, []string{"missing CloudTrail: no trail logs management events here"}},
		{"useless trails", region.Options{}, func(a *account, _ *keysfile.File) {
			a.r.CloudTrail.SetTrails(
				cloudtrail.Trail{Name: "off", Stopped: true},
				cloudtrail.Trail{Name: "data", Selectors: []cloudtrail.Selector{{ReadWriteType: "All"}}},
				cloudtrail.Trail{Name: "reads", Selectors: []cloudtrail.Selector{{ReadWriteType: "ReadOnly", IncludeManagementEvents: true}}},
				cloudtrail.Trail{Name: "advanced", Advanced: advanced("eventCategory", "Data")},
			)
		}, []string{"missing CloudTrail: no trail logs management events of Secrets Manager here: off is stopped; data leaves them out; reads leaves them out; advanced leaves them out"}},
		{"a trail of writes that cannot deliver", region.Options{}, func(a *account, _ *keysfile.File) {
			a.r.CloudTrail.SetTrails(cloudtrail.Trail{Name: "w", DeliveryError: "NoSuchBucket", Advanced: advanced("eventCategory", "Management", "readOnly", "false")})
		}, []string{"warning CloudTrail: no trail logs reading", "warning CloudTrail: the trail w could not deliver to its bucket lately: NoSuchBucket"}},
		{"one trail cannot be seen", region.Options{}, func(a *account, _ *keysfile.File) { a.deny("GetTrailStatus") }, []string{"warning CloudTrail: you may not see it"}},
		{"no admin credential", region.Options{}, func(_ *account, f *keysfile.File) {
			f.VendorAccounts["second"] = keysfile.VendorAccount{Admin: "admin/second"}
		}, []string{"missing admin credential of second: there is no secret admin/second"}},
		{"an empty one", region.Options{}, func(a *account, f *keysfile.File) {
			a.secret("admin/second", "")
			f.VendorAccounts["second"] = keysfile.VendorAccount{Admin: "admin/second"}
		}, []string{"missing admin credential of second: the secret admin/second has no value"}},
		{"one that is to be deleted", region.Options{}, func(a *account, _ *keysfile.File) { a.end("admin/main") }, []string{"missing admin credential of main: the secret admin/main is marked for deletion"}},
		{"a secret that exists", region.Options{}, func(a *account, _ *keysfile.File) { a.secret("prod/new", "v") }, []string{"missing secret prod/new: it exists, and is not ours"}},
		{"one of ours, without a first value", region.Options{}, func(a *account, _ *keysfile.File) { a.secret("prod/new", "", "keyturn:installation", "keyturn") }, nil},
		{"one of ours that comes back", region.Options{}, func(a *account, _ *keysfile.File) { a.secret("prod/new", "v", "keyturn:installation", "keyturn") }, []string{"warning secret prod/new: it was made by this installation and has a value, and nothing rotates it"}},
		{"one of another installation", region.Options{}, func(a *account, _ *keysfile.File) {
			a.secret("prod/new", "v", "keyturn:installation", "other")
		}, []string{`missing secret prod/new: it belongs to another installation, "other"`}},
		{"one that is to be deleted", region.Options{}, func(a *account, _ *keysfile.File) {
			a.secret("prod/new", "v")
			a.end("prod/new")
		}, []string{"missing secret prod/new: it is marked for deletion"}},
		{"one that should exist", region.Options{}, func(_ *account, f *keysfile.File) { f.Keys[0].Existing = true }, []string{"missing secret prod/new: the file says existing: true, and it does not exist"}},
		{"one without a value", region.Options{}, func(a *account, f *keysfile.File) {
			f.Keys[0].Existing = true
			a.secret("prod/new", "")
		}, []string{"missing secret prod/new: it exists and has no value"}},
		{"no right to list", region.Options{}, func(a *account, _ *keysfile.File) { a.deny("ListSecrets") }, []string{"warning secrets: you may not see it"}},
		{"subscriptions", region.Options{}, func(a *account, _ *keysfile.File) {
			a.topic("a@example.com", "http://u:p@127.0.0.1:1/hook?token=VALUE-TO-HIDE")
		}, []string{
			"warning topic keyturn-notifications: http http://127.0.0.1:1/... has not confirmed its subscription",
		}},
		{"no subscriptions", region.Options{}, func(a *account, _ *keysfile.File) { a.topic() }, []string{"warning topic keyturn-notifications: nobody with a confirmed subscription"}},
		{"no such queue", region.Options{}, func(_ *account, f *keysfile.File) { tell(f, news) }, []string{"missing queue news: there is no such queue in us-east-1"}},
		{"a queue without a policy", region.Options{}, func(a *account, f *keysfile.File) { a.queue(f, nil) }, []string{"warning queue news: its policy does not let the topic in, and it gets nothing: it has none"}},
		{"a queue that lets another topic in", region.Options{}, func(a *account, f *keysfile.File) {
			a.queue(f, map[string]string{"Policy": letsIn(topicARN + "-2")})
		}, []string{"warning queue news: its policy does not let the topic in"}},
		{"a queue of the escalation that lets the other topic in", region.Options{}, func(a *account, f *keysfile.File) {
			a.queue(f, map[string]string{"Policy": letsIn(topicARN)})
			f.Notifications = keysfile.Notifications{Escalation: &keysfile.Escalation{Subscriptions: f.Notifications.Subscriptions}}
		}, []string{"warning queue news: its policy does not let the topic in"}},
		{"a queue that lets the topic in", region.Options{}, func(a *account, f *keysfile.File) {
			a.queue(f, map[string]string{"Policy": letsIn(topicARN)})
		}, nil},
		{"a queue under a key of AWS", region.Options{}, func(a *account, f *keysfile.File) {
			a.queue(f, map[string]string{"Policy": letsIn(topicARN), "KmsMasterKeyId": "alias/aws/sqs"})
		}, []string{"warning queue news: it is encrypted with alias/aws/sqs"}},
		{"a queue of another account", region.Options{}, func(_ *account, f *keysfile.File) { tell(f, "arn:aws:sqs:us-east-1:999988887777:news") }, nil},
		{"a vendor account that is not in the file", region.Options{}, func(a *account, _ *keysfile.File) {
			a.sweep("main")
			a.sweep("old")
		}, []string{"warning vendor account old: it is not in the file, and its functions are still deployed"}},
		{"no right to see schedules", region.Options{}, func(a *account, _ *keysfile.File) { a.deny("ListSchedules") }, []string{"warning vendor accounts: you may not see it"}},
		{"no right to see the queue", region.Options{}, func(a *account, f *keysfile.File) {
			a.queue(f, nil)
			a.deny("GetQueueAttributes")
		}, []string{"warning queue news: you may not see it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, f := newAccount(t, tt.options), file()
			tt.change(a, f)
			got := a.run(f, "prod")
			for i, w := range tt.want {
				if i < len(got) && strings.HasPrefix(got[i], w) {
					got[i] = w
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// sweep deploys what each vendor account has.
func (a *account) sweep(name string) {
	a.t.Helper()
	c := scheduler.NewFromConfig(a.cfg)
	if _, err := c.CreateScheduleGroup(a.t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String("keyturn")}); err != nil && awserror.Code(err) != "ConflictException" {
		a.must(err)
	}
	_, err := c.CreateSchedule(a.t.Context(), &scheduler.CreateScheduleInput{
		Name: aws.String("sweep-" + name), GroupName: aws.String("keyturn"), ScheduleExpression: aws.String("rate(1 hour)"),
		FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target:             &schedulertypes.Target{Arn: aws.String("arn:aws:lambda:" + wire.Region + ":" + wire.Account + ":function:x"), RoleArn: aws.String("arn:aws:iam::" + wire.Account + ":role/x")},
	})
	a.must(err)
}

const (
	news     = "arn:aws:sqs:" + wire.Region + ":" + wire.Account + ":news"
	topicARN = "arn:aws:sns:" + wire.Region + ":" + wire.Account + ":keyturn-notifications"
)

func tell(f *keysfile.File, queue string) {
	f.Notifications.Subscriptions = []keysfile.Subscription{{SQS: queue}}
}

// queue makes the queue that the file's subscription is of.
func (a *account) queue(f *keysfile.File, attributes map[string]string) {
	a.t.Helper()
	_, err := sqs.NewFromConfig(a.cfg).CreateQueue(a.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("news"), Attributes: attributes})
	a.must(err)
	tell(f, news)
}

func letsIn(topic string) string {
	text, err := access.Subscribed(news, topic).Text()
	if err != nil {
		panic(err)
	}
	return text
}

func reserve(f *keysfile.File, n int) {
	v := f.VendorAccounts["main"]
	v.Concurrency = n
	f.VendorAccounts["main"] = v
}

func advanced(equal ...string) []cloudtrail.Advanced {
	var a cloudtrail.Advanced
	for i := 0; i < len(equal); i += 2 {
		a.FieldSelectors = append(a.FieldSelectors, cloudtrail.FieldSelector{Field: equal[i], Equals: []string{equal[i+1]}})
	}
	return []cloudtrail.Advanced{a}
}

// TestManySecrets reads all pages.
func TestManySecrets(t *testing.T) {
	t.Parallel()
	a, f := newAccount(t, region.Options{}), file()
	for i := range 250 {
		a.secret(fmt.Sprint("other/", i), "v")
	}
	a.secret("prod/new", "v")
	if got := a.run(f, ""); len(got) != 2 || !strings.Contains(got[0], "does not say where") || !strings.Contains(got[1], "prod/new") {
		t.Errorf("%q", got)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@example.com": "x a@example.com", "https://example.com": "x https://example.com/...", "https://u:p@example.com:8443?t=1": "x https://example.com:8443/...",
		"arn:aws:sqs:us-east-1:123456789012:q": "x arn:aws:sqs:us-east-1:123456789012:q",
	} {
		if got := preflight.Endpoint("x", in); got != want {
			t.Errorf("Endpoint(%q) = %q, want %q", in, got, want)
		}
	}
}
