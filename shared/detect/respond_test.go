package detect

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// TestNothingOnDenials: an outsider who is refused starts no rotation, whatever he tries.
func TestNothingOnDenials(t *testing.T) {
	t.Parallel()
	site := everywhere()
	succeeded := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		events := history(r)
		for _, f := range replay(t, New(site, allOn(site), &Memory{}), arriving(r, events)) {
			succeeded += len(f.Rotate)
		}
		for i := range events {
			events[i].ErrorCode = pick(r, "AccessDenied", "AccessDeniedException", "ResourceNotFoundException", "VpceAccessDenied", "ThrottlingException", "DecryptionFailure")
		}
		for _, f := range replay(t, New(site, allOn(site), &Memory{}), arriving(r, events)) {
			if len(f.Rotate) > 0 {
				t.Errorf("seed %d: %s asks for a rotation of %v: %s", seed, f.Rule, f.Rotate, f.Why)
			}
		}
	}
	if succeeded < 50 {
		t.Errorf("only %d rotations were asked for where calls succeeded: the histories show nothing", succeeded)
	}
}

// TestNothingOnClaims: what a caller only names was not read by it, nor is it rotated: in
// a batch whose answers are errors, or as the context of a text of its own that KMS
// decrypts for it.
func TestNothingOnClaims(t *testing.T) {
	t.Parallel()
	site := everywhere()
	decrypted := func(invoker string) trail.Event {
		return ev(9, mailer, "Decrypt", "", func(e *trail.Event) {
			e.Source, e.Identity.InvokedBy = trail.KMS, invoker
			set("encryptionContext", map[string]string{"SecretARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/pay-AbCdEf"})(e)
		})
	}
	honey := ev(0, mailer, "GetSecretValue", "prod/decoy")
	for name, tt := range map[string]struct {
		claim trail.Event
		want  bool
	}{
		"a batch":                       {ev(9, mailer, "BatchGetSecretValue", "", set("secretIdList", []string{"prod/pay", "prod/mail"})), false},
		"KMS, by the caller":            {decrypted(""), false},
		"KMS, by another service":       {decrypted("s3.amazonaws.com"), false},
		"KMS, by Secrets Manager":       {decrypted(trail.SecretsManager), true},
		"the record of each of a batch": {ev(9, mailer, "GetSecretValue", "prod/pay"), true},
	} {
		rotates := false
		for _, f := range replay(t, New(site, allOn(site), &Memory{}), [][]trail.Event{{honey, tt.claim}}) {
			rotates = rotates || len(f.Rotate) > 0
		}
		if rotates != tt.want {
			t.Errorf("%s: a rotation %t, want %t", name, rotates, tt.want)
		}
	}
}

// TestNothingOnBatches: a batch that names every key of tier 1 is many reads, and has none
// of them rotated.
func TestNothingOnBatches(t *testing.T) {
	t.Parallel()
	site := &Site{Account: "123456789012"}
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprint("key-", i))
		site.Secrets = append(site.Secrets, Secret{Name: names[i], Tier: 1})
	}
	site = site.Prepare(nil)
	found := replay(t, New(site, []Rule{bulkRead(20)}, &Memory{}), [][]trail.Event{{ev(0, mailer, "BatchGetSecretValue", "", set("secretIdList", names))}})
	if len(found) != 1 || len(found[0].Rotate) > 0 {
		t.Errorf("a batch: %+v", found)
	}
	var each []trail.Event
	for i, name := range names {
		each = append(each, ev(i, mailer, "GetSecretValue", name))
	}
	if found = replay(t, New(site, []Rule{bulkRead(20)}, &Memory{}), [][]trail.Event{each}); !slices.ContainsFunc(found, func(f Finding) bool { return len(f.Rotate) > 0 }) {
		t.Errorf("each: %+v", found)
	}
}

