package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

func (t *takeover) keyIn(v store.Version) (secret.Value, error) {
	return payload.Key(v.Value, t.key.Value)
}

// function is a function's ARN without an alias or a version.
func function(arn string) string {
	const parts = 7
	p := strings.Split(arn, ":")
	return strings.Join(p[:min(len(p), parts)], ":")
}

// overlap finds the current key among those that an account lists.
func (t *takeover) overlap(ctx context.Context, o provider.Overlap) {
	keys, err := o.Keys.List(ctx)
	if err != nil {
		t.problem(t.vendor("list the keys", err))
		return
	}
	t.listed(keys, o.Max)
	if o.Max > 0 && len(keys) >= o.Max {
		t.problem(t.err(VendorFull, fmt.Sprintf("there is no room for another key, so it could not be rotated: %d of %d are taken", len(keys), o.Max), nil,
			"delete keys that nobody needs at the vendor; Keyturn never deletes a key that is not its own"))
	}
	if t.value.Empty() {
		return // said already
	}
	lineage, err := keyname.LineageOf(t.secret.ARN)
	if err != nil {
		t.problem(t.err(NotOurs, "the secret's ARN cannot be read", err))
		return
	}
	f := family{lineage: lineage, keys: keys, book: t.book, secret: t.secret}
	if own := f.current(); own != "" {
		t.out.KeyID, t.already = own, true
		t.out.FoundBy = "its name, or the record of a rotation or an earlier adoption: it is ours already"
		if said := t.ask.KeyID; said != "" && said != own {
			t.problem(t.err(KeyUnknown, fmt.Sprintf("the current key is %q, and ours already, not %q", bounded(own), bounded(said)), nil, "leave --key-id out"))
		}
	} else {
		t.identify(ctx, o.Identify, keys)
	}
	i := slices.IndexFunc(keys, func(k provider.Key) bool { return k.ID == t.out.KeyID })
	if i < 0 {
		t.others(keys)
		return
	}
	t.out.KeyName = keys[i].Name
	if n, ok := keyname.Parse(keys[i].Name); ok && n.Lineage != lineage {
		t.problem(t.err(KeyClaimed, "the key's name says that Keyturn made it for another secret", nil,
			"let one secret hold the key, or give this secret a key of its own: make one at the vendor, store it here, and adopt it"))
	}
	t.rights(ctx, o)
}

func (t *takeover) listed(keys []provider.Key, limit int) {
	t.out.Keys, t.out.Limit = len(keys), limit
	t.well("the admin credential works")
	if limit > 0 && len(keys) < limit {
		t.well(fmt.Sprintf("there is room for another key: %d of %d are taken", len(keys), limit))
	}
	if limit == 0 {
		t.unknown("whether the vendor has room for another key: no limit is known")
	}
}

func (t *takeover) rights(ctx context.Context, o provider.Overlap) {
	if o.Scope == nil {
		t.unknown("what the key may do: the vendor does not tell, so a new key's rights are not compared with it")
		return
	}
	scopes, err := t.scopesOf(ctx, o, t.out.KeyID)
	if err != nil {
		t.problem(err)
		return
	}
	t.out.Scopes = scopes
}

// identify finds the current key's id: the vendor knows it by its value, or the
// operator says it.
func (t *takeover) identify(ctx context.Context, by provider.Identifier, keys []provider.Key) {
	said := t.ask.KeyID
	inList := func(id string) bool {
		return slices.ContainsFunc(keys, func(k provider.Key) bool { return k.ID == id })
	}
	if by == nil {
		switch {
		case said == "":
			t.noID()
		case inList(said):
			t.out.KeyID, t.out.FoundBy = said, "the operator, who has confirmed it: the vendor lists it, and cannot say whose value it is"
		default:
			t.problem(t.err(KeyUnknown, fmt.Sprintf("the vendor lists no key with the id %q", bounded(said)), nil,
				"look it up at the vendor, or see which ids it lists: keyturn adopt "+t.key.Secret+" --observe"))
		}
		return
	}
	id, err := by.Identify(ctx, t.value)
	switch {
	case err != nil && provider.KindOf(err) == provider.KindNotFound, err == nil && !inList(id):
		t.problem(t.err(KeyUnknown, "the vendor accepts the current key, but the account that the admin credential manages does not hold it", err,
			"check that the key's vendor account and settings are those of the key"))
	case err != nil:
		t.problem(t.vendor("look for the current key by its value", err))
	case said != "" && said != id:
		t.problem(t.err(KeyUnknown, fmt.Sprintf("by its value the current key is %q, not %q", bounded(id), bounded(said)), nil, "leave --key-id out, or correct it"))
	default:
		t.out.KeyID, t.out.FoundBy = id, "its value, by which the vendor knows it"
	}
}

