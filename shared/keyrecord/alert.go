package keyrecord

import "time"

// AlertFor is how long an alert stays open if nobody sees its cause end.
const AlertFor = 30 * 24 * time.Hour

// What an [Alert] is about, which says when its cause has ended.
const (
	AboutRotation = "rotation" // when a rotation has succeeded since
	AboutKey      = "key"      // when its key has ended, or is no longer held
	AboutLook     = "look"     // when a look at the secret no longer finds it
	AboutFinding  = "finding"  // when somebody has acknowledged it: nothing else shows that it is over
)

// Installation is what alerts are recorded under that are about no key of ours: the
// installation as a whole, an admin credential, the canary. No secret is called so.
const Installation = "*"

// Alert is news that asks somebody to act. It stays recorded until its cause
// ends, or for [AlertFor].
type Alert struct {
	Secret    string
	ID        string // the same for the same news
	Kind      string // of the notification
	Severity  string
	Summary   string
	About     string // AboutRotation, AboutKey or AboutLook
	KeyID     string // of AboutKey
	At        time.Time
	Acked     time.Time // when somebody took it on; zero: nobody has
	By        string    // who, as far as AWS vouches for it
	Reason    string    // what that one said
	Escalated time.Time // when it was told to others because nobody had; zero: it was not
	Revision  int       // of this record; 0: not stored yet
	More      any       // what a newer version stored beside: the store keeps it; nil: nothing
}

// Open reports whether a has not ended by its age.
func (a Alert) Open(now time.Time) bool { return now.Sub(a.At) < AlertFor }

// Open returns the alerts that are open.
func (b Book) Open(now time.Time) []Alert {
	var out []Alert
	for _, a := range b.Alerts {
		if a.Open(now) {
			out = append(out, a)
		}
	}
	return out
}
