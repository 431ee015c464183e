package rotation

import (
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// family is the keys of one secret as the vendor lists them.
type family struct {
	lineage string
	keys    []provider.Key
	book    keyrecord.Book
	secret  store.Secret
}

// of returns our keys of one rotation.
func (f family) of(token string) []provider.Key {
	var out []provider.Key
	for _, k := range f.keys {
		if n, ok := keyname.Parse(k.Name); ok && n.Lineage == f.lineage && n.Rotation == keyname.Rotation(token) {
			out = append(out, k)
		}
	}
	return out
}

// current returns the ID of the key that AWSCURRENT holds, "" if unknown. What
// the value says of itself is no proof, so it is not asked.
func (f family) current() string {
	version := f.secret.VersionAt(store.Current)
	if of := f.of(version); len(of) == 1 {
		return of[0].ID
	}
	for _, rec := range f.book.Keys {
		if rec.Version == version && f.listed(rec.KeyID) {
			return rec.KeyID
		}
	}
	return ""
}

// older returns the IDs of keys of ours that an earlier rotation replaced and
// that still live at the vendor. A key that no version and no record knows is
// an orphan: the sweep's, and no reason to wait.
func (f family) older(token string) []string {
	current, previous := f.secret.VersionAt(store.Current), f.secret.VersionAt(store.Previous)
	var out []string
	for _, k := range f.keys {
		rec, known := f.book.Key(k.ID)
		n, ours := keyname.Parse(k.Name)
		ours = ours && n.Lineage == f.lineage
		switch {
		case ours && (n.Rotation == keyname.Rotation(token) || n.Rotation == keyname.Rotation(current)):
		case known && rec.Version == current:
		case known && (ours || rec.Origin == keyrecord.Adopted) && rec.State.Alive() && rec.State != keyrecord.Lost:
			out = append(out, k.ID)
		case !known && ours && previous != "" && n.Rotation == keyname.Rotation(previous):
			out = append(out, k.ID)
		}
	}
	return out
}

func (f family) listed(id string) bool {
	for _, k := range f.keys {
		if k.ID == id {
			return true
		}
	}
	return false
}
