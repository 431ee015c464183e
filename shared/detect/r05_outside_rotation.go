package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// outsideRotation is R-05: a role that rotates a secret read or changed it, and no
// rotation was asked for or began in the 24 hours before. It waits until both
// are settled. It is off by default: nobody outside AWS has published a record of
// RotationStarted, on which it relies where a schedule rotates, and retiring a
// replaced key, which is days after its rotation, uses a role of its own.
//
// False positives: the first value of a new key counts as a rotation; a rotation
// that AWS tries again for more than a day does not.
func outsideRotation() Rule {
	return Rule{
		ID: "R-05", Title: "a rotation's role was used outside a rotation", Severity: High, Technique: "T1078.004", Ours: true, Services: true,
		Next: "look at the function's log at that time; if it did not run, revoke the role's sessions",
		Patterns: []Pattern{{
			Name: "secret", Span: 2 * rotationTime, Bucket: time.Minute, Cap: 20, Keep: began, Settles: true,
			Mark: markRotation, Judge: judgeRotation,
		}},
	}
}

const rotationTime, began, rotationTrack = 24 * time.Hour, "began", "rotation of "

func markRotation(_ *Site, c *Call) []Note {
	if !c.Manager() || c.Result != trail.Succeeded {
		return nil
	}
	uses := (c.Asks() || writes(c) || c.Name == "UpdateSecretVersionStage") && !strings.Contains(c.Who, "-retire-")
	var out []Note
	for _, one := range c.About {
		switch {
		case slices.Contains([]string{"RotateSecret", "RotationStarted", "TestRotationStarted", "CreateSecret"}, c.Name):
			out = append(out, Note{rotationTrack + one.Name, began})
		case uses && matches(one.Rotators, c.Who):
			out = append(out, Note{rotationTrack + one.Name, c.Who})
		}
	}
	return out
}

func judgeRotation(_ *Site, h History) []Finding {
	var begins []Mark
	for _, m := range h.Old() {
		if m.Value == began {
			begins = append(begins, m)
		}
	}
	var found []Finding
	for _, m := range h.Old() {
		if m.Value == began || len(within(begins, m, rotationTime)) > 0 {
			continue
		}
		f := h.finding([]Mark{m})
		f.Principal, f.Secrets = m.Value, []string{strings.TrimPrefix(h.On, rotationTrack)}
		f.Why = fmt.Sprintf("used, and no rotation of the secret began in %s before", short(rotationTime))
		f.distinct = m.Value + m.Time().Format(time.DateOnly)
		found = append(found, f)
	}
	return unique(found)
}
