package keyrecord

import "time"

// MaxPause is how far ahead a pause may end. A key that cannot be rotated for
// longer than that is not paused, it is not rotated: take it out of the
// configuration. It is also as long as CloudTrail's event history, so that who
// paused what can always be looked up.
const MaxPause = 90 * 24 * time.Hour

// Pause stops the rotations of one secret for a while. It stays recorded when it
// is over, until the next one.
type Pause struct {
	Secret   string
	ID       string // of the act in the audit trail
	Until    time.Time
	Reason   string
	Owner    string    // who answers for it
	By       string    // who asked for it, as far as AWS vouches for it
	At       time.Time // when
	Ended    time.Time // by resume, before its time; zero: it was not
	EndedBy  string
	Revision int // of this record; 0: not stored yet
	More     any // what a newer version stored beside: the store keeps it; nil: nothing
}

// InForce reports whether p stops rotations now. A nil Pause does not.
func (p *Pause) InForce(now time.Time) bool {
	return p != nil && p.Ended.IsZero() && now.Before(p.Until)
}

// Expired reports whether p has ended by itself: its time is over, and nobody
// ended it before.
func (p *Pause) Expired(now time.Time) bool {
	return p != nil && p.Ended.IsZero() && !now.Before(p.Until)
}

// Over returns when p has ended or will end; zero for a nil Pause. What was due
// before is not late before then.
func (p *Pause) Over() time.Time {
	switch {
	case p == nil:
		return time.Time{}
	case !p.Ended.IsZero() && p.Ended.Before(p.Until):
		return p.Ended
	}
	return p.Until
}

// Wanted reports whether a rotation failed only because a pause or a freeze
// refused it, as somebody wanted.
func (f *Failure) Wanted() bool {
	return f != nil && (f.ErrorType == "Paused" || f.ErrorType == "Frozen")
}
