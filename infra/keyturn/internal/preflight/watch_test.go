package preflight_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/keyturn/internal/preflight"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// rules makes the rules of the watch, each in this state.
func (a *account) rules(state types.RuleState, names ...string) {
	a.t.Helper()
	c := eventbridge.NewFromConfig(a.cfg)
	for _, of := range names {
		_, err := c.PutRule(a.t.Context(), &eventbridge.PutRuleInput{
			Name: aws.String("keyturn-trail-" + of), State: state, EventPattern: aws.String(`{"source":["aws.secretsmanager"]}`),
		})
		a.must(err)
	}
}

func (a *account) key(alias string) *string {
	a.t.Helper()
	c := kms.NewFromConfig(a.cfg)
	made, err := c.CreateKey(a.t.Context(), &kms.CreateKeyInput{})
	a.must(err)
	_, err = c.CreateAlias(a.t.Context(), &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: made.KeyMetadata.KeyId})
	a.must(err)
	return made.KeyMetadata.KeyId
}

func (a *account) bucket(name string) {
	a.t.Helper()
	_, err := s3.NewFromConfig(a.cfg).CreateBucket(a.t.Context(), &s3.CreateBucketInput{Bucket: &name})
	a.must(err)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	const full = types.RuleStateEnabledWithAllCloudtrailManagementEvents
	forbid := func(a *account) {
		a.r.Cloud.Inject(cloud.Fault{Operation: "HeadBucket", Error: &wire.Error{Code: "AccessDenied", Message: "no", Status: 403}})
	}
	trail := func(account string) *keysfile.Trail { return &keysfile.Trail{Bucket: "trails", Account: account} }
	for name, tt := range map[string]struct {
		change func(a *account, f *keysfile.File)
		want   []string
	}{
		"rules as deployed": {func(a *account, _ *keysfile.File) { a.rules(full, "keys", "labels", "parts", "secrets", "stores") }, nil},
		"a rule that sees no reads": {func(a *account, _ *keysfile.File) {
			a.rules(full, "keys", "labels", "parts", "stores")
			a.rules(types.RuleStateEnabled, "secrets")
		}, []string{"missing rule keyturn-trail-secrets: its state is ENABLED: nobody's reads are seen"}},
		"a rule that somebody turned off": {func(a *account, _ *keysfile.File) {
			a.rules(full, "keys", "labels", "parts", "stores")
			a.rules(types.RuleStateDisabled, "secrets")
		}, []string{"missing rule keyturn-trail-secrets: it is disabled, and sees nothing"}},
		"a rule that is gone":                {func(a *account, _ *keysfile.File) { a.rules(full, "keys", "labels", "parts", "stores") }, []string{"missing rules of the watch: gone: keyturn-trail-secrets"}},
		"no right to see rules":              {func(a *account, _ *keysfile.File) { a.deny("DescribeRule") }, []string{"warning rules of the watch: you may not see it (AccessDeniedException)"}},
		"a key":                              {func(a *account, _ *keysfile.File) { a.key("alias/keyturn-data") }, nil},
		"no right to see keys":               {func(a *account, _ *keysfile.File) { a.deny("DescribeKey") }, []string{"warning encryption keys: you may not see it (AccessDeniedException)"}},
		"a trail's bucket":                   {func(a *account, f *keysfile.File) { a.bucket("trails"); f.Audit.Trail = trail("") }, nil},
		"a trail's bucket that is not":       {func(_ *account, f *keysfile.File) { f.Audit.Trail = trail("") }, []string{"missing trail's bucket: there is no bucket trails"}},
		"another account's bucket":           {func(a *account, f *keysfile.File) { forbid(a); f.Audit.Trail = trail("999988887777") }, nil},
		"an own bucket that is another's":    {func(a *account, f *keysfile.File) { forbid(a); f.Audit.Trail = trail("") }, []string{"warning trail's bucket: trails is another account's, or you may not see it"}},
		"a bucket of checkpoints that isn't": {func(_ *account, f *keysfile.File) { f.Audit.Checkpoints = &keysfile.Checkpoints{Bucket: "witness"} }, []string{"missing bucket of checkpoints: there is no bucket witness"}},
		"a bucket of checkpoints": {func(a *account, f *keysfile.File) {
			a.bucket("witness")
			f.Audit.Checkpoints = &keysfile.Checkpoints{Bucket: "witness"}
		}, nil},
		"a disabled key": {func(a *account, _ *keysfile.File) {
			_, err := kms.NewFromConfig(a.cfg).DisableKey(a.t.Context(), &kms.DisableKeyInput{KeyId: a.key("alias/keyturn-ledger")})
			a.must(err)
		}, []string{"missing key alias/keyturn-ledger: its state is Disabled"}},
		"a trail without KMS": {func(a *account, _ *keysfile.File) {
			a.r.CloudTrail.SetTrails(cloudtrail.Trail{Name: "w", Selectors: []cloudtrail.Selector{{
				ReadWriteType: "All", IncludeManagementEvents: true, ExcludeManagementEventSources: []string{"kms.amazonaws.com"},
			}}})
		}, []string{"warning CloudTrail: no trail logs KMS, so a key that is disabled or opened to others is seen by nobody"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, f := newAccount(t, region.Options{}), file()
			tt.change(a, f)
			if diff := cmp.Diff(tt.want, a.run(f, "prod")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWatch_global says of each Region whether IAM's events come to it, and what of
// replicas is not seen.
func TestWatch_global(t *testing.T) {
	t.Parallel()
	a := newAccount(t, region.Options{})
	const alone = "they come to us-east-1 alone: that somebody changes a role of ours is seen by "
	for _, tt := range []struct {
		region string
		trail  *keysfile.Trail
		want   string
	}{
		{"us-east-1", nil, "ok they come to this Region"},
		{"eu-west-1", nil, "warning " + alone + "nobody"},
		{"eu-west-1", &keysfile.Trail{Bucket: "trails"}, "ok " + alone + "the hourly comparison with the trail's files, not within minutes"},
	} {
		f := file()
		f.Audit.Trail, f.Environments = tt.trail, map[string]keysfile.Environment{"prod": {Replicas: []string{"eu-central-1"}}}
		got, replicas := "", 0
		for _, c := range preflight.New(a.cfg, preflight.Place{Account: wire.Account, Region: tt.region, Environment: "prod"}, f).Run(t.Context()) {
			switch c.Subject {
			case "events of IAM":
				got = string(c.Status) + " " + c.What
			case "replicas in eu-central-1":
				replicas++
			}
		}
		if got != tt.want || replicas != 1 {
			t.Errorf("%s: %q and %d of replicas, want %q", tt.region, got, replicas, tt.want)
		}
	}
}
