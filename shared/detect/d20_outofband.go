package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// outOfBand is D-20: the value of a rotated secret, or the label that says which
// value is in use, was changed by somebody who does not rotate it. Whoever can do
// that can put a key of his own under our consumers, or bring back a revoked
// one. The second pattern does not depend on the trail: Secrets Manager's own
// event tells of every new AWSCURRENT, and one that no call in the trail explains
// within 15 minutes is found. Secrets whose rotators are not known are left out.
//
// Deployers may call UpdateSecret, which changes descriptions and KMS keys too.
// Threshold: one. False positives: a repair by hand, as runbooks tell it; the
// alert then proves it.
func outOfBand() Rule {
	return Rule{
		ID: "D-20", Title: "a secret was changed by somebody who does not rotate it", Severity: High, Technique: "T1098", Default: true, Ours: true, Services: true,
		Next:     "compare the key in use with the ledger; if nobody knows of the change, put the former label back and rotate",
		See:      changedBy,
		Patterns: []Pattern{unexplained()},
	}
}

func changedBy(s *Site, c *Call) []Finding {
	if c.Ours || c.Service || !c.Manager() || c.Result != trail.Succeeded || !changes(c) {
		return nil
	}
	i := slices.IndexFunc(c.About, func(one Subject) bool {
		return len(one.Rotators) > 0 && (c.Name != "UpdateSecret" || !matches(s.Deployers, c.Who))
	})
	if i < 0 {
		return nil
	}
	f := c.Finding(c.Name + " by somebody else than its rotator")
	if stage := c.About[i].Ref.Stage; stage != "" {
		f.Why += ", label " + quoted(stage)
	}
	if c.About[i].Admin {
		f.Severity = Critical
	}
	return one(f)
}

// changes says that the call changes a value or moves a label.
func changes(c *Call) bool {
	return c.Name == "PutSecretValue" || c.Name == "UpdateSecret" || c.Name == "UpdateSecretVersionStage"
}

// movedMark is that of a call that may have moved AWSCURRENT; labelWide is how many
// minutes it may be away, and the bucket.
const movedMark, labelWide = "moved", 15

func unexplained() Pattern {
	return Pattern{
		Name: "label", Span: 2 * time.Hour, Bucket: labelWide * time.Minute, Settles: true, Wait: labelWide * time.Minute,
		Mark: func(_ *Site, c *Call) []Note {
			label, version, ok := c.Label()
			switch {
			case ok && label == "AWSCURRENT":
				return onSecrets(c, "label "+version)
			case c.Manager() && c.Result == trail.Succeeded && (changes(c) || c.Name == "CreateSecret" || c.Name == "RotationSucceeded"):
				return onSecrets(c, movedMark)
			default:
				return nil
			}
		},
		Judge: func(s *Site, h History) []Finding {
			secret := s.secrets[strings.TrimPrefix(h.On, secretTrack)]
			if secret == nil || len(secret.Rotators) == 0 {
				return nil
			}
			return unexplainedLabels(h)
		},
	}
}

func unexplainedLabels(h History) []Finding {
	explained := map[uint32]bool{}
	for _, m := range h.Marks {
		if m.Value == movedMark {
			explained[m.Minute-labelWide], explained[m.Minute], explained[m.Minute+labelWide] = true, true, true
		}
	}
	var found []Finding
	for _, m := range h.Old() {
		// The bucket after this one must be settled, too.
		if m.Value == movedMark || explained[m.Minute] || m.Minute+2*labelWide > h.Settled {
			continue
		}
		found = append(found, secretFinding(h, m, "AWSCURRENT moved, and no call within 15m explains it", fmt.Sprint(m.Value, " ", m.Minute)))
	}
	return found
}
