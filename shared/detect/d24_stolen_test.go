package detect

import (
	"net/netip"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

// byFirst finds countries by the first byte of an address: synthetic.
type byFirst map[byte]string

func (l byFirst) Country(a netip.Addr) string { return l[a.As16()[12]] }
func (byFirst) Dataset() string               { return "test" }

func TestStolenCredentials(t *testing.T) {
	t.Parallel()
	read := func(seconds int, address string, changes ...func(*trail.Event)) trail.Event {
		changes = append(changes, from(address), func(e *trail.Event) {
			if e.Identity.AccessKeyID == "" {
				e.Identity.AccessKeyID = "AKIA1"
			}
		})
		return ev(seconds, alice, "GetSecretValue", "prod/pay", changes...)
	}
	other := func(e *trail.Event) { e.Identity.AccessKeyID = "AKIA2" }
	workload := func(e *trail.Event) { e.Identity.SessionContext.EC2RoleDelivery = "2.0" }
	allow := ours()
	allow.Allow.CIDRs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	for i := range allow.Secrets {
		allow.Secrets[i].Allow = allow.Allow
	}
	allow = allow.Prepare(nil)
	located := ours().Prepare(byFirst{203: "NL", 198: "BR"})
	networks := []string{"high: 3 or more networks used one access key within 1h; threshold 3", "high: prod/pay, of tier 1, was among what was read"}
	check(t, stolenCredentials(3), []ruleCase{
		{name: "three networks", events: []trail.Event{read(0, "203.0.113.1"), read(600, "198.51.100.1"), read(1200, "192.0.3.1")}, want: networks},
		{name: "two networks", events: []trail.Event{read(0, "203.0.113.1"), read(600, "198.51.100.1")}},
		{name: "one network", events: []trail.Event{read(0, "203.0.113.1"), read(1, "203.0.113.2"), read(2, "203.0.113.3")}},
		{name: "two keys", events: []trail.Event{read(0, "203.0.113.1"), read(600, "198.51.100.1", other), read(1200, "192.0.3.1", other)}},
		{name: "over hours", events: []trail.Event{read(0, "203.0.113.1"), read(7200, "198.51.100.1"), read(14400, "192.0.3.1")}},
		{name: "private", events: []trail.Event{read(0, "10.0.1.1"), read(1, "10.0.2.1"), read(2, "10.0.3.1")}},
		{name: "junk", events: []trail.Event{read(0, "225.01.00.16"), read(1, "AWS Internal/3"), read(2, "lambda.amazonaws.com")}},
		{name: "two countries", site: located, events: []trail.Event{read(0, "203.0.113.1"), read(600, "198.51.100.1")}, want: []string{"high: 2 or more countries used one access key within 1h; threshold 2"}},
		{name: "a workload outside", site: allow, events: []trail.Event{read(0, "198.51.100.1", workload)}, want: []string{"high: a workload's credentials came from a public address outside the allowed networks"}},
		{name: "a workload inside", site: allow, events: []trail.Event{read(0, "203.0.113.1", workload)}},
		{name: "a workload where no list is", events: []trail.Event{read(0, "198.51.100.1", workload)}},
		{name: "a person outside", site: allow, events: []trail.Event{read(0, "198.51.100.1")}},
	})
}
