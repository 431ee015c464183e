package detect

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// newNetwork is D-06: a principal asks for a value from a network that it did not
// use in the last 30 days. A network is 24 bits of IPv4, 48 of IPv6, or a VPC
// endpoint. What is seen in the time of learning is normal, and so is the first
// network of a principal: that the principal is new is D-05.
//
// Elastic uses 10 days. False positives: people who travel, NAT with many
// addresses; an allow-list (D-07) is better wherever there can be one.
func newNetwork() Rule {
	const forget = 30 * 24 * time.Hour
	return Rule{
		ID: "D-06", Title: "a principal came from a new network", Severity: Medium, Technique: "T1078.004",
		Next: "ask the principal's owner whether it has moved",
		Patterns: []Pattern{{
			Name: "network", Span: forget, Bucket: time.Minute, Latest: true, First: time.Hour, Settles: true,
			Mark: func(_ *Site, c *Call) []Note {
				if !c.Asks() || len(c.About) == 0 || c.AddressClass() == trail.AddressService {
					return nil
				}
				return notes(principal(c), c.networks())
			},
			Judge: func(s *Site, h History) []Finding {
				var found []Finding
				for _, m := range firsts(h, forget) {
					others := false
					for _, o := range h.Old() {
						others = others || o.Minute < m.Minute && o.Value != m.Value && m.Time().Sub(o.Time()) <= forget
					}
					if !others || m.Time().Before(s.Learned()) {
						continue
					}
					f := h.finding([]Mark{m})
					f.Why = fmt.Sprintf("not seen from %s in %s before", m.Value, short(forget))
					f.distinct += m.Value
					found = append(found, f)
				}
				return found
			},
		}},
	}
}
