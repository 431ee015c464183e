package retire

import "slices"

// The dimensions of a secret's labels. The zero value of each fits any.
type (
	reads        string // do DescribeSecret and ListSecretVersionIds say the same
	place        string // of AWSCURRENT and AWSPREVIOUS
	pending      string // where AWSPENDING is
	pendingValue string // what the pending version holds, if it is neither AWSCURRENT nor AWSPREVIOUS
	age          string // of AWSPENDING there
	kind         string // of what a rotation makes
	action       string
)

const (
	agree  reads = "agree"
	differ reads = "differ"

	there     place = "there"
	missing   place = "missing"
	elsewhere place = "on another version"
	onPending place = "on the pending version"

	pendingNowhere  pending = "nowhere"
	pendingCurrent  pending = "on AWSCURRENT"
	pendingPrevious pending = "on AWSPREVIOUS"
	pendingOther    pending = "on another version"

	valueAny      pendingValue = ""
	valueNone     pendingValue = "none"
	valueAccepted pendingValue = "accepted"
	valueRefused  pendingValue = "refused"
	valueUntold   pendingValue = "cannot tell"

	young age = "young"
	old   age = "old"

	apart    kind = "a key"
	replaced kind = "a value in place of another" // RollInPlace, RollWithGrace

	leave  action = "leave it"
	tell   action = "leave it, tell somebody daily"
	remove action = "take it off"
)

// labelState is one state of a secret's labels.
type labelState struct {
	reads    reads
	current  place // there, missing
	pending  pending
	value    pendingValue
	age      age
	previous place // elsewhere, missing, onPending
	kind     kind
}

// healRule says what is done in the states that it fits.
type healRule struct {
	labelState

	do  action
	why string // for the audit trail and docs/heal.md
}

// heal is every state of the labels, and what is done about it. Exactly one
// rule fits each.
//
//nolint:gochecknoglobals // a table
var heal = []healRule{
	{
		labelState{reads: differ},
		leave,
		"the labels are moving, and nothing is decided on them: they are read again",
	},
	{
		labelState{reads: agree, pending: pendingNowhere},
		leave,
		"no rotation is under way",
	},

	{
		labelState{reads: agree, current: missing, pending: pendingOther, age: young},
		leave,
		"a first rotation may be under way",
	},
	{
		labelState{reads: agree, current: missing, pending: pendingOther, age: old},
		tell,
		"without a current key there is nothing to hold others against; a person makes the first one, which AWSPENDING does not block",
	},
	{
		labelState{reads: agree, current: missing, pending: pendingPrevious, age: young},
		leave,
		"AWSCURRENT cannot be taken off, so this is a secret whose labels are being made",
	},
	{
		labelState{reads: agree, current: missing, pending: pendingPrevious, age: old},
		tell,
		"without a current key there is nothing to hold others against; a person decides",
	},

	{
		labelState{reads: agree, current: there, pending: pendingCurrent, age: young},
		leave,
		"Secrets Manager takes it off when the rotation is complete",
	},
	{
		labelState{reads: agree, current: there, pending: pendingCurrent, age: old},
		remove,
		"the rotation is over and it was left on the current version",
	},

	{
		labelState{reads: agree, current: there, pending: pendingPrevious, age: young},
		leave,
		"AWSCURRENT has just gone on or back; whoever moved it may not be done",
	},
	{
		labelState{reads: agree, current: there, pending: pendingPrevious, age: old},
		remove,
		"that version was current already, so its rotation is over; left there, it blocks every rotation",
	},

	{
		labelState{reads: agree, current: there, pending: pendingOther, age: young},
		leave,
		"the rotation may still be tried again",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueNone, age: old, kind: apart},
		remove,
		"the rotation stopped before it stored a value, and blocks every other; its key is a lost one and is swept",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueAccepted, age: old, kind: apart},
		remove,
		"the rotation stopped before it was promoted, and blocks every other; its key is retired like a replaced one",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueRefused, age: old},
		remove,
		"the rotation cannot succeed with a key that the vendor refuses, and blocks every other; that the key is dead is proven like a replaced one's",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueUntold, age: old, kind: apart},
		remove,
		"the rotation stopped, and blocks every other, whether or not its key works; the key is retired like a replaced one",
	},

	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueNone, age: old, kind: replaced},
		remove,
		"nothing is stored that could be lost, and only another rotation makes a value that is known, should the current one have an end",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueAccepted, age: old, kind: replaced},
		tell,
		"it may soon be the only value that works, and a version without a label is deleted some day; it is made current as soon as the current one is refused",
	},
	{
		labelState{reads: agree, current: there, pending: pendingOther, value: valueUntold, age: old, kind: replaced},
		tell,
		"it may be the only value that works, and a version without a label is deleted some day",
	},
}

// ruleFor returns the rule that fits a state. One that nobody foresaw is left
// alone.
func ruleFor(s labelState) healRule {
	if i := slices.IndexFunc(heal, func(h healRule) bool { return h.fits(s) }); i >= 0 {
		return heal[i]
	}
	return healRule{labelState: s, do: leave}
}

func (s labelState) fits(o labelState) bool {
	return (s.reads == "" || s.reads == o.reads) && (s.current == "" || s.current == o.current) &&
		(s.pending == "" || s.pending == o.pending) && (s.value == "" || s.value == o.value) &&
		(s.age == "" || s.age == o.age) && (s.kind == "" || s.kind == o.kind) && (s.previous == "" || s.previous == o.previous)
}
