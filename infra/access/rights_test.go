package access

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keyrecord"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

// TestRolesHaveTheRightsTheyUse sends every sample event to the functions on the
// local AWS, and compares what they call with the documents of their roles:
// nothing missing, nothing spare.
func TestRolesHaveTheRightsTheyUse(t *testing.T) {
	t.Parallel()
	f := &keysfile.File{VendorAccounts: map[string]keysfile.VendorAccount{
		"main": {Admin: "keyturn/admin/main"}, events.Account: {Admin: "keyturn/admin/" + events.Account}, events.EdgeAccount: {Admin: "keyturn/admin/" + events.EdgeAccount},
	}}
	s, err := New(f, Environment{Account: wire.Account, Region: wire.Region})
	if err != nil {
		t.Fatal(err)
	}
	calls := exercise(t)
	used := map[string]map[string]bool{"rotate": {}, "retire": {}, "rotatenow": {}}
	for _, c := range calls {
		kind, account, ok := strings.Cut(strings.TrimPrefix(c.AccessKey, "keyturn-"), "-")
		if !ok && kind != "rotatenow" || used[kind] == nil {
			continue // not a function's
		}
		action := c.Service + ":" + strings.Replace(c.Operation, "Invoke", "InvokeFunction", 1)
		used[kind][action] = true
		if got := s.mayCall(t, kind, account, action, c.Target); got.Effect != iam.Allowed {
			t.Errorf("%s calls %s of %q: %s", c.AccessKey, action, c.Target, got)
		}
	}
	for kind, actions := range used {
		for _, action := range s.rights(t, kind) {
			if !actions[action] {
				t.Errorf("%s may %s, and never does", kind, action)
			}
		}
		t.Logf("%s calls %s", kind, strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
	}
}

// exercise is every call to AWS of the samples, and of a key that nobody knows.
func exercise(t *testing.T) []cloud.CallRecord {
	t.Helper()
	var mu sync.Mutex
	var calls []cloud.CallRecord
	add := func(made []cloud.CallRecord) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, made...)
	}
	t.Run("samples", func(t *testing.T) {
		t.Run("a key that nobody knows", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { add(stray(t)) })
		})
		for _, function := range []string{"rotate", "retire", "rotatenow"} {
			samples, err := events.Samples(function)
			if err != nil {
				t.Fatal(err)
			}
			for _, sample := range samples {
				t.Run(function+"/"+sample, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						add(record(t, function, sample))
					})
				})
			}
		}
	})
	return calls
}

// record is every call to AWS that a sample leads to.
func record(t *testing.T, function, sample string) []cloud.CallRecord {
	t.Helper()
	const host = "vendor.test"
	r := events.Region()
	v := events.NewVendors(r.Cloud.Clock().Now)
	o := events.Options(v, "https://"+host, host)
	o.Vendors = &providertest.Transport{Handler: v, Host: host}
	s, err := stack.Deploy(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer s.Close()
	if err = events.Prepare(t.Context(), s, v, function, sample); err != nil {
		t.Fatal(err)
	}
	if function == "retire" { // there was a failure, which is over
		failed(t, r)
	}
	if _, _, err = events.Send(t.Context(), s, function, sample); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r.Cloud.Calls()
}

// stray is every call of a rotation at a vendor whose keys have no names, where
// somebody else has made one.
func stray(t *testing.T) []cloud.CallRecord {
	t.Helper()
	const host, secret = "vendor.test", "prod/app/key"
	r := region.New(region.Options{})
	defer r.Close()
	v := oktatest.New(r.Cloud.Clock().Now, oktatest.Options{})
	value := `{"apiKey":"` + v.Add("made with the app").Value.Reveal() + `"}`
	s, err := stack.Deploy(t.Context(), r, stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: "okta", Base: "https://" + host, Hosts: []string{host}, Admin: v.Admin(host)}},
		Keys:     map[string]stack.Key{secret: {Account: "main", Settings: map[string]any{"appID": oktatest.AppID, "clientID": oktatest.ClientID}}},
		Vendors:  &providertest.Transport{Handler: v, Host: host},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	secrets := sm.NewFromConfig(r.Cloud.Config())
	if _, err = secrets.PutSecretValue(t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(secret), SecretString: &value}); err != nil {
		t.Fatal(err)
	}
	if err = s.Enable(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	v.Add("made by somebody")
	if _, err = secrets.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(secret)}); err != nil {
		t.Fatal(err)
	}
	if err = r.Cloud.Rotated(t.Context(), secret); err != nil {
		t.Log(err) // the vendor is full
	}
	return r.Cloud.Calls()
}

// failed records a failure of the version that is current.
func failed(t *testing.T, r *region.Region) {
	t.Helper()
	d, err := sm.NewFromConfig(r.Cloud.Config()).DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(events.Secret)})
	if err != nil {
		t.Fatal(err)
	}
	for version, stages := range d.VersionIdsToStages {
		if slices.Contains(stages, "AWSCURRENT") {
			table := records.New(dynamodb.NewFromConfig(r.Cloud.Config()), stack.Table)
			if err := table.SetFailure(t.Context(), keyrecord.Failure{Secret: events.Secret, Version: version, At: r.Cloud.Clock().Now()}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// mayCall asks the document of a function's role.
func (s *Site) mayCall(t *testing.T, kind, account, action, of string) iam.Decision {
	t.Helper()
	service, _, _ := strings.Cut(action, ":")
	resource := map[string]string{
		"secretsmanager": s.here(service, "secret:"+of+"-AbCdEf"), "dynamodb": s.here(service, "table/"+s.name),
		"sqs": s.here(service, s.name+"-audit"), "sns": s.here(service, s.name+"-notifications"),
		"scheduler": s.here(service, "schedule/"+s.name+"/x"), "lambda": s.function(s.name + "-rotate-x"),
	}[service]
	r := s.request(&target{}, actor{who: iam.NewSession(s.RoleARN("x"), "run")}, network{ip: "52.95.110.1"}, action, resource)
	if service == "secretsmanager" && !strings.HasPrefix(of, "keyturn/admin/") {
		r.Context["aws:ResourceTag/"+TagInstallation] = []string{s.name}
		r.Context["aws:ResourceTag/"+TagVendorAccount] = []string{account}
	}
	got, err := iam.Evaluate(r, iam.Policies{Identity: []iam.Policy{{Name: kind, Document: s.roleOf(t, kind, account)}}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *Site) roleOf(t *testing.T, kind, account string) iam.Document {
	t.Helper()
	build := map[string]func() (iam.Document, error){
		"rotate": func() (iam.Document, error) { return s.Rotate(account) },
		"retire": func() (iam.Document, error) { return s.Retire(account) }, "rotatenow": s.RotateNow,
	}[kind]
	d, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rights are the actions of a function's role that its own code makes: not those
// of Lambda for it (log, queue, network), of KMS for its services, and PassRole.
func (s *Site) rights(t *testing.T, kind string) (actions []string) {
	t.Helper()
	lambdas := []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "iam:PassRole"}
	for _, statement := range s.roleOf(t, kind, events.Account).Statement {
		for _, a := range statement.Action {
			if service, _, _ := strings.Cut(a, ":"); service != "logs" && service != "kms" && !slices.Contains(lambdas, a) {
				actions = append(actions, a)
			}
		}
	}
	return sorted(actions)
}
