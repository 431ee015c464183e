package detect

import (
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// batchRead is D-11: BatchGetSecretValue with a filter that admits every secret,
// which nobody needs who knows what he reads; and its first use by a principal,
// after learning. A filter's value that begins with "!" admits all but that.
//
// False positives: backups and migrations; list them as automation.
func batchRead() Rule {
	batch := func(c *Call) bool { return c.Manager() && c.Name == "BatchGetSecretValue" }
	return Rule{
		ID: "D-11", Title: "secrets were read as a batch", Severity: High, Technique: "T1555.006", Automation: true,
		Next: "ask the principal's owner; if nobody knows of it, revoke its sessions and rotate what it read",
		See: func(_ *Site, c *Call) []Finding {
			if !batch(c) || c.Result == trail.Throttled || !catchesAll(c) {
				return nil
			}
			f := c.Finding("the filter admits every secret")
			if c.Result != trail.Succeeded {
				f.Severity = Medium
			}
			f.per(time.Hour)
			return one(f)
		},
		Patterns: []Pattern{{
			Name: "first", Span: remembered, Bucket: time.Minute, Latest: true, First: time.Hour, Settles: true,
			Mark: func(_ *Site, c *Call) []Note {
				if !batch(c) || c.Result != trail.Succeeded {
					return nil
				}
				return []Note{{principal(c), ""}}
			},
			Judge: judgeFirst("first use of BatchGetSecretValue in 90d", Medium),
		}},
	}
}

// catchesAll says that a batch names no secret, and that every filter admits all.
func catchesAll(c *Call) bool {
	var q struct {
		List    any `json:"secretIdList"`
		Filters []struct {
			Values []string `json:"values"`
		} `json:"filters"`
	}
	if c.RequestFields(&q) != nil || q.List != nil {
		return false
	}
	for _, filter := range q.Filters {
		for _, v := range filter.Values {
			if !strings.HasPrefix(v, "!") {
				return false
			}
		}
	}
	return true
}
