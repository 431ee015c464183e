package detect

import (
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// bulkRead is D-10: one principal read many secrets in a few minutes. It counts
// secrets, not reads, so a batch and its single records count once.
//
// Terraform's refresh reads as many, each by the id of the very version that it
// wrote. Whoever wrote a version learns nothing by reading it, so such reads do
// not count; but what was written may become known after the read was, so reads
// by id wait until both are settled.
//
// Threshold: n secrets. 20 in 6 minutes is Elastic's. False positives: backups, a start of
// everything at once: list them as automation.
func bulkRead(n int) Rule {
	levels := []Level{{n, High}}
	byValue := func(v string) (string, bool) { return v, true }
	byName := counted(countsSecrets, "distinct secrets read", bulkSpan, time.Minute, levels, markByName)
	got := counted("got", "distinct secrets got", bulkSpan, time.Minute, levels, markGot)
	byID := counted("versions", "distinct secrets read by version", bulkSpan, time.Minute, levels, markByID)
	judge := byID.Judge
	got.Judge = func(s *Site, h History) []Finding { return s.loot(h, bulkSpan, n, byValue) }
	byID.Span, byID.Cap, byID.Most, byID.Settles = 24*time.Hour, 0, 2000, true
	byID.Judge = func(s *Site, h History) []Finding {
		h.Marks = unwritten(h.Old())
		return append(judge(s, h), s.loot(h, bulkSpan, n, ofVersion)...)
	}
	return Rule{
		ID: "D-10", Title: "many secrets were read at once", Severity: High, Technique: "T1555.006", Default: true, Automation: true, Responds: true,
		Next:     "ask the principal's owner; if nobody knows of it, revoke its sessions and rotate what it read",
		Patterns: []Pattern{byName, byID, got},
	}
}

const bulkSpan, wrote = 6 * time.Minute, "wrote "

func markByName(_ *Site, c *Call) []Note {
	if !c.Reads() {
		return nil
	}
	var out []Note
	for _, one := range c.About {
		if one.Ref.Version == "" {
			out = append(out, Note{principal(c), one.Name})
		}
	}
	return out
}

// markGot marks only what has a record of its own: a batch names also what it was refused.
func markGot(s *Site, c *Call) []Note {
	if s.tierOne == 0 || !c.Gets() {
		return nil
	}
	return markByName(s, c)
}

func markByID(_ *Site, c *Call) []Note {
	var out []Note
	for _, one := range c.About {
		switch v := digest(strings.ToLower(one.Ref.Version), one.Name) + " " + one.Name; {
		case one.Ref.Version == "":
		case c.Reads():
			out = append(out, Note{principal(c), v})
		case writes(c):
			out = append(out, Note{principal(c), wrote + v})
		}
	}
	return out
}

// ofVersion returns the secret of a value of markByID.
func ofVersion(v string) (string, bool) {
	_, name, _ := strings.Cut(v, " ")
	return name, true
}

// unwritten leaves out the writes, and the reads of what was written.
func unwritten(marks []Mark) []Mark {
	known := map[string]bool{}
	for _, m := range marks {
		if v, ok := strings.CutPrefix(m.Value, wrote); ok {
			known[v] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(marks), func(m Mark) bool {
		return strings.HasPrefix(m.Value, wrote) || known[m.Value]
	})
}

// writes says that the call stored a value.
func writes(c *Call) bool {
	return c.Manager() && c.Result == trail.Succeeded && (c.Name == "PutSecretValue" || c.Name == "CreateSecret" || c.Name == "UpdateSecret")
}
