package detect

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

const day = 24 * 3600 // seconds

func secretNamed(prefix string, n int, call string, changes ...func(*trail.Event)) []trail.Event {
	return many(n, func(i int) trail.Event { return ev(i, alice, call, fmt.Sprint(prefix, i), changes...) })
}

func TestNameGuessing(t *testing.T) {
	t.Parallel()
	missing := fails("ResourceNotFoundException")
	check(t, nameGuessing(5), []ruleCase{
		{name: "four", events: secretNamed("x", 4, "GetSecretValue", missing)},
		{name: "five", events: secretNamed("x", 5, "DescribeSecret", missing), want: []string{"medium: 5 or more names that no secret has within 10m; threshold 5"}},
		{name: "one name, often", events: many(50, func(i int) trail.Event { return ev(i, alice, "GetSecretValue", "x", missing) })},
		{name: "denied", events: secretNamed("x", 9, "GetSecretValue", denied)},
	})
}

func TestGrantedAfterDenials(t *testing.T) {
	t.Parallel()
	read := func(at int, changes ...func(*trail.Event)) trail.Event {
		return ev(at, alice, "GetSecretValue", "prod/mail", changes...)
	}
	found := []string{"high: read after 3 denials within 24h; threshold 3"}
	check(t, grantedAfterDenials(), []ruleCase{
		{name: "after three", events: []trail.Event{read(0, denied), read(60, denied), read(120, denied), read(7200)}, want: found},
		{name: "arriving first", events: []trail.Event{read(600), read(0, denied), read(60, denied), read(120, denied)}, want: found},
		{name: "after two", events: []trail.Event{read(0, denied), read(60, denied), read(7200)}},
		{name: "two days later", events: []trail.Event{read(0, denied), read(60, denied), read(120, denied), read(2 * day)}},
		{name: "before", events: []trail.Event{read(0), read(60, denied), read(120, denied), read(180, denied)}},
		{name: "another secret", events: []trail.Event{read(0, denied), read(60, denied), read(120, denied), ev(300, alice, "GetSecretValue", "prod/pay")}},
	})
}

