package main

import (
	"testing"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/rotatenow"
)

// TestAlias holds what the command invokes to what people have a right to:
// operators to every mode but an emergency, responders to that too, viewers to
// none.
func TestAlias(t *testing.T) {
	t.Parallel()
	const account, region = "111122223333", "eu-west-1"
	site, err := access.New(&keysfile.File{Name: "keyturn"}, access.Environment{Account: account, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"viewer", "operator", "responder"} {
		policy, err := site.Person(role)
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []rotatenow.Mode{rotatenow.Rotate, rotatenow.Plan, rotatenow.Pause, rotatenow.Resume, rotatenow.Ack, rotatenow.Emergency} {
			d, err := iam.Evaluate(iam.Request{
				Principal: iam.NewSession("arn:aws:iam::"+account+":role/somebody", "s"), Action: "lambda:InvokeFunction",
				Resource: "arn:aws:lambda:" + region + ":" + account + ":function:" + site.RotateNowName() + ":" + mode.Alias(),
				Absent:   []string{"aws:MultiFactorAuthPresent"},
			}, iam.Policies{Identity: []iam.Policy{{Name: role, Document: policy}}})
			if err != nil {
				t.Fatal(err)
			}
			want := role == "responder" || role == "operator" && mode != rotatenow.Emergency
			if got := d.Effect == iam.Allowed; got != want {
				t.Errorf("%s may ask for %s: %v", role, mode, got)
			}
		}
	}
}
