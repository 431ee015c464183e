package gather

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/review"
)

func (a *account) review(tb testing.TB, change func(*Gatherer)) (review.Input, review.Review) {
	tb.Helper()
	g := a.gatherer()
	if change != nil {
		change(g)
	}
	in, err := g.Gather(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return in, review.Make(in)
}

// can is who can read a key, and how.
func can(tb testing.TB, r review.Review, name string) map[string]review.Can {
	tb.Helper()
	for _, k := range r.Keys {
		if k.Name == name {
			out := map[string]review.Can{}
			for _, one := range k.Readers {
				out[strings.TrimPrefix(one.ARN, role(""))] = one.Can
			}
			return out
		}
	}
	tb.Fatalf("%s is not reviewed", name)
	return nil
}

func has(in review.Input, part string) bool {
	return slices.ContainsFunc(in.Missing, func(m string) bool { return strings.Contains(m, part) })
}

var everybody = map[string]review.Can{"web": review.Yes, "old": review.Yes, "keyturn-rotate-main": review.Yes}

func unknown(who map[string]review.Can) map[string]review.Can {
	out := map[string]review.Can{}
	for name := range who {
		out[name] = review.Unknown
	}
	return out
}

// What is refused is unknown, and said; nobody disappears for it.
func TestGather_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, denied, missing string
		mailer, admin         map[string]review.Can
	}{
		{"nothing", "", "", everybody, everybody},
		{"the users and roles", "GetAccountAuthorizationDetails", "who of the account can read is not known", map[string]review.Can{}, map[string]review.Can{}},
		{"their second page", "GetAccountAuthorizationDetails 2", "who of the account can read is not known", map[string]review.Can{}, map[string]review.Can{}},
		{"the policies", "GetResourcePolicy", "GetResourcePolicy: AccessDeniedException", unknown(everybody), unknown(everybody)},
		{"one policy", "GetResourcePolicy prod/mailer", "The policy of prod/mailer could not be read", unknown(everybody), everybody},
		{"the KMS key", "DescribeKey", "kms:DescribeKey", unknown(everybody), everybody},
		{"its policy", "GetKeyPolicy", "kms:GetKeyPolicy", unknown(everybody), everybody},
		{"the organization", "DescribeOrganization", "at most those who are listed", everybody, everybody},
		{"the records", "Load", "records of 3 of 3 keys could not be read", everybody, everybody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount()
			a.denied[tt.denied] = true
			in, made := a.review(t, nil)
			if diff := cmp.Diff(tt.mailer, can(t, made, "prod/mailer")); diff != "" {
				t.Errorf("prod/mailer: %s", diff)
			}
			if diff := cmp.Diff(tt.admin, can(t, made, "admin/main")); diff != "" {
				t.Errorf("admin/main: %s", diff)
			}
			if tt.missing != "" && !has(in, tt.missing) || tt.missing == "" && len(in.Missing) > 0 {
				t.Errorf("said: %q", in.Missing)
			}
			if text := asJSON(t, in); strings.Contains(text, "not authorized") {
				t.Error("AWS's own text is in it")
			}
		})
	}
}

func TestGather_refusedSecrets(t *testing.T) {
	t.Parallel()
	a := newAccount()
	a.denied["ListSecrets"] = true
	in, made := a.review(t, nil)
	if !has(in, "there may be other secrets") || len(made.Keys) != 0 {
		t.Errorf("%d keys; said: %q", len(made.Keys), in.Missing)
	}
	a = newAccount()
	a.denied["DescribeSecret prod/mailer"] = true
	in, made = a.review(t, nil)
	if !has(in, "prod/mailer could not be looked at") && !has(in, "AbCdEf could not be looked at") || len(made.Keys) != 2 {
		t.Errorf("%d keys; said: %q", len(made.Keys), in.Missing)
	}
}

