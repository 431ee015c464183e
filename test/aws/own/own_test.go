package own

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/region"
)

const run, other = "kt-test-0123abcd", "kt-test-99999999"

func TestNew(t *testing.T) {
	t.Parallel()
	name, err := New(bytes.NewReader([]byte{0x01, 0x23, 0xab, 0xcd}))
	if err != nil || name != run {
		t.Errorf("%q %v, want %q", name, err, run)
	}
	if _, err := New(strings.NewReader("x")); err == nil {
		t.Error("a name without randomness")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	tag := func(v string) map[string]string { return map[string]string{Tag: v} }
	for _, tt := range []struct {
		name string
		tags map[string]string
		want string
	}{
		{run, tag(run), run},
		{run + "-retained", tag(run), run},
		{run + "/admin", tag(run), run},
		{run, nil, ""},
		{run, tag(other), ""},
		{run, tag("keyturn"), ""},
		{run, map[string]string{"keyturn:owner": run}, ""},
		{run + "0", tag(run), ""},
		{run + "0", tag(run + "0"), ""},
		{"my-" + run, tag(run), ""},
		{"keyturn", tag("keyturn"), ""},
		{"kt-test", tag("kt-test"), ""},
		{"kt-test-production", tag("kt-test-production"), ""},
		{"kt-test-", tag("kt-test-"), ""},
		{"", tag(""), ""},
	} {
		if got := Run(tt.name, tt.tags); got != tt.want {
			t.Errorf("%q with %v is of the run %q, want %q", tt.name, tt.tags, got, tt.want)
		}
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		account, region string
		ok              bool
	}{
		{"123456789012", "us-east-1", true}, {"", "us-east-1", false}, {"123456789012", "", false}, {"12345678901", "us-east-1", false}, {"12345678901x", "us-east-1", false},
	} {
		env := map[string]string{AccountVariable: tt.account, RegionVariable: tt.region}
		if _, err := Chosen(func(k string) string { return env[k] }); (err == nil) != tt.ok {
			t.Errorf("%v: %v", tt, err)
		}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	t.Cleanup(func() { _ = r.Close() })
	for _, tt := range []struct {
		place Place
		ok    bool
	}{
		{Place{"123456789012", "us-east-1"}, true},
		{Place{"111122223333", "us-east-1"}, false},
		{Place{"123456789012", "eu-west-1"}, false},
	} {
		arn, err := Guard(t.Context(), r.Cloud.Config(), tt.place)
		if (err == nil) != tt.ok || tt.ok != (arn != "") {
			t.Errorf("%v: %q %v", tt.place, arn, err)
		}
	}
}

// TestSweepSecrets removes the secrets of one run, and no others.
func TestSweepSecrets(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	t.Cleanup(func() { _ = r.Close() })
	client := sm.NewFromConfig(r.Cloud.Config())
	for name, tag := range map[string]string{
		run + "/key": run, run + "-probe-1": run, run + "-untagged": "", run + "-foreign": "keyturn", other + "/key": other, "prod/mailer": run, run + "0/key": run,
	} {
		in := &sm.CreateSecretInput{Name: &name, SecretString: aws.String("v")}
		if tag != "" {
			in.Tags = []types.Tag{{Key: aws.String(Tag), Value: &tag}}
		}
		if _, err := client.CreateSecret(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	s := &Sweeper{Config: r.Cloud.Config(), Only: run, Say: func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }}
	left := func() map[string]bool {
		out, err := client.ListSecrets(t.Context(), &sm.ListSecretsInput{})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, e := range out.SecretList {
			names[*e.Name] = true
		}
		return names
	}
	sweep := func(want map[string]bool) {
		t.Helper()
		if err := s.sweep(t.Context(), kind{"secret", s.secrets, s.removeSecret}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, left()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
	want := map[string]bool{run + "-untagged": true, run + "-foreign": true, other + "/key": true, "prod/mailer": true, run + "0/key": true}
	sweep(want)
	if len(said) != 2 {
		t.Errorf("said %q, want a line for each of two", said)
	}
	s.Only = "" // of all runs
	delete(want, other+"/key")
	sweep(want)
}

// TestSweepGoesOn has one kind whose list fails, and one thing that stays.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	s := &Sweeper{Say: func(string, ...any) {}}
	var removed []string
	k := kind{"stack", func(context.Context) (all []Resource, _ error) {
		for _, part := range []string{"retained", "platform", "vendor-users", "schedules-07", "keys-07", "watch"} {
			all = append(all, Resource{Name: run + "-" + part, Tags: map[string]string{Tag: run}})
		}
		return all, nil
	}, func(_ context.Context, r Resource) error {
		removed = append(removed, strings.TrimPrefix(r.Name, run+"-"))
		if strings.HasSuffix(r.Name, "platform") {
			return errors.New("in use")
		}
		return nil
	}}
	err := s.sweep(t.Context(), k)
	if err == nil || !strings.Contains(err.Error(), run+"-platform: in use") {
		t.Errorf("error %v, want one that names the stack", err)
	}
	if diff := cmp.Diff([]string{"watch", "schedules-07", "keys-07", "vendor-users", "platform", "retained"}, removed); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
