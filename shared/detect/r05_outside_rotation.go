package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// outsideRotation is R-05: a role that rotates a secret read or changed it, and no
// rotation was asked for or began in the 24 hours before, or ended in the 2 hours
// after, for which it waits: the service's own records come late, or never. It is off by default: nobody outside AWS has published a record of
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
			Name: "secret", Span: 2 * rotationTime, Bucket: time.Minute, Cap: 20, Keep: began, Settles: true, Wait: lateRotation,
			Mark: markRotation, Judge: judgeRotation,
		}},
	}
}

const rotationTime, began, over, rotationTrack = 24 * time.Hour, "began", "ended", "rotation of "

// lateRotation is how long a use waits for its rotation to be seen: the event of its
// beginning may come late, or never, and that of its end does as well.
const lateRotation = 2 * time.Hour

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
		case slices.Contains([]string{"RotationSucceeded", "RotationFailed", "RotationAbandoned"}, c.Name):
			out = append(out, Note{rotationTrack + one.Name, over})
		case uses && matches(one.Rotators, c.Who):
			out = append(out, Note{rotationTrack + one.Name, c.Who})
		}
	}
	return out
}

func judgeRotation(_ *Site, h History) []Finding {
	var found []Finding
	settled := (Mark{Minute: h.Settled}).Time()
	for _, m := range h.Old() {
		if m.Value == began || m.Value == over || settled.Sub(m.Time()) < lateRotation || rotating(h.Marks, m.Time()) {
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

// rotating says that at is in a rotation that was seen.
func rotating(marks []Mark, at time.Time) bool {
	return slices.ContainsFunc(marks, func(m Mark) bool {
		since := at.Sub(m.Time())
		return m.Value == began && since >= 0 && since <= rotationTime || m.Value == over && since >= -lateRotation && since <= 0
	})
}