// TestRotate: only values that somebody got are rotated, and only those of rules that
// are for it.
func TestRotate(t *testing.T) {
	t.Parallel()
	site := everywhere()
	seen := map[string]bool{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		events := history(r)
		got := map[string]bool{}
		for _, e := range events {
			c := newCall(site, &e)
			for _, one := range c.About {
				if c.Gets() {
					got[one.Name] = true
				}
			}
		}
		responds := map[string]bool{}
		for _, one := range allOn(site) {
			responds[one.ID] = one.Responds
		}
		for _, f := range replay(t, New(site, allOn(site), &Memory{}), arriving(r, events)) {
			for _, name := range f.Rotate {
				one := site.secrets[name]
				if !responds[f.Rule] || !got[name] || one == nil || one.HoneyToken || f.Rule != "D-01" && f.Rule != "D-26" && one.Tier != 1 {
					t.Errorf("seed %d: %s asks for a rotation of %s: %s", seed, f.Rule, name, f.Why)
				}
				seen[f.Rule] = true
			}
		}
	}
	for _, id := range []string{"D-01", "D-07", "D-24"} {
		if !seen[id] {
			t.Errorf("%s asked for no rotation", id)
		}
	}
}

// everywhere is a site whose networks are one, so that D-07 has something to find.
func everywhere() *Site {
	s := ours()
	s.Allow = Allow{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for i := range s.Secrets {
		s.Secrets[i].Allow = Allow{}
	}
	return s.Prepare(nil)
}

func allOn(s *Site) []Rule {
	rules := All(s)
	for i := range rules {
		rules[i].Default = true
	}
	return rules
}

func TestBulkLoot(t *testing.T) {
	t.Parallel()
	site := &Site{}
	for i := range 30 {
		site.Secrets = append(site.Secrets, Secret{Name: fmt.Sprint("s", i), Tier: 1 + i%3})
	}
	site = site.Prepare(nil)
	for _, version := range []string{"", "v1"} {
		read := func(i int) trail.Event {
			if version != "" {
				return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i), set("versionId", version))
			}
			return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i))
		}
		if f := found(t, site, bulkRead(20), many(19, read)...); len(f) > 0 {
			t.Errorf("19 reads: %v", shown(f))
		}
		var rotate []string
		for _, f := range found(t, site, bulkRead(20), many(20, read)...) {
			rotate = append(rotate, f.Rotate...)
		}
		slices.Sort(rotate)
		if want := []string{"s0", "s12", "s15", "s18", "s3", "s6", "s9"}; !slices.Equal(rotate, want) {
			t.Errorf("version %q: rotates %v, want those of tier 1: %v", version, rotate, want)
		}
	}
}

func TestSuppressed(t *testing.T) {
	t.Parallel()
	now := start
	until := now.Add(time.Hour)
	f := Finding{Rule: "D-05", Severity: High, Principal: alice, Secrets: []string{"prod/mail", "prod/pay"}}
	critical := f
	critical.Severity = Critical
	nameless := f
	nameless.Secrets = nil
	for _, tt := range []struct {
		name string
		s    Suppression
		f    Finding
		want bool
	}{
		{"by principal", Suppression{Rule: "D-05", Principal: alice, Until: until}, f, true},
		{"by pattern", Suppression{Rule: "D-05", Principal: "arn:aws:iam::123456789012:user/*", Secret: "prod/*", Until: until}, f, true},
		{"until now", Suppression{Rule: "D-05", Principal: alice, Until: now}, f, false},
		{"of all", Suppression{Rule: "D-05", Until: until}, f, false},
		{"of any secret", Suppression{Rule: "D-05", Secret: "*", Until: until}, f, false},
		{"of anybody, with any secret", Suppression{Rule: "D-05", Principal: "*", Secret: "**", Until: until}, f, false},
		{"another rule", Suppression{Rule: "D-06", Principal: alice, Until: until}, f, false},
		{"another principal", Suppression{Rule: "D-05", Principal: mailer, Until: until}, f, false},
		{"one of two secrets", Suppression{Rule: "D-05", Secret: "prod/mail", Until: until}, f, false},
		{"of no secret", Suppression{Rule: "D-05", Secret: "prod/*", Until: until}, nameless, false},
		{"critical", Suppression{Rule: "D-05", Principal: alice, Until: until}, critical, false},
	} {
		s := (&Site{Suppressions: []Suppression{{Rule: "D-05", Principal: alice, Until: now.Add(-time.Hour)}, tt.s}}).Prepare(nil)
		if _, got := s.Suppressed(&tt.f, now); got != tt.want {
			t.Errorf("%s: suppressed is %t", tt.name, got)
		}
	}
	for _, r := range All(&Site{}) {
		if r.Suppressible() == (r.Severity == Critical) {
			t.Errorf("%s: suppressible %t", r.ID, r.Suppressible())
		}
	}
}
