package reach

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func (d *diff) environments(base, next map[string]keysfile.Environment) {
	for _, name := range names(base, next) {
		where := entry("environments", name)
		b, had := base[name]
		n, has := next[name]
		switch {
		case !had:
			d.add(Widens, where, "a new environment: account %s, %s", n.Account, n.Region)
			continue
		case !has:
			d.add(Narrows, where, "the environment is gone: account %s, %s", b.Account, b.Region)
			continue
		case b.Account != n.Account || b.Region != n.Region:
			d.add(Widens, where, "another place: account %s, %s instead of %s, %s", n.Account, n.Region, b.Account, b.Region)
		}
		d.list(where+".replicas", b.Replicas, n.Replicas, "values are copied to %s too", "values are no longer copied to %s")
	}
}

func (d *diff) policy(base, next keysfile.Policy) {
	tiers := map[int]bool{}
	for t := range base.MaxAge {
		tiers[t] = true
	}
	for t := range next.MaxAge {
		tiers[t] = true
	}
	for t := range 5 {
		if tiers[t] {
			d.bound(fmt.Sprintf("policy.maxAge[%d]", t), fmt.Sprintf("the age of keys of tier %d", t), time.Duration(base.MaxAge[t]), time.Duration(next.MaxAge[t]))
		}
	}
	d.bound("policy.maxGrace", "the life of replaced keys", time.Duration(base.MaxGrace), time.Duration(next.MaxGrace))
}

func (d *diff) people(base, next keysfile.Access) {
	for _, role := range []struct {
		name, singular string
		base, next     []string
	}{
		{"viewers", "viewer", base.Viewers, next.Viewers},
		{"operators", "operator", base.Operators, next.Operators},
		{"responders", "responder", base.Responders, next.Responders},
		{"approvers", "approver", base.Approvers, next.Approvers},
		{"auditors", "auditor", base.Auditors, next.Auditors},
		{"admins", "admin", base.Admins, next.Admins},
		{"breakGlass", "break-glass principal", base.BreakGlass, next.BreakGlass},
		{"deployers", "deployer", base.Deployers, next.Deployers},
	} {
		d.list("access."+role.name, role.base, role.next, "%s is a new "+role.singular, "%s is no "+role.singular+" any more")
	}
	d.list("access.permissionSets", base.PermissionSets, next.PermissionSets, "the permission set %s is trusted to ask for MFA", "the permission set %s is no longer trusted to ask for MFA")
	d.requires("access.requireMFA", base.RequireMFA, next.RequireMFA, "operators, responders and admins need MFA", "operators, responders and admins no longer need MFA")
}

func (d *diff) functions(base, next keysfile.Functions) {
	d.condition("functions.permissionsBoundary", base.PermissionsBoundary, next.PermissionsBoundary, "permissions boundary")
	switch b, n := base.LogRetentionDays, next.LogRetentionDays; {
	case n < b:
		d.add(Widens, "functions.logRetentionDays", "logs are kept for %d days instead of %d", n, b)
	case n > b:
		d.add(Narrows, "functions.logRetentionDays", "logs are kept for %d days instead of %d", n, b)
	}
}

// freezes compares the times in which keys grow older.
func (d *diff) freezes(base, next []keysfile.Freeze) {
	all := func(fs []keysfile.Freeze) []string {
		var out []string
		for _, f := range fs {
			tiers := "all keys"
			if len(f.Tiers) > 0 {
				tiers = "tiers " + strings.Trim(fmt.Sprint(slices.Sorted(slices.Values(f.Tiers))), "[]")
			}
			out = append(out, fmt.Sprintf("%s to %s, %s", f.From.Format(time.DateOnly), f.To.Format(time.DateOnly), tiers))
		}
		return out
	}
	d.list("freeze", all(base), all(next), "no scheduled rotation starts from %s", "rotations go on from %s")
}

// notifications: whoever is told more learns more, and what fewer people are
// told may go unseen, so that both widen.
func (d *diff) notifications(base, next keysfile.Notifications) {
	d.subscriptions("notifications.subscriptions", base.Subscriptions, next.Subscriptions)
	switch b, n := base.Escalation, next.Escalation; {
	case b == nil && n == nil:
	case n == nil:
		d.add(Widens, "notifications.escalation", "what nobody acknowledges is told to nobody else any more")
	case b == nil:
		d.add(Narrows, "notifications.escalation", "what nobody acknowledges in %s is told to others", Span(time.Duration(n.After)))
		d.subscriptions("notifications.escalation.subscriptions", nil, n.Subscriptions)
	default:
		d.longer("notifications.escalation.after", "time until others are told", time.Duration(b.After), time.Duration(n.After))
		d.subscriptions("notifications.escalation.subscriptions", b.Subscriptions, n.Subscriptions)
	}
}

// told is an endpoint: what tells it from others, how it is shown, and its filters.
type told struct {
	shown   string
	filters []string
}

func (d *diff) subscriptions(where string, base, next []keysfile.Subscription) {
	b, n := endpoints(base), endpoints(next)
	for _, id := range names(b, n) {
		was, had := b[id]
		is, has := n[id]
		switch {
		case !had:
			d.add(Widens, where, "%s is told", is.shown)
		case !has:
			d.add(Widens, where, "%s is not told any more: a failure may go unseen", was.shown)
		case !slices.Equal(unique(was.filters), unique(is.filters)):
			d.add(Widens, where, "%s is told other news than before: its filters differ", is.shown)
		}
	}
}

func endpoints(ss []keysfile.Subscription) map[string]told {
	out := map[string]told{}
	for _, s := range ss {
		var slack keysfile.Slack
		if s.Slack != nil {
			slack = *s.Slack
		}
		id := fmt.Sprintf("%q %q %q %q %q", s.Email, s.SQS, s.Lambda, s.HTTPS, slack)
		filter := fmt.Sprintf("%q %q %q %q", unique(s.Vendors), unique(s.Keys), unique(s.Owners), unique(s.Severities))
		out[id] = told{Endpoint(s), append(out[id].filters, filter)}
	}
	return out
}

// Endpoint returns whom a subscription tells, in words.
func Endpoint(s keysfile.Subscription) string {
	switch {
	case s.Email != "":
		return "e-mail " + s.Email
	case s.SQS != "":
		return "queue " + s.SQS
	case s.Lambda != "":
		return "function " + s.Lambda
	case s.HTTPS != "":
		// Such URLs often carry a token.
		before, _, _ := strings.Cut(s.HTTPS, "?")
		return "webhook " + before
	case s.Slack != nil:
		return "Slack channel " + s.Slack.Channel + " of " + s.Slack.Workspace
	}
	return "nobody"
}

// Hears reports whether a subscription is told news of this severity about a
// key.
func Hears(f *keysfile.File, s keysfile.Subscription, k keysfile.Key, severity string) bool {
	fits := func(only []string, value string) bool { return len(only) == 0 || slices.Contains(only, value) }
	return fits(s.Vendors, f.VendorAccounts[k.VendorAccount].Provider) && fits(s.Keys, k.Name) &&
		fits(s.Owners, k.Owner) && fits(s.Severities, severity)
}
