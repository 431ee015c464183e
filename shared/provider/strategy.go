package provider

import "time"

// Strategy is how a vendor's keys are replaced. It is one of [Overlap],
// [DualSlot], [RollInPlace] and [RollWithGrace].
//
//sumtype:decl
type Strategy interface{ strategy() }

// Overlap creates a second key, and revokes the first when nobody needs it.
type Overlap struct {
	Keys interface {
		Creator
		Lister
		Revoker
		Verifier
	}
	Max      int           // keys the account may hold; 0: no limit known
	Copy     Copier        // takes a next key's rights from the current one; nil: the settings say them
	Usage    UsageReporter // nil: the API does not say
	Scope    Scoper        // nil: the API does not say
	Disable  Disabler      // nil: a key is either alive or gone
	Expire   Expirer       // nil: keys do not expire
	Identify Identifier    // nil: a value does not lead to its key
	// Roll replaces a key's value and ends the old one at once: for an emergency
	// where the account has no room. nil: it is not done.
	Roll Roller
}

// DualSlot is for a principal with room for a few keys that carry no names:
// one is in use, and the next takes an empty slot beside it. Which key is which
// is known by its value, so an unknown one is nobody's to end, unless the
// operator has handed the principal over.
type DualSlot struct {
	Slots interface {
		Slotter
		Revoker
		Verifier
		Identifier
	}
	Max     int           // slots there are; 0: no limit known
	Fill    Filler        // nil: Place is set
	Place   Placer        // nil: the vendor chooses the value
	Usage   UsageReporter // nil: the API does not say
	Disable Disabler      // nil: a key is either alive or gone
}

// RollInPlace replaces the value at once: consumers that hold the old one fail
// until they fetch again.
type RollInPlace struct {
	ID  string // of the key that is rolled
	Key Verifier
	// Set stores a value of ours. It is preferred; nil: the vendor chooses.
	Set  Setter
	Roll Roller // nil: Set is set
	Read Reader // nil: a value is shown once
}

// RollWithGrace replaces the value and the vendor keeps the old one alive.
type RollWithGrace struct {
	ID  string // of the key that is rolled
	Key interface {
		Roller
		Verifier
	}
	MinGrace time.Duration // the shortest grace the API accepts; as long as MaxGrace: it cannot be chosen
	MaxGrace time.Duration // the longest grace the API accepts
}

// Grace returns the grace nearest to want that the API accepts.
func (s RollWithGrace) Grace(want time.Duration) time.Duration {
	return min(max(want, s.MinGrace), s.MaxGrace)
}

func (Overlap) strategy()       {}
func (DualSlot) strategy()      {}
func (RollInPlace) strategy()   {}
func (RollWithGrace) strategy() {}
