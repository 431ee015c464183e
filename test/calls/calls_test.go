package calls_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/test/calls"
)

// A whole cold rotation makes exactly 2 writes on the rotated secret, and few
// calls: of an Overlap at most 8 on the secret and 14 in all.
func TestRotation(t *testing.T) {
	t.Parallel()
	for vendor, most := range map[string]struct{ secret, all int }{
		"sendgrid": {8, 14}, "gitea": {8, 14}, "launchdarkly": {8, 17}, "auth0": {9, 18}, "okta": {9, 16}, "aws-iam": {8, 14},
	} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, err := calls.Rotation(t.Context(), vendor)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range b.Steps {
					var made []string
					for _, c := range s.Calls {
						made = append(made, c.Service+":"+c.Operation)
					}
					t.Logf("%-12s %s", s.Name, strings.Join(made, ", "))
				}
				t.Logf("%s: %d Secrets Manager calls on the secret, %d of them writes; %d AWS calls in all", vendor, b.Secret, b.Writes, b.All)
				if b.Secret > most.secret || b.Secret < 4 || b.Writes != 2 || b.All > most.all {
					t.Errorf("%d calls on the secret, %d writes, %d in all; want at most %d, exactly 2, at most %d", b.Secret, b.Writes, b.All, most.secret, most.all)
				}
			})
		})
	}
}
