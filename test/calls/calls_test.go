package calls_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/test/calls"
)

// A whole cold Overlap rotation makes at most 8 Secrets Manager calls on the
// rotated secret, exactly 2 of them writes, and at most 14 AWS calls in all.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"sendgrid", "gitea"} {
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
				if b.Secret > 8 || b.Secret < 4 || b.Writes != 2 || b.All > 14 {
					t.Errorf("%d calls on the secret, %d writes, %d in all; want at most 8, exactly 2, at most 14", b.Secret, b.Writes, b.All)
				}
			})
		})
	}
}