// A refusal is an answer; what is none may be one the next time.
func TestGather_unanswered(t *testing.T) {
	t.Parallel()
	a := newAccount()
	a.denied["GetAccountAuthorizationDetails"], a.denied["DescribeOrganization"], a.denied["Load"] = true, true, true
	if in, _ := a.review(t, nil); in.Unanswered {
		t.Errorf("said: %q", in.Missing)
	}
	a = newAccount()
	a.code, a.denied["GetResourcePolicy prod/shop"] = "ThrottlingException", true
	in, made := a.review(t, nil)
	if !in.Unanswered || !has(in, "GetResourcePolicy: ThrottlingException") {
		t.Errorf("said: %q", in.Missing)
	}
	if diff := cmp.Diff(unknown(everybody), can(t, made, "prod/shop")); diff != "" {
		t.Error(diff)
	}
}

// Service control policies restrict; where there are none, or they do not apply,
// nothing is restricted.
func TestGather_control(t *testing.T) {
	t.Parallel()
	all, no := document("Allow", "*"), document("Deny", "secretsmanager:GetSecretValue")
	parents := map[string]string{number: "ou-1", "ou-1": "r-1"}
	for _, tt := range []struct {
		name, main, denied string
		scps               map[string][]string
		known              bool
		want               map[string]review.Can
	}{
		{"no organization", "", "", nil, true, everybody},
		{"the management account", number, "", map[string][]string{number: {all, no}}, true, everybody},
		{"a member", "999988887777", "", map[string][]string{number: {all}, "ou-1": {all}, "r-1": {all}}, true, everybody},
		{"refused by the unit", "999988887777", "", map[string][]string{number: {all}, "ou-1": {all, no}, "r-1": {all}}, true, map[string]review.Can{}},
		{"not in use", "999988887777", "", nil, true, everybody},
		{"not told", "999988887777", "ListPoliciesForTarget", map[string][]string{number: {no}}, false, everybody},
		{"not told of the unit", "999988887777", "ListPoliciesForTarget ou-1", map[string][]string{number: {all, no}}, false, everybody},
		{"no content", "999988887777", "DescribePolicy", map[string][]string{number: {all, no}}, false, everybody},
		{"no parents", "999988887777", "ListParents", map[string][]string{number: {all, no}}, false, everybody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount()
			a.main, a.scps, a.parents = tt.main, tt.scps, parents
			a.denied[tt.denied] = true
			in, made := a.review(t, nil)
			if in.ControlKnown != tt.known || has(in, "at most those") == tt.known {
				t.Errorf("known: %v; said: %q", in.ControlKnown, in.Missing)
			}
			if diff := cmp.Diff(tt.want, can(t, made, "admin/main")); diff != "" {
				t.Error(diff)
			}
		})
	}
	a := newAccount()
	a.main, a.parents = "999988887777", map[string]string{number: "ou-1", "ou-1": "ou-1"}
	a.scps = map[string][]string{"ou-1": {all}}
	if in, _ := a.review(t, nil); in.ControlKnown {
		t.Error("a circle of parents is believed")
	}
}

