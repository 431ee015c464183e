package status

import (
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	// stuckAfter is longer than a rotation takes with all its restarts; after
	// that long the sweep removes what is still pending.
	stuckAfter = time.Hour
	// slack is how late something may be before we call it overdue.
	slack = time.Hour

	freeze = "freeze" // state of a [Pause]
)

// look says how a key is, from all that was read.
func look(k config.Key, s store.Secret, b keyrecord.Book, now time.Time) Key {
	out := of(k)
	out.LastRotation, out.NextRotation = s.LastRotated, s.NextRotation
	out.Version = s.VersionAt(store.Current)
	if p := s.VersionAt(store.Pending); p != out.Version {
		out.Pending = p
	}
	if f := b.Failure; f != nil && f.Version != out.Version && f.At.After(s.LastRotated) && !f.Wanted() {
		out.LastError = &Failure{Step: f.Step, Type: f.ErrorType, Text: f.Text, At: f.At, Count: f.Count, Version: f.Version}
	}
	if out.Pause = pause(s, b.Pause, now); !b.Pause.InForce(now) {
		if f, frozen := k.Frozen(now); frozen {
			out.Pause = &Pause{State: freeze, Until: f.Until, Reason: f.Reason, At: f.From}
		}
	}
	out.Stage, out.Since = stage(s, b, out, now)
	if out.Version != "" {
		out.Born = born(s, b, out.Version)
		out.AgeSeconds = int64(max(now.Sub(out.Born), 0) / time.Second)
	}
	for _, r := range b.Keys {
		if r.IDUnknown() && r.Version == out.Version && r.State.Alive() {
			out.CurrentUnknown = r.Why
		}
	}
	for _, one := range b.Open(now) {
		out.Alerts = append(out.Alerts, Alert{
			ID: one.ID, Severity: one.Severity, Summary: one.Summary, At: one.At, Acked: one.Acked, By: one.By, Reason: one.Reason, Escalated: one.Escalated,
		})
	}
	out.Older = older(b, out.Version, out.Pending)
	out.Overdue = overdue(k, s, out, k.Due(later(s.NextRotation, b.Pause.Over())), now)
	out.Next = next(k, out, now)
	return out
}

func stage(s store.Secret, b keyrecord.Book, k Key, now time.Time) (Stage, time.Time) {
	switch {
	case !s.Deleted.IsZero():
		return Deleted, s.Deleted
	case k.Pending != "":
		since := pendingSince(s, b, k.Pending)
		if now.Sub(since) > stuckAfter {
			return Stuck, since
		}
		return Rotating, since
	case k.Version == "":
		return Empty, time.Time{}
	case !s.RotationEnabled:
		return Off, time.Time{}
	case b.Pause.InForce(now):
		return Paused, b.Pause.At
	case k.Pause != nil && k.Pause.State == freeze:
		return Frozen, k.Pause.At
	}
	return Idle, time.Time{}
}

func pause(s store.Secret, p *keyrecord.Pause, now time.Time) *Pause {
	state := "in_force"
	switch {
	case p.InForce(now):
	case p.Expired(now) && !s.LastRotated.After(p.Until):
		state = "expired"
	default:
		return nil
	}
	return &Pause{State: state, Until: p.Until, Reason: p.Reason, Owner: p.Owner, By: p.By, At: p.At}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// pendingSince is when a rotation that somebody asked for was asked for. Of any
// other DescribeSecret does not tell: it was no later than the last change, or
// than its failure.
func pendingSince(s store.Secret, b keyrecord.Book, pending string) time.Time {
	since := s.LastChanged
	if q, ok := b.Request(keyname.Rotation(pending)); ok && !q.At.IsZero() {
		return q.At
	}
	if b.Failure != nil && b.Failure.Version == pending && (since.IsZero() || b.Failure.At.Before(since)) {
		return b.Failure.At
	}
	return since
}

// born is when the current key went live, as exactly as anybody knows.
func born(s store.Secret, b keyrecord.Book, version string) time.Time {
	for _, r := range b.Keys {
		if r.Version == version && !r.Promoted.IsZero() {
			return r.Promoted
		}
	}
	if !s.LastRotated.IsZero() {
		return s.LastRotated
	}
	return s.Created
}

func older(b keyrecord.Book, versions ...string) []Older {
	var out []Older
	for _, r := range b.Keys {
		if !r.State.Alive() || r.State == keyrecord.Current || r.Version != "" && slices.Contains(versions, r.Version) {
			continue
		}
		out = append(out, Older{
			KeyID: r.KeyID, Name: r.KeyName, State: r.State, Why: r.Why, Replaced: r.Replaced,
			LastUsed: r.LastUsed, Next: r.Next, Attempts: r.Attempts, LastError: r.LastErr,
		})
	}
	slices.SortFunc(out, func(a, b Older) int { return a.Replaced.Compare(b.Replaced) })
	return out
}

// overdue says what is late; due is when a rotation was due, and no earlier than
// the end of a pause or a freeze.
func overdue(k config.Key, s store.Secret, out Key, due, now time.Time) []string {
	if out.Stage == Deleted {
		return nil
	}
	var late []string
	if s.RotationEnabled && !s.NextRotation.IsZero() && now.Sub(due) > slack {
		late = append(late, "its rotation")
	}
	if out.Stage == Stuck {
		late = append(late, "the end of a rotation")
	}
	for _, o := range out.Older {
		if !o.Replaced.IsZero() && now.Sub(o.Replaced) > k.Grace.Max+k.Grace.Disabled+slack {
			late = append(late, "the end of the older key "+o.KeyID)
		}
	}
	return late
}

// next is the first of what is to come.
func next(k config.Key, out Key, now time.Time) Act {
	switch out.Stage {
	case Deleted:
		return Act{What: "restore the secret, or take it out of the configuration"}
	case Empty:
		return Act{What: "make its first key: keyturn init " + k.Secret}
	case Stuck:
		return Act{What: "the sweep removes what is pending, then rotate it: keyturn rotate-now " + k.Secret + " --reason WHY"}
	case Rotating:
		return Act{What: "Secrets Manager goes on with the rotation"}
	case Paused:
		return Act{What: "the pause ends; to end it before: keyturn resume " + k.Secret, At: out.Pause.Until}
	case Frozen:
		return Act{What: "the freeze in the configuration ends", At: out.Pause.Until}
	case Off, Idle, Unknown:
	}
	act := Act{What: "rotation", At: out.NextRotation}
	if out.Stage == Off || act.At.IsZero() {
		act = Act{What: "turn rotation on: deploy the key again"}
	}
	for _, o := range out.Older {
		if o.State == keyrecord.Held && o.Next.IsZero() {
			return Act{What: "decide about the older key " + o.KeyID + ", which is held: see why"}
		}
		if o.Next.IsZero() || !act.At.IsZero() && !o.Next.Before(act.At) {
			continue
		}
		act = Act{What: "look at the older key " + o.KeyID + " again", At: o.Next}
	}
	if act.At.Before(now) && !act.At.IsZero() {
		act.What += ", which is due"
	}
	return act
}
