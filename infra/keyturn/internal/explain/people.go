package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// readers says who may read the value, from where and how. It follows
// infra/access, which makes the policy.
func readers(k keysfile.Key) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if k.HoneyToken {
		add("It is a honey token: nobody reads it in peace. Whoever asks for it, in vain or not, is told of at once, with what that one read in the day around it.")
		add("Its functions may, and who deploys or operates Keyturn may look at it, but not read it.")
	}
	if len(k.Readers) == 0 {
		add("No readers are named: whoever an identity policy of the account allows may read it.")
	} else {
		add("Only these, whatever identity policies say, and the functions of %s:", k.VendorAccount)
		for _, r := range sorted(k.Readers) {
			add("  %s", r)
		}
	}
	a := k.Allow
	if len(a.CIDRs)+len(a.VPCEndpoints) > 0 || a.Organization != "" || a.RequireMFA {
		add("Keyturn's own functions are excepted from this:")
	}
	switch c, e := strings.Join(a.CIDRs, ", "), strings.Join(a.VPCEndpoints, ", "); {
	case c != "" && e != "":
		add("Only from %s, or through the VPC endpoints %s.", c, e)
	case c != "":
		add("Only from %s. A request through a VPC endpoint has no public address, and is refused.", c)
	case e != "":
		add("Only through the VPC endpoints %s.", e)
	default:
		add("From any network.")
	}
	if a.Organization != "" {
		add("Only members of the organization %s.", a.Organization)
	}
	if !a.RequireMFA {
		return lines
	}
	add("Only with MFA: a session of an IAM user or role that was begun with it.")
	if len(a.Machines) > 0 {
		add("Machines need none: %s.", strings.Join(sorted(a.Machines), ", "))
	} else {
		add("No role of a machine may read it, for machines have no MFA: none is named in allow.machines.")
	}
	if len(a.PermissionSets) > 0 {
		add("Of Identity Center, %s is trusted to ask for MFA: AWS does not show it (MFA not observable).", strings.Join(sorted(a.PermissionSets), ", "))
	}
	return lines
}

// told says who hears of the key.
func (s Source) told(k keysfile.Key) []string {
	lines := []string{k.Owner + " is named as its owner in every notification."}
	severities := []string{"info", "warning", "critical"}
	anybody := false
	for _, sub := range s.File.Notifications.Subscriptions {
		var hears []string
		for _, severity := range severities {
			if reach.Hears(s.File, sub, k, severity) {
				hears = append(hears, severity)
			}
		}
		switch {
		case len(hears) == 0:
			continue
		case len(hears) == len(severities):
			lines = append(lines, reach.Endpoint(sub)+": everything.")
		default:
			lines = append(lines, reach.Endpoint(sub)+": "+strings.Join(hears, " and ")+".")
		}
		anybody = true
	}
	if !anybody {
		lines = append(lines, "No subscription hears of this key: add one to notifications.subscriptions.")
	}
	if e := s.File.Notifications.Escalation; e != nil {
		var whom []string
		for _, sub := range e.Subscriptions {
			whom = append(whom, reach.Endpoint(sub))
		}
		lines = append(lines, fmt.Sprintf("What nobody acknowledges for %s goes to %s.", reach.Span(time.Duration(e.After)), strings.Join(whom, ", ")))
	}
	return lines
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
