package detect

import (
	"fmt"
	"strconv"
	"time"
)

// silence is D-23: the canary reads its secret every 15 minutes, and none of
// its reads arrived for longer. Then nothing else arrives either, for delivery
// from CloudTrail is best effort, a rule can be turned off, and whoever steals
// keys would like both. A gap is found also when it is over: what happened in it
// is to be read from the trail's files.
//
// Threshold: n minutes, 45 by default: three reads, so that one lost event is no
// alarm. Nothing is found before the first read of the canary. This rule runs
// where events arrive; where the function that holds it is dead, the alarm on
// its own metrics tells. False positives: the canary itself failed.
func silence(n int) Rule {
	return Rule{
		ID: "D-23", Title: "no sign of life from the audit trail", Severity: Critical, Technique: "T1562.008", Default: true, Ours: true,
		Next: "see the runbook of a silent log: the trail, the rule's state, the queue; then reconcile the time of the gap",
		Patterns: []Pattern{{
			Name: "canary", Span: 3 * 24 * time.Hour, Bucket: 5 * time.Minute, Settles: true,
			Wait: time.Duration((n+9)/5*5) * time.Minute,
			Mark: func(_ *Site, c *Call) []Note {
				if !c.Reads() {
					return nil
				}
				for _, one := range c.About {
					if one.Canary {
						return []Note{{"canary", "alive"}}
					}
				}
				return nil
			},
			Judge: func(_ *Site, h History) []Finding { return gaps(h, uint32(max(n, 1))) }, //nolint:gosec // minutes
		}},
	}
}

func gaps(h History, limit uint32) []Finding {
	var found []Finding
	old := h.Old()
	for i, m := range old {
		end := h.Settled
		if i+1 < len(old) {
			end = old[i+1].Minute
		}
		if end <= m.Minute+limit+5 { // a bucket is 5 minutes wide
			continue
		}
		f := h.finding(old[i : i+1])
		f.Why = fmt.Sprintf("the canary was seen last at %s, more than %dm before", m.Time().Format(time.RFC3339), limit)
		f.distinct = strconv.FormatUint(uint64(m.Minute), 10)
		found = append(found, f)
	}
	return found
}