// noID is for a key that can be replaced and never be ended by us.
func (t *takeover) noID() {
	t.warn(KeyUnknown, "the vendor cannot say which of its keys the current value is. Without its id the key can be replaced, and will not be retired by us: it stays alive until somebody deletes it at the vendor",
		"look its id up at the vendor, and adopt it with it: keyturn adopt "+t.key.Secret+" --key-id ID")
}

// others lists the keys that may be the current one.
func (t *takeover) others(keys []provider.Key) {
	const most = 50
	for _, k := range keys {
		if _, ours := keyname.Parse(k.Name); ours {
			continue
		}
		if len(t.out.Others) == most {
			t.unknown(fmt.Sprintf("whether it is one of the keys that are not shown: %d are, of %d", most, len(keys)))
			return
		}
		t.out.Others = append(t.out.Others, Listed{ID: k.ID, Name: k.Name, Created: k.Created})
	}
}

// dualSlot finds the current key among those of a principal.
func (t *takeover) dualSlot(ctx context.Context, d provider.DualSlot) {
	keys, err := d.Slots.Slots(ctx)
	if err != nil {
		t.problem(t.vendor("list the keys", err))
		return
	}
	t.listed(keys, d.Max)
	if t.value.Empty() {
		return
	}
	t.identify(ctx, d.Slots, keys)
	if t.out.KeyID == "" {
		return
	}
	if rec, ok := t.book.Key(t.out.KeyID); ok && rec.Version == t.out.VersionID {
		t.already = true
	}
	t.strangers(ctx, d, keys)
}

// strangers warns of keys that no version of the secret holds: nobody knows
// whose they are.
func (t *takeover) strangers(ctx context.Context, d provider.DualSlot, keys []provider.Key) {
	previous := ""
	if v, err := t.Store.Get(ctx, t.key.Secret, "", store.Previous); err == nil {
		if key, err := t.keyIn(v); err == nil {
			previous, _ = d.Slots.Identify(ctx, key)
		}
	}
	var ids []string
	for _, k := range keys {
		if _, known := t.book.Key(k.ID); !known && k.ID != t.out.KeyID && k.ID != previous {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	what := plural(len(ids), "key of the principal is", "keys of the principal are") + " known to no version of the secret" + listed(": ", ids)
	full := d.Max > 0 && len(keys) >= d.Max
	switch {
	case t.key.Exclusive:
		t.warn(KeyUnknown, what+". The configuration says \"exclusive\", so Keyturn will end them", "if somebody uses them, take \"exclusive\" out of the configuration before anything else")
	case full:
		t.warn(VendorFull, what+". They take the slot that the next rotation needs, so it will stop",
			"if nobody uses them, delete them at the vendor", "or hand the principal over, and Keyturn ends them: \"exclusive\": true in the key's configuration")
	default:
		t.warn(KeyUnknown, what+". They stay as they are", "if nobody uses them, delete them at the vendor")
	}
}

// inPlace checks the one key that the settings name.
func (t *takeover) inPlace(ctx context.Context, st provider.RollInPlace) {
	if st.Set == nil && !t.key.AcceptDowntime {
		t.warn(DowntimeRefused, "this vendor ends the current value before the new one can be stored, so the next rotation will stop",
			"write \"acceptDowntime\": true in the key's configuration")
	}
	if st.Read == nil {
		t.rolled(st.ID)
		t.unknown("whether the admin credential may replace the key, and whether the key is the one that the settings name: this vendor shows neither before")
		return
	}
	switch value, err := st.Read.Read(ctx, st.ID); {
	case err != nil:
		t.problem(t.vendor("read the key that the settings name", err))
	case t.value.Empty():
	case !value.Equal(t.value):
		t.well("the admin credential works")
		t.problem(t.err(KeyUnknown, "the key that the settings name has another value at the vendor than the secret", nil,
			"correct the id in the key's settings, or store the value that the vendor has"))
	default:
		t.well("the admin credential works, and the key that the settings name has this value")
		t.rolled(st.ID)
	}
}

// rolled is for a key that keeps its id while its value is replaced: what has a
// life of its own is its value, which is named by the version that holds it.
func (t *takeover) rolled(id string) {
	t.out.Keys = 1
	if t.ask.KeyID != "" && t.ask.KeyID != id {
		t.problem(t.err(KeyUnknown, fmt.Sprintf("the settings name the key %q, not %q", bounded(id), bounded(t.ask.KeyID)), nil, "leave --key-id out, or correct the settings"))
		return
	}
	t.out.KeyID, t.out.FoundBy = id, "the key's settings, which name it"
	_, t.already = t.book.Key(t.recordID())
}
