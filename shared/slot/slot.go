// Package slot looks at a principal whose keys carry no names as if they did.
//
// A key's name is how the engines know what is ours. Where a vendor keeps no
// names, the secret's versions tell instead: a key whose value a version holds
// is the one that version's rotation made. [View.Overlap] gives each such key
// the name it would carry; any other key has none, and is nobody's to end,
// unless the operator has handed the principal over.
package slot

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// View is one principal as one secret sees it.
type View struct {
	DualSlot provider.DualSlot
	Lineage  string // of the secret: see [keyname.Lineage]
	Records  []keyrecord.Record
	// Stray is the rotation that the unknown keys of an exclusive principal are
	// put down to. "": it is not exclusive, and they have no name.
	Stray string
	// Values returns the key in a version; false if it holds none.
	Value func(ctx context.Context, version string) (secret.Value, bool, error)
	// Versions returns every version of the secret, unlabeled ones included. It
	// is called after the keys are listed, and only if one of them is unknown.
	Versions func(ctx context.Context) ([]store.VersionInfo, error)
	Entropy  io.Reader // cryptographically strong
}

// Overlap returns the principal as an account in which keys have names.
func (v View) Overlap() provider.Overlap {
	d := v.DualSlot
	return provider.Overlap{Keys: keys{v}, Max: d.Max, Usage: d.Usage, Disable: d.Disable, Identify: d.Slots}
}

type keys struct{ v View }

// Create implements [provider.Creator]. The name stays with us.
func (k keys) Create(ctx context.Context, name string) (provider.Issued, error) {
	d := k.v.DualSlot
	if d.Place == nil {
		is, err := d.Fill.Fill(ctx)
		is.Name = name
		return is, err
	}
	value, err := d.Place.Choose(k.v.Entropy)
	if err != nil {
		return provider.Issued{}, &provider.Error{Op: "choose a value", Kind: provider.KindNotSent, Err: errors.New("no randomness")}
	}
	key, err := d.Place.Place(ctx, value)
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		key, err = d.Place.Place(ctx, value) // it looks first
	}
	key.Name = name
	return provider.Issued{Key: key, Value: value}, err
}

// Revoke implements [provider.Revoker].
func (k keys) Revoke(ctx context.Context, id string) error { return k.v.DualSlot.Slots.Revoke(ctx, id) }

// Verify implements [provider.Verifier].
func (k keys) Verify(ctx context.Context, key secret.Value) error {
	return k.v.DualSlot.Slots.Verify(ctx, key)
}

// List implements [provider.Lister].
func (k keys) List(ctx context.Context) ([]provider.Key, error) {
	listed, err := k.v.DualSlot.Slots.Slots(ctx)
	if err != nil {
		return nil, err
	}
	version := map[string]string{} // of each key that a version holds
	for _, rec := range k.v.Records {
		if rec.Version != "" {
			version[rec.KeyID] = rec.Version
		}
	}
	unknown := slices.DeleteFunc(slices.Clone(listed), func(l provider.Key) bool { return version[l.ID] != "" })
	if len(unknown) > 0 {
		told, err := k.v.lookUp(ctx, listed, unknown, version)
		if err != nil {
			return nil, err
		}
		if !told { // one of the unknown keys may be the one in use
			k.v.Stray = ""
		}
	}
	for i, l := range listed {
		listed[i].Name = k.v.name(l, version[l.ID])
	}
	return listed, nil
}

// lookUp finds the versions of keys that no record knows. told says that the
// keys which are still unknown then are in no use by this secret: the current
// version's key is listed, and the previous version's value could be read. A
// list that is late, or a value of another shape, says nothing of a key.
func (v View) lookUp(ctx context.Context, listed, unknown []provider.Key, version map[string]string) (told bool, err error) {
	all, err := v.Versions(ctx)
	if err != nil {
		return false, err
	}
	recorded := recordedIn(listed, version)
	unread := false
	slices.SortStableFunc(all, func(a, b store.VersionInfo) int { return len(b.Stages) - len(a.Stages) })
	for _, at := range all {
		if len(unknown) == 0 {
			return true, nil
		}
		current := slices.Contains(at.Stages, store.Current)
		if lives, ok := recorded[at.ID]; ok && (lives || !current) {
			told = told || current
			continue
		}
		id, ok, err := v.holds(ctx, at.ID)
		switch {
		case err != nil:
			return false, err
		case !ok:
			unread = unread || slices.Contains(at.Stages, store.Previous)
		case id != "":
			version[id] = at.ID
			told = told || current && isListed(listed, id)
			unknown = slices.DeleteFunc(unknown, func(k provider.Key) bool { return k.ID == id })
		}
	}
	return told && !unread, nil
}

// recordedIn returns the versions whose key has a record, and whether such a key
// is listed.
func recordedIn(listed []provider.Key, version map[string]string) map[string]bool {
	out := map[string]bool{}
	for id, at := range version {
		out[at] = out[at] || isListed(listed, id)
	}
	return out
}

// holds returns the ID of the key in a version, "" if it is none of the
// principal's. ok is false where there is no value to ask about.
func (v View) holds(ctx context.Context, version string) (id string, ok bool, err error) {
	value, ok, err := v.Value(ctx, version)
	if err != nil || !ok {
		return "", false, err
	}
	id, err = v.DualSlot.Slots.Identify(ctx, value)
	switch {
	case err == nil:
		return id, true, nil
	case provider.KindOf(err) == provider.KindNotFound:
		return "", true, nil
	}
	return "", false, err
}

func isListed(keys []provider.Key, id string) bool {
	return slices.ContainsFunc(keys, func(k provider.Key) bool { return k.ID == id })
}

func (v View) name(k provider.Key, version string) string {
	created, rotation := k.Created, v.Stray
	if version != "" {
		rotation = keyname.Rotation(version)
	}
	for _, rec := range v.Records {
		if rec.KeyID == k.ID && rec.Origin == keyrecord.Adopted {
			return rec.KeyName // the record proves it, not the name
		}
	}
	if version == "" && created.IsZero() || rotation == "" {
		return "" // of unknown age: it may have been made a moment ago
	}
	if created.IsZero() {
		return keyname.Undated(v.Lineage, rotation).String()
	}
	return keyname.New(v.Lineage, rotation, created, 0).String()
}
