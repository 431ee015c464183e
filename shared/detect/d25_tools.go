package detect

import (
	"strings"
	"time"
)

// attackTool is D-25: the user agent is one of a tool for attacks or for finding
// keys. It proves nothing when it is absent, since any caller can choose it, but
// those who try stolen keys often do not.
//
// One finding an hour for each caller and tool. False positives: one's own tests.
func attackTool() Rule {
	return Rule{
		ID: "D-25", Title: "a tool for attacks was used", Severity: Medium, Technique: "T1555.006",
		Next: "ask the principal's owner whether it is a test; if nobody knows of it, revoke its sessions",
		See: func(_ *Site, c *Call) []Finding {
			tool := toolOf(c.UserAgent)
			if tool == "" || !c.Concerns() {
				return nil
			}
			f := c.Finding("user agent " + quoted(c.UserAgent))
			f.matter = c.Who + "\n" + tool
			f.per(time.Hour)
			return one(f)
		},
	}
}

// toolOf returns the tool that a user agent names.
func toolOf(agent string) string {
	agent = strings.ToLower(agent)
	for _, tool := range [...]string{
		"stratus-red-team", "trufflehog", "pacu", "scoutsuite", "prowler", "cloudfox", "cloudgoat", "enumerate-iam", "peirates", "gitleaks",
	} {
		if strings.Contains(agent, tool) {
			return tool
		}
	}
	// Distributions for testing put their name into the kernel's version.
	for _, system := range [...]string{"kali", "parrot", "pentoo", "blackarch"} {
		if i := strings.Index(agent, system); i > 0 && strings.ContainsRune(" -/.+#", rune(agent[i-1])) {
			return system
		}
	}
	return ""
}
