package reach_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func hours(n int) keysfile.Duration { return keysfile.Duration(n) * keysfile.Duration(time.Hour) }

func date(month, day int) keysfile.Date {
	return keysfile.Date{Time: time.Date(2027, time.Month(month), day, 0, 0, 0, 0, time.UTC)}
}

// full returns a file in which every field holds something.
func full() *keysfile.File {
	arn := func(name string) string { return "arn:aws:iam::111122223333:role/" + name }
	return &keysfile.File{
		Version: 1, Name: "keyturn", Shards: 32,
		Environments: map[string]keysfile.Environment{"prod": {Account: "111122223333", Region: "eu-west-1", Replicas: []string{"us-east-1"}}},
		Defaults:     keysfile.Defaults{Schedule: "rate(30 days)", Owner: "a@example.com"},
		Policy:       keysfile.Policy{MaxAge: map[int]keysfile.Duration{1: hours(30 * 24)}, MaxGrace: hours(100)},
		VendorAccounts: map[string]keysfile.VendorAccount{
			"fixed": {Provider: "okta", Admin: "keyturn/admin/okta", Hosts: []string{"a.okta.com"}, Network: &keysfile.Network{FixedAddresses: true}},
			"main": {Provider: "sendgrid", Admin: "keyturn/admin/sendgrid", Hosts: []string{"api.sendgrid.com"}, Network: &keysfile.Network{
				VPC: "vpc-1", Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, Endpoints: true, RouteTables: []string{"rtb-1"},
			}},
		},
		Keys: []keysfile.Key{{
			Name: "prod/mailer", VendorAccount: "main", Settings: map[string]any{"scopes": []any{"mail.send"}},
			Schedule: "rate(30 days)", Window: hours(3), Owner: "a@example.com", Tier: 2,
			Readers: []string{arn("mailer")},
			Allow: keysfile.Allow{
				CIDRs: []string{"203.0.113.0/24"}, VPCEndpoints: []string{"vpce-1"}, Organization: "o-1", RequireMFA: true, PermissionSets: []string{"Mail"}, Machines: []string{arn("mailer")},
			},
			Grace:     keysfile.Grace{Min: hours(1), Quiet: hours(6), Max: hours(72), Disabled: hours(24), OnMax: "revoke", NoUsage: "revoke"},
			Value:     keysfile.Value{Field: "apiKey", Fields: map[string]string{"a": "b"}},
			Exception: &keysfile.Exception{Until: date(3, 31), Reason: "they move"},
			Tags:      map[string]string{"team": "mail"},
			At:        keysfile.Position{File: "keyturn.yaml", Line: 12, Column: 5},
		}},
		Freeze: []keysfile.Freeze{{From: date(12, 20), To: date(12, 27), Reason: "sales", Tiers: []int{1}}},
		Notifications: keysfile.Notifications{
			Subscriptions: []keysfile.Subscription{
				{Email: "a@example.com", Vendors: []string{"okta"}, Keys: []string{"k"}, Owners: []string{"o"}, Severities: []string{"critical"}},
				{SQS: "arn:aws:sqs:eu-west-1:111122223333:q"},
				{Lambda: "arn:aws:lambda:eu-west-1:111122223333:function:f"},
				{HTTPS: "https://example.com/hook?token=SECRET-TO-HIDE"},
				{Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}},
			},
			Escalation: &keysfile.Escalation{After: hours(4), Subscriptions: []keysfile.Subscription{{Email: "boss@example.com"}}},
		},
		Access: keysfile.Access{
			Viewers: []string{arn("v")}, Operators: []string{arn("o")}, Responders: []string{arn("r")}, Approvers: []string{arn("p")},
			Auditors: []string{arn("u")}, Admins: []string{arn("a")}, BreakGlass: []string{arn("b")}, Deployers: []string{arn("d")}, RequireMFA: true, PermissionSets: []string{"Ops"},
		},
		Audit: keysfile.Audit{
			Trail: &keysfile.Trail{Bucket: "trails", Prefix: "org", Account: "111122223333", KMSKey: "arn:aws:kms:eu-west-1:111122223333:key/k"}, Retention: hours(400 * 24), Mode: "compliance",
			Checkpoints: &keysfile.Checkpoints{Bucket: "elsewhere"},
		},
		Detect: keysfile.Detect{
			Installed: date(1, 2), Learning: hours(14 * 24), Rules: map[string]bool{"D-15": true}, Thresholds: map[string]int{"D-10": 50},
			Automation: []keysfile.Automation{{Principal: arn("terraform"), UserAgent: "APN"}}, Listers: []string{arn("inventory")}, Accounts: []string{"999999999999"},
			Allow:        keysfile.DetectAllow{CIDRs: []string{"203.0.113.0/24"}, VPCEndpoints: []string{"vpce-1"}, Countries: []string{"NL"}},
			Countries:    &keysfile.Countries{MMDB: "geo.mmdb"},
			Hours:        &keysfile.WorkingHours{From: 7, To: 19, Weekends: true},
			Respond:      &keysfile.Respond{Rules: []string{"D-07", "D-10"}, Cooldown: hours(2), Hourly: 10, Until: date(1, 20)},
			Suppressions: []keysfile.Suppression{{Rule: "D-05", Principal: arn("backup"), Secret: "prod/*", Until: date(3, 31), Reason: "known", Owner: "x"}},
		},
		Functions: keysfile.Functions{PermissionsBoundary: "arn:aws:iam::111122223333:policy/b", RolePath: "/k/", RolePrefix: "k-", LogRetentionDays: 365},
	}
}

