package detect

import (
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// staleVersion is D-21: somebody else than the rotator read a version that is
// no longer in use: the version before, or one by its id that was replaced more
// than a day ago. It is a consumer that was not updated, and that will break when
// the key is revoked. Reads of the pending version are R-01's.
//
// One finding a day for each caller and secret. A day is the shortest overlap of
// a tier-1 key. False positives: a rollback by hand.
func staleVersion() Rule {
	return Rule{
		ID: "D-21", Title: "a version that is not in use was read", Severity: Low, Technique: "T1555.006", Ours: true, Services: true,
		Next: "update the consumer before the former key is revoked",
		See: func(_ *Site, c *Call) []Finding {
			if c.Ours || c.Service || !c.Reads() {
				return nil
			}
			var out []Finding
			for _, one := range c.About {
				if one.Ref.Stage == "AWSPREVIOUS" {
					out = append(out, c.findingOn(one, 24*time.Hour, "the version before was asked for"))
				}
			}
			return out
		},
		Patterns: []Pattern{replaced()},
	}
}

// Values of marks begin so: a version came into use, or was read by somebody.
const currentMark, readMark = "current ", "read "

func replaced() Pattern {
	return Pattern{
		Name: "versions", Span: 90 * 24 * time.Hour, Bucket: time.Hour, Latest: true, Every: currentMark, Settles: true,
		Mark: func(_ *Site, c *Call) []Note {
			moved := c.Type == trail.TypeLabel || c.Name == "UpdateSecretVersionStage" && c.Result == trail.Succeeded
			read := c.Reads() && !c.Ours && !c.Service
			var out []Note
			for _, one := range c.About {
				version := strings.ToLower(one.Ref.Version)
				switch {
				case version == "":
				case moved && one.Ref.Stage == "AWSCURRENT":
					out = append(out, Note{secretTrack + one.Name, currentMark + version})
				case read:
					out = append(out, Note{secretTrack + one.Name, readMark + version + " " + c.Who})
				}
			}
			return out
		},
		Judge: func(_ *Site, h History) []Finding { return staleReads(h) },
	}
}

func staleReads(h History) []Finding {
	var found []Finding
	now, since := "", map[string]Mark{}
	for _, m := range h.Old() {
		if v, ok := strings.CutPrefix(m.Value, currentMark); ok {
			if now != "" && now != v {
				since[now] = m
			}
			delete(since, v)
			now = v
			continue
		}
		version, who, _ := strings.Cut(strings.TrimPrefix(m.Value, readMark), " ")
		if old, ok := since[version]; ok && m.Time().Sub(old.Time()) >= 24*time.Hour {
			f := secretFinding(h, m, "a version that was replaced more than 24h ago was read by its id", "")
			f.Principal, f.matter = who, h.On+"\n"+who
			f.per(24 * time.Hour)
			found = append(found, f)
		}
	}
	return unique(found)
}
