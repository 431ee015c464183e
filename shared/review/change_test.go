package review

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSince_findings wants what is new and what is over, and nothing about who can read where
// that is not known of both.
func TestSince_findings(t *testing.T) {
	t.Parallel()
	before := Make(small())
	in := small()
	in.Secrets[0].Owner, in.Secrets[0].InLedger = "", "k0"
	in.Principals = in.Principals[1:] // the web role is gone, and its reads are of nobody
	after := Make(in)
	after.Since(before)
	want := []string{
		"mail: " + roles + "web was allowed, is no more",
		"mail: drift is new", "mail: no-owner is new", "mail: read-without-right is new",
	}
	if diff := cmp.Diff(want, after.Changes); diff != "" {
		t.Error(diff)
	}
	before.Since(after)
	want = []string{
		"mail: " + roles + "web is new: allowed",
		"mail: drift is over", "mail: no-owner is over", "mail: read-without-right is over",
	}
	if diff := cmp.Diff(want, before.Changes); diff != "" {
		t.Error(diff)
	}
	in.Principals = nil
	blind := Make(in)
	blind.Since(after)
	if len(blind.Changes) > 0 {
		t.Errorf("of an account that could not be read: %q", blind.Changes)
	}
}
