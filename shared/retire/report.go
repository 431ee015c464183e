package retire

import (
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

// Report is what one Reconcile found and left, for logs and metrics.
type Report struct {
	Secret  string
	Vendor  string
	Current string         // ID of the key that AWSCURRENT holds, "" if it is not known or not ours
	Keys    []KeyReport    // ours, those that are dead left out
	Next    time.Time      // when the next act is due; zero: none is
	Late    []string       // what is more than a day late, in words
	Skipped string         // why nothing was looked at, "" if it was
	Calls   map[string]int // calls made, by service; "vendor" for the vendor's
}

// KeyReport is one key.
type KeyReport struct {
	ID, Name string
	Role     string // "current", "pending", "replaced", "lost", "unclear" or "renamed"
	State    keyrecord.State
	Next     time.Time // zero: nothing is due
	Why      string    // why it is in this state
	LastErr  string    // why the last try failed, "" if it did not
}

// Held returns how many keys wait for a person.
func (r Report) Held() int { return r.count(keyrecord.Held) }

// Lost returns how many keys no version knows.
func (r Report) Lost() int { return r.count(keyrecord.Lost) }

func (r Report) count(s keyrecord.State) int {
	n := 0
	for _, k := range r.Keys {
		if k.State == s {
			n++
		}
	}
	return n
}

func (r *run) report() Report {
	out := Report{
		Secret: r.key.Secret, Vendor: r.key.Vendor, Late: r.late, Skipped: r.skipped, Calls: r.calls, Next: r.next(),
	}
	if r.roles[r.current] == roleCurrent {
		out.Current = r.current
	}
	for _, id := range r.ids() {
		k := KeyReport{ID: id, Name: r.listed[id].Name, Role: string(r.roles[id])}
		if rec := r.records[id]; rec != nil {
			if !rec.State.Alive() {
				continue
			}
			k.Name, k.State, k.Next, k.Why, k.LastErr = rec.KeyName, rec.State, rec.Next, rec.Why, rec.LastErr
		}
		out.Keys = append(out.Keys, k)
	}
	return out
}