func show(changes []reach.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %s: %s", c.Direction, c.Where, c.What))
	}
	return out
}

// TestCompare changes one thing at a time. Backwards, each narrows where it
// widens, unless one cannot tell.
func TestCompare(t *testing.T) {
	t.Parallel()
	key := func(change func(*keysfile.Key)) func(*keysfile.File) {
		return func(f *keysfile.File) { change(&f.Keys[0]) }
	}
	for _, tt := range []struct {
		name         string
		change       func(*keysfile.File)
		there, again string // what it says forwards, and backwards
	}{
		{
			"reader", key(func(k *keysfile.Key) { k.Readers = append(k.Readers, "arn:x") }),
			`widens keys["prod/mailer"].readers: arn:x may read it`,
			`narrows keys["prod/mailer"].readers: arn:x may not read it any more`,
		},
		{
			"wider network", key(func(k *keysfile.Key) { k.Allow.CIDRs = []string{"203.0.112.0/23"} }),
			`widens keys["prod/mailer"].allow.cidrs: it may be read from 203.0.112.0/23, which is wider than 203.0.113.0/24`,
			`narrows keys["prod/mailer"].allow.cidrs: it may no longer be read from all of 203.0.112.0/23`,
		},
		{
			"no network", key(func(k *keysfile.Key) { k.Allow.CIDRs, k.Allow.VPCEndpoints = nil, nil }),
			`widens keys["prod/mailer"].allow: it may be read from anywhere: it was 203.0.113.0/24, vpce-1`,
			`narrows keys["prod/mailer"].allow: it may be read only from 203.0.113.0/24, vpce-1`,
		},
		{
			"one list left", key(func(k *keysfile.Key) { k.Allow.CIDRs = nil }),
			`narrows keys["prod/mailer"].allow.cidrs: it may no longer be read from all of 203.0.113.0/24`,
			`widens keys["prod/mailer"].allow.cidrs: it may be read from 203.0.113.0/24`,
		},
		{
			"organization", key(func(k *keysfile.Key) { k.Allow.Organization = "" }),
			`widens keys["prod/mailer"].allow.organization: organization is no longer demanded: it was o-1`,
			`narrows keys["prod/mailer"].allow.organization: organization is demanded: o-1`,
		},
		{
			"MFA", key(func(k *keysfile.Key) { k.Allow.RequireMFA = false }),
			`widens keys["prod/mailer"].allow.requireMFA: people no longer need MFA to read it`,
			`narrows keys["prod/mailer"].allow.requireMFA: people need MFA to read it`,
		},
		{
			"schedule", key(func(k *keysfile.Key) { k.Schedule = "cron(0 4 1 1,7 ? *)" }),
			`widens keys["prod/mailer"].schedule: longest time between two rotations: 184d instead of 31d`,
			`narrows keys["prod/mailer"].schedule: longest time between two rotations: 31d instead of 184d`,
		},
		{
			"grace", key(func(k *keysfile.Key) { k.Grace.Max = hours(96) }),
			`widens keys["prod/mailer"].grace.max: time is up for a replaced key after: 4d instead of 3d`,
			`narrows keys["prod/mailer"].grace.max: time is up for a replaced key after: 3d instead of 4d`,
		},
		{
			"rule", key(func(k *keysfile.Key) { k.Grace.OnMax = "hold" }),
			`widens keys["prod/mailer"].grace.onMax: a replaced key still in use when time is up is kept, not revoked`,
			`narrows keys["prod/mailer"].grace.onMax: a replaced key still in use when time is up is revoked, not kept`,
		},
		{
			"exception", key(func(k *keysfile.Key) { k.Exception.Until = date(6, 30) }),
			`widens keys["prod/mailer"].exception: excepted from the policy until 2027-06-30 instead of 2027-03-31: they move`,
			`narrows keys["prod/mailer"].exception: excepted from the policy until 2027-03-31 instead of 2027-06-30`,
		},
		{
			"settings", key(func(k *keysfile.Key) { k.Settings["scopes"] = []any{"mail.send", "all"} }),
			`widens keys["prod/mailer"].settings.scopes: ["mail.send","all"] instead of ["mail.send"]`,
			`widens keys["prod/mailer"].settings.scopes: ["mail.send"] instead of ["mail.send","all"]`,
		},
		{
			"key", func(f *keysfile.File) { f.Keys = nil },
			`widens keys["prod/mailer"]: the key is not rotated any more: its secret and its last value stay, and so does the key at the vendor`,
			`widens keys["prod/mailer"]: a new key in main` + "\n" +
				`widens keys["prod/mailer"].readers: arn:aws:iam::111122223333:role/mailer may read it, from 203.0.113.0/24, vpce-1` + "\n" +
				`widens keys["prod/mailer"].exception: excepted from the policy until 2027-03-31: they move`,
		},
		{
			"host", func(f *keysfile.File) {
				a := f.VendorAccounts["main"]
				a.Hosts = append(a.Hosts, "evil.example.com")
				f.VendorAccounts["main"] = a
			}, `widens vendorAccounts["main"].hosts: credentials may be sent to evil.example.com`,
			`narrows vendorAccounts["main"].hosts: credentials are no longer sent to evil.example.com`,
		},
		{
			"vendor account", func(f *keysfile.File) { delete(f.VendorAccounts, "fixed") },
			`narrows vendorAccounts["fixed"]: the account at okta is gone`,
			`widens vendorAccounts["fixed"]: a new account at okta, with the admin credential keyturn/admin/okta and the hosts a.okta.com`,
		},
		{
			"policy", func(f *keysfile.File) { f.Policy.MaxAge[1] = hours(60 * 24) },
			`widens policy.maxAge[1]: the bound of the age of keys of tier 1: 60d instead of 30d`,
			`narrows policy.maxAge[1]: the bound of the age of keys of tier 1: 30d instead of 60d`,
		},
		{
			"no policy", func(f *keysfile.File) { f.Policy.MaxAge = nil },
			`widens policy.maxAge[1]: the age of keys of tier 1 is no longer bounded: it was 30d`,
			`narrows policy.maxAge[1]: the age of keys of tier 1 is bounded: 30d`,
		},
		{
			"operator", func(f *keysfile.File) { f.Access.Operators = append(f.Access.Operators, "arn:x") },
			`widens access.operators: arn:x is a new operator`, `narrows access.operators: arn:x is no operator any more`,
		},
		{
			"nobody told", func(f *keysfile.File) { f.Notifications.Subscriptions = f.Notifications.Subscriptions[1:] },
			`widens notifications.subscriptions: e-mail a@example.com is not told any more: a failure may go unseen`,
			`widens notifications.subscriptions: e-mail a@example.com is told`,
		},
		{
			"webhook", func(f *keysfile.File) { f.Notifications.Subscriptions[3].HTTPS = "" },
			"widens notifications.subscriptions: nobody is told\nwidens notifications.subscriptions: webhook https://example.com/hook is not told any more: a failure may go unseen",
			"widens notifications.subscriptions: nobody is not told any more: a failure may go unseen\nwidens notifications.subscriptions: webhook https://example.com/hook is told",
		},
		{
			"boundary", func(f *keysfile.File) { f.Functions.PermissionsBoundary = "" },
			`widens functions.permissionsBoundary: permissions boundary is no longer demanded: it was arn:aws:iam::111122223333:policy/b`,
			`narrows functions.permissionsBoundary: permissions boundary is demanded: arn:aws:iam::111122223333:policy/b`,
		},
		{"nothing", func(*keysfile.File) {}, "", ""},
		{"only words", key(func(k *keysfile.Key) { k.Owner, k.Tags, k.Exception.Reason = "b@example.com", nil, "other" }), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next := full()
			tt.change(next)
			if diff := cmp.Diff(tt.there, strings.Join(show(reach.Compare(full(), next)), "\n")); diff != "" {
				t.Errorf("forwards (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.again, strings.Join(show(reach.Compare(next, full())), "\n")); diff != "" {
				t.Errorf("backwards (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReaders: without readers identity policies decide, so the first one closes
// as it opens.
func TestReaders(t *testing.T) {
	t.Parallel()
	none := full()
	none.Keys[0].Readers = nil
	got := show(append(reach.Compare(full(), none), reach.Compare(none, full())...))
	want := []string{
		`widens keys["prod/mailer"].readers: whoever an identity policy allows may read it: it was arn:aws:iam::111122223333:role/mailer only`,
		`narrows keys["prod/mailer"].readers: an identity policy alone no longer allows to read it`,
		`widens keys["prod/mailer"].readers: arn:aws:iam::111122223333:role/mailer may read it`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the watch no longer sees, or keeps for a shorter time, is wider.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*keysfile.File)
		want   string
	}{
		{"shorter", func(f *keysfile.File) { f.Audit.Retention = hours(24) }, "widens audit.retention: what is in the ledger is locked for 24h instead of 400d"},
		{"longer", func(f *keysfile.File) { f.Audit.Retention = hours(500 * 24) }, "narrows audit.retention: what is in the ledger is locked for 500d instead of 400d"},
		{"mode", func(f *keysfile.File) { f.Audit.Mode = "governance" }, "widens audit.mode: break-glass can delete what is in the ledger"},
		{"no trail", func(f *keysfile.File) { f.Audit.Trail = nil }, `widens audit.trail: a comparison of the ledger with CloudTrail's files is no longer demanded: it was bucket trails, prefix "org", account 111122223333, key "arn:aws:kms:eu-west-1:111122223333:key/k"`},
		{"no witness", func(f *keysfile.File) { f.Audit.Checkpoints = nil }, "widens audit.checkpoints: a second place for the ledger's checkpoints is no longer demanded: it was elsewhere"},
		{"rule off", func(f *keysfile.File) { f.Detect.Rules = map[string]bool{"D-15": true, "D-01": false} }, `widens detect.rules["D-01"]: off instead of as by default`},
		{"rule on", func(f *keysfile.File) { f.Detect.Rules = map[string]bool{"D-15": true, "D-06": true} }, `narrows detect.rules["D-06"]: on instead of as by default`},
		{"rule as by default", func(f *keysfile.File) { f.Detect.Rules = nil }, `widens detect.rules["D-15"]: as by default instead of on`},
		{"threshold", func(f *keysfile.File) { f.Detect.Thresholds["D-10"] = 500 }, `widens detect.thresholds["D-10"]: 500 instead of 50`},
		{"lower threshold", func(f *keysfile.File) { f.Detect.Thresholds["D-10"] = 5 }, `narrows detect.thresholds["D-10"]: 5 instead of 50`},
		{"another threshold", func(f *keysfile.File) { f.Detect.Thresholds["D-02"] = 9 }, `widens detect.thresholds["D-02"]: 9 instead of its own`},
		{"learn again", func(f *keysfile.File) { f.Detect.Installed = date(6, 1) }, "widens detect.installed: learning begins on 2027-06-01 instead of 2027-01-02"},
		{"anywhere", func(f *keysfile.File) { f.Detect.Allow.CIDRs = nil }, "widens detect.allow.cidrs: callers from anywhere are no longer told of"},
		{"an account", func(f *keysfile.File) { f.Detect.Accounts = append(f.Detect.Accounts, "888888888888") }, "widens detect.accounts: callers of the account 888888888888 are not told of"},
		{"no hours", func(f *keysfile.File) { f.Detect.Hours = nil }, "widens detect.workingHours: being told of people who read outside working hours is no longer demanded: it was 7 to 19 UTC on all days"},
		{"no response", func(f *keysfile.File) { f.Detect.Respond = nil }, "widens detect.respond: findings start no rotations"},
		{"a new rule", func(f *keysfile.File) { f.Detect.Rules["D-26"] = true }, `narrows detect.rules["D-26"]: on instead of as by default`},
		{"kill switch", func(f *keysfile.File) { f.Detect.Respond.Off = true }, "widens detect.respond: findings start no rotations"},
		{"a rule starts none", func(f *keysfile.File) { f.Detect.Respond.Rules = []string{"D-10"} }, "widens detect.respond.rules: what D-07 finds starts no rotation"},
		{"a rule starts one", func(f *keysfile.File) { f.Detect.Respond.Rules = []string{"D-01", "D-07", "D-10"} }, "narrows detect.respond.rules: what D-01 finds starts a rotation"},
		{"cooldown", func(f *keysfile.File) { f.Detect.Respond.Cooldown = hours(3) }, "widens detect.respond.cooldown: no second rotation is started for: 3h instead of 2h"},
		{"hourly", func(f *keysfile.File) { f.Detect.Respond.Hourly = 5 }, "widens detect.respond.hourly: 5 rotations at most are started in an hour instead of 10"},
		{"hourly more", func(f *keysfile.File) { f.Detect.Respond.Hourly = 11 }, "narrows detect.respond.hourly: 11 rotations at most are started in an hour instead of 10"},
		{"told again", func(f *keysfile.File) { f.Detect.Suppressions = nil }, "narrows detect.suppressions: told again: D-05 by arn:aws:iam::111122223333:role/backup on prod/* until 2027-03-31"},
		{"not told", func(f *keysfile.File) {
			f.Detect.Suppressions = append(f.Detect.Suppressions, keysfile.Suppression{Rule: "D-06", Secret: "a", Until: date(4, 1)})
		}, "widens detect.suppressions: not told: D-06 on a until 2027-04-01"},
		{"honey token", func(f *keysfile.File) { f.Keys[0].HoneyToken = true }, `narrows keys["prod/mailer"].honeytoken: whoever reads it is told of`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next := full()
			tt.change(next)
			if diff := cmp.Diff([]string{tt.want}, show(reach.Compare(full(), next))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCompare_respond: a right of a function's own is told, too.
func TestCompare_respond(t *testing.T) {
	t.Parallel()
	base := full()
	base.Detect.Respond = nil
	want := []string{"widens detect.respond: the audit function may start emergency rotations by itself"}
	if diff := cmp.Diff(want, show(reach.Compare(base, full()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHears(t *testing.T) {
	t.Parallel()
	f := full()
	k := f.Keys[0]
	for _, tt := range []struct {
		s    keysfile.Subscription
		want bool
	}{
		{keysfile.Subscription{}, true},
		{keysfile.Subscription{Vendors: []string{"sendgrid"}, Keys: []string{"prod/mailer"}, Owners: []string{"a@example.com"}, Severities: []string{"info"}}, true},
		{keysfile.Subscription{Vendors: []string{"okta"}}, false},
		{keysfile.Subscription{Keys: []string{"prod/b"}}, false},
		{keysfile.Subscription{Owners: []string{"b@example.com"}}, false},
		{keysfile.Subscription{Severities: []string{"critical"}}, false},
	} {
		if got := reach.Hears(f, tt.s, k, "info"); got != tt.want {
			t.Errorf("Hears(%+v) = %v", tt.s, got)
		}
	}
}

func TestPosition(t *testing.T) {
	t.Parallel()
	next := full()
	next.Keys[0].Grace.Max--
	next.Access.Viewers = nil
	got := reach.Compare(full(), next)
	if len(got) != 2 || got[0].At.Line != 0 || got[1].At.Line != 12 || reach.Wider(got) {
		t.Errorf("%+v", got)
	}
}
