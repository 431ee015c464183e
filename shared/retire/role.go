package retire

import (
	"slices"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// role is what a key is to the secret, by its name and our records.
type role string

const (
	roleCurrent  role = "current"  // the current version holds it
	roleUnclear  role = "unclear"  // made by the current version's rotation, and so was another: one of them is current
	rolePending  role = "pending"  // made by a rotation that is not over
	roleReplaced role = "replaced" // a version holds it, or held it
	roleLost     role = "lost"     // ours, and no version ever held it
	roleRenamed  role = "renamed"  // we have a record of it, and it does not carry our name any more
)

// inEmergency reports whether the current version's rotation was asked for in an
// emergency.
func (r *run) inEmergency() bool {
	q, ok := r.book.Request(keyname.Rotation(r.version))
	return ok && q.Mode == keyrecord.Emergency
}

// owned reports whether a listed key is ours to touch, by its name or because
// the operator handed it over.
func (r *run) owned(k provider.Key) (name keyname.Name, ok bool) {
	name, named := keyname.Parse(k.Name)
	if named && name.Lineage == r.lineage {
		return name, true
	}
	rec := r.records[k.ID]
	return keyname.Name{}, rec != nil && rec.Origin == keyrecord.Adopted
}

// holds reports whether a listed key was made for a version, or is recorded as
// held by it.
func (r *run) holds(k provider.Key, version string) bool {
	name, ok := r.owned(k)
	if !ok {
		return false
	}
	rec := r.records[k.ID]
	return name.Rotation == keyname.Rotation(version) || rec != nil && rec.Version == version
}

// candidates returns the IDs of the keys that the current version may hold.
func (r *run) candidates() []string {
	var out []string
	for id, k := range r.listed {
		if r.holds(k, r.version) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// assign gives every listed key of ours its role; others get none.
func (r *run) assign() {
	r.roles = map[string]role{}
	for id, k := range r.listed {
		if ro := r.roleListed(k); ro != "" {
			r.roles[id] = ro
		}
	}
}

func (r *run) roleListed(k provider.Key) role {
	rec := r.records[k.ID]
	name, ok := r.owned(k)
	if !ok {
		switch {
		case rec != nil && k.ID == r.current:
			return roleCurrent
		case rec != nil && rec.State.Alive():
			return roleRenamed
		}
		return ""
	}
	switch {
	case k.ID == r.current:
		return roleCurrent
	case slices.Contains(r.unclear, k.ID):
		return roleUnclear
	case r.holds(k, r.version): // and another one is the current
		if r.secret.Has(r.version, store.Pending) {
			return rolePending
		}
		return roleLost
	}
	switch {
	case r.pending(k):
		return rolePending
	case rec != nil && wasStored(*rec) || r.versionOf(k) != "":
		return roleReplaced
	case name.Lineage == "":
		return roleUnclear // adopted: no key of somebody else's making is lost
	}
	return roleLost
}

// pending reports whether a key belongs to a rotation that is not over,
// whichever of our two reads says so.
func (r *run) pending(k provider.Key) bool {
	for version, labels := range r.secret.Stages {
		if r.holds(k, version) && slices.Contains(labels, store.Pending) {
			return true
		}
	}
	return slices.ContainsFunc(r.versions, func(v store.VersionInfo) bool {
		return r.holds(k, v.ID) && slices.Contains(v.Stages, store.Pending)
	})
}

func (r *run) roleUnlisted(rec keyrecord.Record) role {
	switch {
	case rec.KeyID == r.current:
		return roleCurrent
	case wasStored(rec):
		return roleReplaced
	}
	return roleLost
}

// wasStored reports whether a record says that a version held the key.
func wasStored(rec keyrecord.Record) bool {
	return rec.Version != "" || !rec.Promoted.IsZero() || !rec.Replaced.IsZero()
}

// versionOf returns the version that a listed key was made for, "" if it is not
// there any more.
func (r *run) versionOf(k provider.Key) string {
	for _, v := range r.versions {
		if r.holds(k, v.ID) {
			return v.ID
		}
	}
	return ""
}
