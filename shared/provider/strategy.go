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
	Usage    UsageReporter // nil: the API does not say
	Scope    Scoper        // nil: the API does not say
	Disable  Disabler      // nil: a key is either alive or gone
	Expire   Expirer       // nil: keys do not expire
	Identify Identifier    // nil: a value does not lead to its key
}

// DualSlot regenerates the slot that is not in use.
type DualSlot struct {
	Slots interface {
		Slotter
		Verifier
	}
	Usage   UsageReporter // nil: the API does not say
	Read    Reader        // nil: a value is shown once
	Disable Disabler      // nil: a slot is either alive or gone
}

// RollInPlace replaces the value at once: consumers that hold the old one fail
// until they fetch again.
type RollInPlace struct {
	Key interface {
		Roller
		Verifier
	}
	Set  Setter // nil: the vendor chooses the value
	Read Reader // nil: a value is shown once
}

// RollWithGrace replaces the value and the vendor keeps the old one alive.
type RollWithGrace struct {
	Key interface {
		Roller
		Verifier
	}
	MaxGrace time.Duration // the longest grace the API accepts
}

func (Overlap) strategy()       {}
func (DualSlot) strategy()      {}
func (RollInPlace) strategy()   {}
func (RollWithGrace) strategy() {}