// The configuration and the records say what Secrets Manager does not.
func TestGather_declared(t *testing.T) {
	t.Parallel()
	a := newAccount()
	keys := []config.Key{
		{Secret: "prod/mailer", Vendor: "sendgrid", Admin: "admin/main", Owner: "mail@example.com", Tier: 1},
		{Secret: "prod/shop", Vendor: "sendgrid", Admin: "admin/main", Owner: "shop@example.com", Freeze: []config.Freeze{
			{From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "black friday"},
		}},
		{Secret: "prod/gone", Vendor: "sendgrid", Admin: "admin/main"},
	}
	a.books["prod/mailer"] = keyrecord.Book{
		Keys: []keyrecord.Record{
			{KeyID: "k1", Version: "v1", State: keyrecord.Current, Vendor: "sendgrid", LastSeen: now.Add(-time.Hour)},
			{KeyID: "k0", Version: "v0", State: keyrecord.Held, LastSeen: now.Add(-time.Hour)},
			{KeyID: "kx", State: keyrecord.Lost, LastSeen: now.Add(-time.Hour)},
			{KeyID: "kd", State: keyrecord.Dead, LastSeen: now.Add(-time.Hour)},
		},
		Failure: &keyrecord.Failure{Version: "v2", ErrorType: "VendorFull", At: now.Add(-time.Hour)},
		Pause:   &keyrecord.Pause{Until: now.Add(-time.Hour), Reason: "release", Owner: "ops"},
	}
	a.books["prod/shop"] = keyrecord.Book{Keys: []keyrecord.Record{{KeyID: "s0", Version: "v0", State: keyrecord.Grace}}}
	site := &detect.Site{
		Roles:        []string{role("keyturn-rotate-main")},
		Secrets:      []detect.Secret{{Name: "admin/main", Tier: 1, Admin: true}},
		Suppressions: []detect.Suppression{{Rule: "D-06", Principal: role("web"), Until: now.Add(time.Hour), Reason: "known"}},
		Respond:      &detect.Respond{Off: true, Until: now.Add(time.Hour)},
	}
	in, made := a.review(t, func(g *Gatherer) {
		g.Keys, g.Site, g.Limit = keys, site, func(string) string { return "100 keys an account" }
	})
	if !has(in, "prod/gone is not in Secrets Manager") || a.calls["ListSecrets"] != 0 {
		t.Errorf("said: %q, %d lists", in.Missing, a.calls["ListSecrets"])
	}
	found := map[string][]string{}
	for _, k := range made.Keys {
		for _, f := range k.Findings {
			found[k.Name] = append(found[k.Name], f.Kind)
		}
		if k.Name == "prod/mailer" && (k.AtVendor != 3 || k.Limit != "100 keys an account" || k.Owner != "mail@example.com" || k.Tier != 1) {
			t.Errorf("%+v", k)
		}
	}
	want := map[string][]string{
		"prod/mailer": {review.Failing, review.Headroom, review.Drift, review.HeldKey},
		"prod/shop":   {review.Drift},
		"admin/main":  {review.ByHand, review.NoOwner},
	}
	for name, kinds := range want {
		for _, kind := range kinds {
			if !slices.Contains(found[name], kind) {
				t.Errorf("%s: %q, want %s", name, found[name], kind)
			}
		}
	}
	var notices []string
	for _, n := range made.Notices {
		text := n.Kind + ": " + n.Text
		if n.Expired {
			text = "EXPIRED " + text
		}
		notices = append(notices, text)
	}
	if diff := cmp.Diff([]string{
		"EXPIRED pause: prod/mailer is not rotated: release (ops)",
		"freeze: prod/shop is not rotated: black friday",
		"kill switch: no finding starts an emergency rotation",
		"suppression: D-06 is not told of " + role("web") + ": known",
	}, notices); diff != "" {
		t.Error(diff)
	}
}

// Many keys are asked about at once, and no more than are allowed.
func TestGather_bounded(t *testing.T) {
	t.Parallel()
	a := newAccount()
	one := a.secrets["prod/shop"]
	for i := range 300 {
		name := "bulk/" + strings.Repeat("x", i+1)
		s := *one
		s.Name, s.ARN = &name, new(secretARN(name))
		a.secrets[name] = &s
	}
	in, _ := a.review(t, func(g *Gatherer) { g.Parallel = 4 })
	if len(in.Secrets) != 303 || a.most > 4 {
		t.Errorf("%d secrets, %d calls at once", len(in.Secrets), a.most)
	}
	if a.calls["DescribeKey"] != 1 {
		t.Errorf("the same KMS key was asked for %d times", a.calls["DescribeKey"])
	}
}

func TestGather_stopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newAccount().gatherer().Gather(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
