//go:build !race

package cdk

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
)

var (
	update = flag.Bool("update", false, "write the golden templates")
	many   = flag.Int("keys", 40, "keys of TestMany")
)

// TestMain runs the tests of one process of the CDK, which takes no two at a
// time. With -short its validator is off.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		// The CDK's runtime took its copy of the environment when it was loaded:
		// the next client takes this one.
		if err := os.Setenv("CDK_VALIDATION", "false"); err != nil {
			panic(err)
		}
		jsii.Close()
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// newApp returns an app with the context of cdk.json, as "cdk synth" has it.
func newApp(dir string, with map[string]any) (awscdk.App, error) {
	raw, err := os.ReadFile("../../cdk.json")
	if err != nil {
		return nil, err
	}
	var f struct{ Context map[string]any }
	if err = json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	maps.Copy(f.Context, with)
	return awscdk.NewApp(&awscdk.AppProps{Outdir: &dir, PostCliContext: &f.Context, AnalyticsReporting: jsii.Bool(false)}), nil
}

// stub is code whose hash never changes.
type stub struct{}

func (stub) Asset(string) (string, error) { return "testdata/function", nil }

// fileOf returns a configuration of n keys.
func fileOf(n int) *keysfile.File {
	f := &keysfile.File{
		Version: 1, Name: "keyturn", Shards: 32, Defaults: keysfile.Defaults{Owner: "platform@example.com"},
		VendorAccounts: map[string]keysfile.VendorAccount{
			"sendgrid-main": {Provider: "sendgrid", Admin: "keyturn/admin/sendgrid", Hosts: []string{"api.sendgrid.com"}},
			"openai-main":   {Provider: "openai", Admin: "keyturn/admin/openai", Hosts: []string{"api.openai.com"}},
		},
	}
	for i := range n {
		f.Keys = append(f.Keys, keysfile.Key{
			Name: fmt.Sprintf("prod/service-%04d/sendgrid", i), VendorAccount: "sendgrid-main", Owner: "mailer@example.com", Tier: 2,
			Window: keysfile.Duration(3 * time.Hour), Grace: keysfile.Grace{OnMax: "hold", NoUsage: "hold"}, Settings: map[string]any{"scopes": []any{"mail.send"}}, Schedule: fmt.Sprintf("cron(0 %d ? * MON *)", i%24),
			Readers: []string{fmt.Sprintf("arn:aws:iam::111122223333:role/service-%04d", i)},
		})
	}
	return f
}

var home = keysfile.Environment{Account: "111122223333", Region: "eu-west-1"}

// TestMany is for measuring: go test ./infra/cdk -run TestMany -keys 1000 -v.
func TestMany(t *testing.T) {
	a, err := synth(StacksProps{File: fileOf(*many), Environment: home, Code: stub{}}, false)
	if err != nil {
		t.Fatal(err)
	}
	resources := 0
	for name, r := range a.resources {
		if refs := bytes.Count(a.templates[name], []byte("{{resolve:")); refs > 60 {
			t.Errorf("%s has %d dynamic references: CloudFormation takes 60", name, refs)
		}
		if resources += len(r); len(r) > 500 {
			t.Errorf("a stack of %d resources: CloudFormation takes 500", len(r))
		}
	}
	if got := len(a.of("AWS::SecretsManager::RotationSchedule")); got != *many {
		t.Errorf("%d schedules of %d keys", got, *many)
	}
	t.Logf("%d keys: %d stacks, %d resources", *many, len(a.resources), resources)
}

func TestStacks_tooManyKeys(t *testing.T) {
	f := fileOf(251)
	f.Shards = 1
	_, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
	if err == nil || !strings.Contains(err.Error(), "251 keys in one of 1 stacks, which takes 250") {
		t.Errorf("%v", err)
	}
}
