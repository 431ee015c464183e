package detect

import (
	"time"
)

// manyRegions is D-12: one principal asks in many Regions within minutes, as
// tools do that look for anything. Denied calls count.
//
// Threshold: n Regions in 10 minutes; Panther takes 5, of batches only. False
// positives: inventories; list them as automation.
func manyRegions(n int) Rule {
	return Rule{
		ID: "D-12", Title: "secrets were asked for in many Regions", Severity: High, Technique: "T1526", Automation: true,
		Next: "ask the principal's owner; if nobody knows of it, revoke its sessions",
		Patterns: []Pattern{counted("regions", "Regions asked", 10*time.Minute, time.Minute, []Level{{n, High}}, func(_ *Site, c *Call) []Note {
			if !c.Concerns() || !c.Asks() && c.Name != "ListSecrets" || c.Region == "" {
				return nil
			}
			return []Note{{principal(c), c.Region}}
		})},
	}
}
