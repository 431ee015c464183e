package keyrecord

import "regexp"

// WhyUnknownID is what is said of a key whose id nobody knows.
const WhyUnknownID = "cannot be retired by us: its id at the vendor is not known"

const unknownID = "unknown-"

var unknownForm = regexp.MustCompile(`^` + unknownID + `[0-9a-f]{16}$`)

// UnknownID returns what stands in a record for the id of a key that was taken
// over although nobody knows its id at the vendor. rotation is keyname.Rotation
// of the version that holds the key.
func UnknownID(rotation string) string { return unknownID + rotation }

// IDUnknown reports whether a record is of a key whose id at the vendor nobody
// knows: nothing can be done to it, and that no list names it means nothing.
func (r Record) IDUnknown() bool { return r.Origin == Adopted && unknownForm.MatchString(r.KeyID) }
