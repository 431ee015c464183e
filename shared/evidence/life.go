package evidence

import (
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/history"
)

// Moment is one thing that happened to a key.
type Moment struct {
	Time  time.Time `json:"time"`
	What  string    `json:"what"` // a sentence
	Entry int64     `json:"entry"`
}

// Life is what happened to one key at the vendor.
type Life struct {
	KeyID       string    `json:"key_id"`
	KeyName     string    `json:"key_name,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"` // keyed: of the value, which is nowhere in the ledger
	Version     string    `json:"version,omitempty"`     // of the secret
	Vendor      string    `json:"vendor,omitempty"`
	Asked       string    `json:"asked,omitempty"` // why and by whom it was made; "": by its schedule
	Created     time.Time `json:"created,omitzero"`
	Promoted    time.Time `json:"promoted,omitzero"` // became AWSCURRENT, which follows a successful test
	Ended       time.Time `json:"ended,omitzero"`
	Proof       string    `json:"proof,omitempty"` // of its death
	Moments     []Moment  `json:"moments"`
}

// Reader is who read the value, and how often.
type Reader struct {
	Principal string    `json:"principal"`
	Network   string    `json:"network"`
	Count     int64     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Entries   []int64   `json:"entries"`
}

// lives tells the acts apart by key.
func lives(entries []Entry) []Life {
	var out []*Life
	byKey, asked := map[string]*Life{}, map[string]string{}
	for _, e := range entries {
		a := e.Fact.Act
		if a == nil {
			continue
		}
		if a.Act == audit.Request {
			asked[a.Version] = request(a, e.Writer)
			continue
		}
		key := a.KeyID
		if key == "" {
			key = named(a.KeyName)
		}
		if key == "" {
			continue
		}
		l := byKey[key]
		if l == nil && a.KeyName != "" && byKey[named(a.KeyName)] != nil { // its ID is known only after it was made
			l = byKey[named(a.KeyName)]
			byKey[key] = l
		}
		if l == nil {
			l = &Life{}
			byKey[key] = l
			out = append(out, l)
		}
		l.take(e)
	}
	lives := make([]Life, len(out))
	for i, l := range out {
		l.Asked = asked[l.Version]
		lives[i] = *l
	}
	return lives
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return "name " + name
}

func request(a *audit.Record, writer string) string {
	var parts []string
	if r := a.Detail["reason"]; r != "" {
		parts = append(parts, r)
	}
	if m := a.Detail["mode"]; m != "" {
		parts = append(parts, "mode "+m)
	}
	if w := a.Detail["requester_says"]; w != "" {
		parts = append(parts, "by "+w+" (who says so themselves)")
	}
	return strings.Join(append(parts, "recorded by "+writer), ", ")
}

// take adds one act.
func (l *Life) take(e Entry) {
	a := e.Fact.Act
	l.KeyID, l.KeyName = or(a.KeyID, l.KeyID), or(l.KeyName, a.KeyName)
	l.Fingerprint, l.Vendor = or(a.Fingerprint, l.Fingerprint), or(l.Vendor, a.Vendor)
	l.Version = or(l.Version, a.Version)
	switch done := a.Phase != audit.Intent && a.Result != audit.Failed && a.Result != audit.Unknown; {
	case !done:
	case a.Act == audit.Create || a.Act == audit.Roll || a.Act == audit.Adopt:
		if l.Created.IsZero() {
			l.Created = e.Time
		}
	case a.Act == audit.Promote:
		l.Promoted = e.Time
	case a.Act == audit.Dead:
		l.Ended, l.Proof = e.Time, or(a.Detail["proof"], a.Detail["why"])
	}
	l.Moments = append(l.Moments, Moment{Time: e.Time, What: sentence(a), Entry: e.Index})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sentence says what a record says.
func sentence(a *audit.Record) string {
	var b strings.Builder
	b.WriteString(string(a.Act))
	switch {
	case a.Phase == audit.Intent:
		b.WriteString(" intended")
	case a.Result != "":
		b.WriteString(" " + a.Result)
	}
	if a.Error != "" {
		b.WriteString(": " + a.Error)
	}
	keys := make([]string, 0, len(a.Detail))
	for k, v := range a.Detail {
		if v != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		b.WriteString("; " + strings.ReplaceAll(k, "_", " ") + ": " + a.Detail[k])
	}
	return b.String()
}

// readers sums the hours.
func readers(entries []Entry) []Reader {
	var out []Reader
	for _, e := range entries {
		r := e.Fact.Reads
		if r == nil {
			continue
		}
		i := slices.IndexFunc(out, func(o Reader) bool { return o.Principal == r.Principal && o.Network == r.Network })
		if i < 0 {
			out, i = append(out, Reader{Principal: r.Principal, Network: r.Network, First: r.First, Last: r.Last}), len(out)
		}
		out[i].add(*r, e.Index)
	}
	slices.SortFunc(out, func(a, b Reader) int { return strings.Compare(a.Principal+a.Network, b.Principal+b.Network) })
	return out
}

func (r *Reader) add(h history.Reads, index int64) {
	r.Count += h.Count
	r.Entries = append(r.Entries, index)
	if h.First.Before(r.First) {
		r.First = h.First
	}
	if h.Last.After(r.Last) {
		r.Last = h.Last
	}
}