func TestNewReader(t *testing.T) {
	t.Parallel()
	learned := ours()
	learned.Rules = map[string]bool{"D-05": true}
	learning := *learned
	learning.Installed = start
	stranger := []string{"high: prod/pay is of tier 1, and its readers do not include the caller"}
	first := "medium: not seen to read it in 90d before"
	read := func(at int) trail.Event { return ev(at, alice, "GetSecretValue", "prod/mail") }
	check(t, newReader(), []ruleCase{
		{name: "tier 1", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/pay"), ev(60, alice, "GetSecretValue", "prod/pay")}, want: stranger},
		{name: "tier 1, while learning", site: &learning, events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/pay")}, want: stranger},
		{name: "tier 1, a reader", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/pay")}},
		{name: "tier 1, the rotator", events: []trail.Event{ev(0, rotator, "GetSecretValue", "prod/pay")}},
		{name: "tier 1, denied", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/pay", denied)}},
		{name: "tier 3, off by default", events: []trail.Event{read(0)}},
		{name: "tier 3", site: learned, events: []trail.Event{read(0), read(60), read(40 * day)}, want: []string{first}},
		{name: "tier 3, a reader", site: learned, events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail")}},
		{name: "tier 3, while learning", site: &learning, events: []trail.Event{read(0), read(20 * day)}},
		{name: "tier 3, forgotten", site: learned, events: []trail.Event{read(0), read(95 * day)}, want: []string{first, first}},
	})
}

func TestNewNetwork(t *testing.T) {
	t.Parallel()
	read := func(at int, address string) trail.Event {
		return ev(at, alice, "GetSecretValue", "prod/mail", from(address))
	}
	endpoint := func(e *trail.Event) { e.VPCEndpoint = "vpce-1" }
	learning := ours()
	learning.Installed = start
	check(t, newNetwork(), []ruleCase{
		{name: "first of all", events: []trail.Event{read(0, "203.0.113.7")}},
		{name: "same network", events: []trail.Event{read(0, "203.0.113.7"), read(60, "203.0.113.99"), read(120, "::ffff:203.0.113.3")}},
		{name: "another", events: []trail.Event{read(0, "203.0.113.7"), read(60, "198.51.100.1")}, want: []string{"medium: not seen from 198.51.100.0/24 in 30d before"}},
		{name: "IPv6", events: []trail.Event{read(0, "2001:db8:1::1"), read(60, "2001:db8:1:2::1"), read(120, "2001:db8:2::1")}, want: []string{"medium: not seen from 2001:db8:2::/48 in 30d before"}},
		{name: "an endpoint", events: []trail.Event{read(0, "203.0.113.7"), ev(60, alice, "GetSecretValue", "prod/mail", endpoint)}, want: []string{"medium: not seen from vpce-1 in 30d before"}},
		{name: "while learning", site: learning, events: []trail.Event{read(0, "203.0.113.7"), read(60, "198.51.100.1")}},
		{name: "a service", events: []trail.Event{read(0, "203.0.113.7"), read(60, "cloudformation.amazonaws.com")}},
		{name: "unreadable", events: []trail.Event{read(0, "203.0.113.7"), read(60, "225.01.00.16")}},
	})
}

// atlas is a Locator of two countries.
type atlas struct{}

func (atlas) Country(a netip.Addr) string {
	if netip.MustParsePrefix("198.51.100.0/24").Contains(a) {
		return "ZZ"
	}
	return "NL"
}

func (atlas) Dataset() string { return "atlas of 2026-01-02" }

func TestOutside(t *testing.T) {
	t.Parallel()
	site := func(a Allow) *Site {
		s := ours()
		s.Secrets[0].Allow, s.Secrets[1].Allow = a, a
		return s.Prepare(atlas{})
	}
	nets := site(Allow{CIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("10.0.0.0/8")}, Endpoints: []string{"vpce-1"}})
	endpoints := site(Allow{Endpoints: []string{"vpce-1"}})
	countries := site(Allow{Countries: []string{"NL"}})
	read := func(address string, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail", append(changes, from(address))...)}
	}
	through := func(id string) func(*trail.Event) { return func(e *trail.Event) { e.VPCEndpoint = id } }
	check(t, outside(), []ruleCase{
		{name: "inside", site: nets, events: read("203.0.113.7")},
		{name: "IPv4 in IPv6", site: nets, events: read("::ffff:10.1.2.3")},
		{name: "outside", site: nets, events: read("198.51.100.1"), want: []string{"high: 198.51.100.1 is in none of the allowed networks"}},
		{name: "outside, denied", site: nets, events: read("198.51.100.1", denied), want: []string{"medium: 198.51.100.1 is in none of the allowed networks"}},
		{name: "one of two outside", site: nets, events: read("203.0.113.7, 198.51.100.1"), want: []string{"high: 198.51.100.1 is in none of the allowed networks"}},
		{name: "through the endpoint", site: nets, events: read("192.168.1.1", through("vpce-1"))},
		{name: "through another, from an allowed address", site: nets, events: read("10.1.2.3", through("vpce-2"))},
		{name: "through another", site: endpoints, events: read("10.1.2.3", through("vpce-2")), want: []string{`high: "vpce-2" is none of the allowed VPC endpoints`}},
		{name: "through none", site: endpoints, events: read("203.0.113.7"), want: []string{`high: "203.0.113.7" is none of the allowed VPC endpoints`}},
		{name: "a service", site: nets, events: read("lambda.amazonaws.com")},
		{name: "unreadable", site: nets, events: read("225.01.00.16")},
		{name: "no list", events: read("198.51.100.1")},
		{name: "another country", site: countries, events: read("198.51.100.1"), want: []string{"medium: 198.51.100.1 is in ZZ, as atlas of 2026-01-02 says, which is no allowed country"}},
		{name: "an allowed country", site: countries, events: read("203.0.113.7")},
		{name: "the rotator", site: nets, events: []trail.Event{ev(0, rotator, "GetSecretValue", "prod/mail", from("198.51.100.1"))}},
	})
}

func TestNoMFA(t *testing.T) {
	t.Parallel()
	key := func(e *trail.Event) { e.Identity.AccessKeyID = "AKIAEXAMPLE" }
	session := func(kind, mfa string) func(*trail.Event) {
		return func(e *trail.Event) {
			e.Identity.Type, e.Console = kind, true
			e.Identity.SessionContext.Attributes.MFA = []byte(mfa)
		}
	}
	read := func(at int, change func(*trail.Event)) trail.Event {
		return ev(at, alice, "GetSecretValue", "prod/mail", change)
	}
	sso := func(e *trail.Event) {
		session("AssumedRole", `"false"`)(e)
		e.Identity.SessionContext.SessionIssuer.UserName = "AWSReservedSSO_Admin_0123456789abcdef"
	}
	check(t, noMFA(), []ruleCase{
		{name: "access key, once a day", events: []trail.Event{read(0, key), read(60, key), read(day, key)}, want: []string{
			"medium: an access key that does not expire, without MFA", "medium: an access key that does not expire, without MFA",
		}},
		{name: "console without", events: []trail.Event{read(0, session("IAMUser", `"false"`))}, want: []string{"medium: the session had no MFA"}},
		{name: "console with", events: []trail.Event{read(0, session("IAMUser", `"true"`))}},
		{name: "Identity Center", events: []trail.Event{read(0, sso)}},
		{name: "denied", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail", key, denied)}},
	})
}

func TestBatchRead(t *testing.T) {
	t.Parallel()
	batch := func(at int, changes ...func(*trail.Event)) trail.Event {
		return ev(at, alice, "BatchGetSecretValue", "", changes...)
	}
	filter := func(values ...string) func(*trail.Event) {
		return set("filters", []map[string]any{{"key": "tag-key", "values": values}})
	}
	first := "medium: first use of BatchGetSecretValue in 90d"
	check(t, batchRead(), []ruleCase{
		{name: "catches all", events: []trail.Event{batch(0, filter("!none")), batch(60, filter("!none", "!other"))}, want: []string{"high: the filter admits every secret", first}},
		{name: "no filter", events: []trail.Event{batch(0)}, want: []string{"high: the filter admits every secret", first}},
		{name: "denied", events: []trail.Event{batch(0, filter("!none"), denied)}, want: []string{"medium: the filter admits every secret"}},
		{name: "narrow", events: []trail.Event{batch(0, filter("team")), batch(60, filter("team"))}, want: []string{first}},
		{name: "a list", events: []trail.Event{batch(0, set("secretIdList", []string{"prod/mail"}))}, want: []string{first}},
		{name: "one secret", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail")}},
	})
}

func TestManyRegions(t *testing.T) {
	t.Parallel()
	in := func(regions ...string) []trail.Event {
		return many(len(regions), func(i int) trail.Event {
			return ev(i, alice, "ListSecrets", "", func(e *trail.Event) { e.Region = regions[i] })
		})
	}
	check(t, manyRegions(3), []ruleCase{
		{name: "three", events: in("a", "b", "c"), want: []string{"high: 3 or more Regions asked within 10m; threshold 3"}},
		{name: "two, often", events: in("a", "b", "a", "b", "a", "b")},
	})
}

func TestEnumerated(t *testing.T) {
	t.Parallel()
	site := (&Site{Listers: []string{mailer}}).Prepare(nil)
	list := func(who string, at int) trail.Event { return ev(at, who, "ListSecrets", "") }
	reads := func(who string, n, at int) []trail.Event {
		return many(n, func(i int) trail.Event { return ev(at+i, who, "GetSecretValue", fmt.Sprint("s", i)) })
	}
	check(t, enumerated(5), []ruleCase{
		{name: "five", site: site, events: append(reads(alice, 5, 60), list(alice, 0)), want: []string{"high: 5 or more secrets read within 10m after a list; threshold 5"}},
		{name: "many in a minute", site: site, events: append(reads(alice, 40, 1), list(alice, 0)), want: []string{"high: 5 or more secrets read within 10m after a list; threshold 5"}},
		{name: "four", site: site, events: append(reads(alice, 4, 60), list(alice, 0))},
		{name: "before", site: site, events: append(reads(alice, 9, 0), list(alice, 300))},
		{name: "much later", site: site, events: append(reads(alice, 9, 3600), list(alice, 0))},
		{name: "by another", site: site, events: append(reads(alice, 9, 60), list(rotator, 0))},
		{name: "a usual lister", site: site, events: append(reads(mailer, 9, 60), list(mailer, 0))},
		{name: "without a list", site: site, events: reads(alice, 9, 0)},
	})
}

// TestSpans: what is found does not depend on when the day or the hour begins.
func TestSpans(t *testing.T) {
	t.Parallel()
	for at := range 120 {
		events := many(5, func(i int) trail.Event { return ev(at*30+i*100, alice, "GetSecretValue", "prod/mail", denied) })
		got := found(t, ours(), bruteForce(5), events...)
		if len(got) != 2 {
			t.Fatalf("at %v: found %v, want one by principal and one by network", time.Duration(at)*30*time.Second, shown(got))
		}
	}
}
