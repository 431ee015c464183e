package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// deletion is D-19: a secret was deleted, or a replica of it. Without recovery,
// or three in ten minutes, is critical: what is deleted so is gone at once, and a
// capture of a real attack's cleanup shows 17 in two minutes. Keyturn
// deletes no secret, and its stacks retain them, so that deployers are no exception.
//
// Threshold: one; n secrets in 10 minutes are critical.
// False positives: a key that is given up. Its deletion is planned, and rare.
func deletion(n int) Rule {
	return Rule{
		ID: "D-19", Title: "a secret was deleted", Severity: High, Technique: "T1485", Default: true,
		Next: "restore it within its recovery window with RestoreSecret; where there is none, make a new key at the vendor",
		See: func(_ *Site, c *Call) []Finding {
			if !deletes(c) {
				return nil
			}
			if c.Name != "DeleteSecret" {
				return one(c.Finding("a replica was removed or cut off by " + c.Name))
			}
			var q struct {
				Force bool `json:"forceDeleteWithoutRecovery"`
			}
			f := c.Finding("deleted, with a time to recover it")
			if c.RequestFields(&q) != nil || q.Force {
				f.Severity, f.Why = Critical, "deleted without recovery"
			}
			return one(f)
		},
		Patterns: []Pattern{counted("secrets", "secrets deleted", 10*time.Minute, time.Minute, []Level{{n, Critical}}, func(_ *Site, c *Call) []Note {
			if !deletes(c) || c.Name != "DeleteSecret" {
				return nil
			}
			return notes(principal(c), c.names())
		})},
	}
}

func deletes(c *Call) bool {
	if !c.Manager() || c.Result != trail.Succeeded || len(c.About) == 0 {
		return false
	}
	return c.Name == "DeleteSecret" || c.Name == "RemoveRegionsFromReplication" || c.Name == "StopReplicationToReplica"
}
