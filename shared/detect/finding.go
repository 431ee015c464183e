package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Severity says how bad a finding is.
type Severity int

// From bad to worst. The zero value is no severity.
const (
	Info Severity = iota + 1
	Low
	Medium
	High
	Critical
)

func severities() []string { return []string{"none", "info", "low", "medium", "high", "critical"} }

// String returns the severity in lower case.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severities()) {
		return fmt.Sprintf("severity %d", int(s))
	}
	return severities()[s]
}

// MarshalText writes what String returns.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(b []byte) error {
	i := slices.Index(severities(), string(b))
	if i < 0 {
		return fmt.Errorf("no severity is called %.20q", b)
	}
	*s = Severity(i)
	return nil
}

// MaxEvidence is how many events a finding names.
const MaxEvidence = 20

// Finding is something odd. The same events give the same ID, Group, Rule and
// Severity in any order; the rest is what was known when it was found.
type Finding struct {
	ID        string    `json:"id"`
	Rule      string    `json:"rule"`
	Title     string    `json:"title"`
	Severity  Severity  `json:"severity"`
	Technique string    `json:"technique,omitempty"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal,omitempty"`
	Session   string    `json:"session,omitempty"`
	Secrets   []string  `json:"secrets,omitempty"` // by name
	Where     []string  `json:"where,omitempty"`   // addresses or VPC endpoints
	Agent     string    `json:"userAgent,omitempty"`
	Why       string    `json:"why"` // value against threshold
	Count     int       `json:"count"`
	Events    []string  `json:"events"` // at most MaxEvidence
	Next      string    `json:"next,omitempty"`
	// Group is the same for findings that are one matter: alerts about it are counted.
	Group string `json:"group"`
	// Rotate names secrets whose values may be known to somebody who should not: an
	// emergency rotation of them may start. Only reads that succeeded are a reason.
	Rotate []string `json:"rotate,omitempty"`

	distinct, matter string // what ID and Group are made of
}

// finish fills in what the rule says and what follows from the rest.
func (f *Finding) finish(r *Rule) {
	f.Rule, f.Title, f.Technique = r.ID, r.Title, r.Technique
	if f.Severity == 0 {
		f.Severity = r.Severity
	}
	if f.Next == "" {
		f.Next = r.Next
	}
	f.Group = r.ID + "-" + digest(f.matter)
	f.ID = r.ID + "-" + digest(f.matter, f.distinct, f.Severity.String())
	if len(f.Events) > MaxEvidence {
		f.Events = f.Events[:MaxEvidence]
	}
}

// digest joins the parts so that no two lists of parts have the same.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(strconv.AppendInt(nil, int64(len(p)), 10)) // a hash never fails
		_, _ = h.Write([]byte(":" + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// per lets the finding come once in d, which is at most a day, for its group.
func (f *Finding) per(d time.Duration) {
	f.distinct = f.matter + "\n" + f.Time.Truncate(d).Format(time.RFC3339)
}

// finding returns one about what happened on the track, at the time of the last
// of the marks, which are its evidence.
func (h History) finding(marks []Mark) Finding {
	last := marks[len(marks)-1]
	f := Finding{Time: last.Time(), Count: len(marks), matter: h.On, distinct: last.Time().Format(time.RFC3339)}
	f.evidence(marks)
	f.about(h.On)
	return f
}

// Tracks of principals begin so, and those of principals and secrets go on so.
const principalTrack, withSecret = "principal ", " secret "

// principal is the track of the caller.
func principal(c *Call) string { return c.track }

// reading is the track of the caller with one secret.
func reading(_ *Call, one Subject) string { return one.track }

// about fills in who and which secret a track is of.
func (f *Finding) about(track string) {
	if who, ok := strings.CutPrefix(track, principalTrack); ok {
		who, name, _ := strings.Cut(who, withSecret)
		if f.Principal = who; name != "" {
			f.Secrets = []string{name}
		}
	}
}

// notes marks every value on the track.
func notes(on string, values []string) []Note {
	out := make([]Note, 0, len(values))
	for _, v := range values {
		out = append(out, Note{on, v})
	}
	return out
}
