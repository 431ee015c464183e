package reach_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func TestCompareGuardrails(t *testing.T) {
	t.Parallel()
	rails := func() *keysfile.Guardrails {
		return &keysfile.Guardrails{
			Vendors: []string{"okta"}, VendorAccounts: []string{"main"}, Hosts: []string{"a.okta.com"},
			MaxAge: map[int]keysfile.Duration{1: hours(240)}, MaxGrace: hours(72), Removals: new(2),
		}
	}
	wide := rails()
	wide.Vendors, wide.Hosts = nil, append(wide.Hosts, "b.okta.com")
	wide.MaxAge[1], wide.MaxGrace, wide.Removals = hours(480), 0, nil
	for _, tt := range []struct {
		name       string
		base, next *keysfile.Guardrails
		want       []string
	}{
		{"none", nil, nil, nil},
		{"the same", rails(), rails(), nil},
		{"gone", rails(), nil, []string{"widens guardrails.yaml: the guardrails are gone"}},
		{"new", nil, rails(), []string{"narrows guardrails.yaml: there are guardrails"}},
		{"wider", rails(), wide, []string{
			"widens guardrails.yaml: vendors: every vendor is admitted",
			"widens guardrails.yaml: hosts: the host b.okta.com is admitted",
			"widens guardrails.yaml: maxAge[1]: the bound of the age of keys of tier 1: 20d instead of 10d",
			"widens guardrails.yaml: maxGrace: the life of replaced keys is no longer bounded: it was 3d",
			"widens guardrails.yaml: removals: one change may remove any number instead of 2",
		}},
		{"narrower", wide, rails(), []string{
			"narrows guardrails.yaml: vendors: not every vendor is admitted",
			"narrows guardrails.yaml: hosts: the host b.okta.com is not admitted",
			"narrows guardrails.yaml: maxAge[1]: the bound of the age of keys of tier 1: 10d instead of 20d",
			"narrows guardrails.yaml: maxGrace: the life of replaced keys is bounded: 3d",
			"narrows guardrails.yaml: removals: one change may remove 2 instead of any number",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, show(reach.CompareGuardrails(tt.base, tt.next))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoved(t *testing.T) {
	t.Parallel()
	next := full()
	next.Keys = nil
	delete(next.VendorAccounts, "fixed")
	if diff := cmp.Diff([]string{"prod/mailer", "fixed"}, reach.Removed(full(), next)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := reach.Removed(next, full()); len(got) > 0 {
		t.Errorf("Removed = %q", got)
	}
}
