package retire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// findCurrent finds the key that the current version holds. What the value says
// of itself is no proof. Names and records are, until two keys have a claim:
// then only the vendor can tell.
func (r *run) findCurrent(ctx context.Context) error {
	switch c := r.candidates(); len(c) {
	case 1:
		r.current, r.known = c[0], true
	case 0:
		for id, rec := range r.records {
			if rec.Version == r.version && !rec.IDUnknown() {
				r.current, r.known = id, true // recorded, and not listed
			}
		}
		if !r.known {
			if err := r.currentByValue(ctx); err != nil {
				return err
			}
		}
	default:
		r.known = true // it is one of these
		if r.current = r.tellApart(ctx, c); r.current == "" {
			r.unclear = c
		}
	}
	r.assign()
	return nil
}

// tellApart returns which of several keys that one rotation made is in the
// current version, "" if the vendor does not help. The current one was tried
// before it was promoted, so a key that was never used is not it.
func (r *run) tellApart(ctx context.Context, ids []string) string {
	if id := r.identify(ctx); id != "" {
		if !slices.Contains(ids, id) {
			return "" // by its name it is one of these, so one of the two is wrong
		}
		return id
	}
	if r.vendor.Usage == nil || r.Now().Sub(r.created(r.version)) < r.info.UsageLag+time.Hour {
		return ""
	}
	var used []string
	for _, id := range ids {
		last, err := r.lastUsed(ctx, id)
		if err != nil {
			return ""
		}
		if !last.IsZero() {
			used = append(used, id)
		}
	}
	if len(used) == 1 {
		return used[0]
	}
	return ""
}

// identify asks the vendor for the current value's key, "" if it does not tell.
func (r *run) identify(ctx context.Context) string {
	if r.vendor.Identify == nil {
		return ""
	}
	v, err := r.currentValue(ctx)
	if err != nil {
		return ""
	}
	var id string
	err = r.call(ctx, func(ctx context.Context) (err error) {
		id, err = r.vendor.Identify.Identify(ctx, v)
		return err
	})
	if err != nil {
		return ""
	}
	return id
}

// currentByValue is for a current version that no rotation of ours made:
// somebody may have edited the secret and left one of our keys in it.
func (r *run) currentByValue(ctx context.Context) error {
	if r.current = r.identify(ctx); r.current != "" {
		r.known = true
		return nil
	}
	for id, k := range r.listed {
		if _, ok := r.owned(k); !ok {
			continue
		}
		version := r.versionOf(k)
		if version == "" {
			continue
		}
		same, ok, err := r.sameAsCurrent(ctx, version)
		if err != nil {
			return err
		}
		if ok && same {
			r.current, r.known = id, true
		}
	}
	return nil
}

// otherByValue says why the vendor may know the current value as this key's: an
// emergency may have replaced a key's own value, and then neither its name nor
// its record says that it is current.
func (r *run) otherByValue(ctx context.Context, rec *keyrecord.Record) error {
	if r.vendor.Roll == nil || r.vendor.Identify == nil {
		return nil
	}
	v, err := r.currentValue(ctx)
	if err != nil {
		return err
	}
	var id string
	err = r.call(ctx, func(ctx context.Context) (err error) {
		id, err = r.vendor.Identify.Identify(ctx, v)
		return err
	})
	switch {
	case err != nil:
		return err
	case id == rec.KeyID:
		return gate("by its value it is the current key")
	}
	return nil
}

func (r *run) created(version string) time.Time {
	for _, v := range r.versions {
		if v.ID == version {
			return v.Created
		}
	}
	return r.Now()
}

func (r *run) lastUsed(ctx context.Context, id string) (last time.Time, err error) {
	err = r.call(ctx, func(ctx context.Context) (err error) {
		last, err = r.vendor.Usage.LastUsed(ctx, id)
		return err
	})
	return last, err
}

// currentValue returns the key in the current version.
func (r *run) currentValue(ctx context.Context) (secret.Value, error) {
	if r.value != nil {
		return *r.value, nil
	}
	v, ok, err := r.valueOf(ctx, r.version)
	if err == nil && !ok {
		err = errors.New("it has no value of the configured shape")
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("read the current version: %w", err)
	}
	r.value = &v
	return v, nil
}

// valueOf returns the key in a version, and false if the version is not there
// any more or holds no key.
func (r *run) valueOf(ctx context.Context, version string) (key secret.Value, ok bool, err error) {
	if version == "" {
		return secret.Value{}, false, nil
	}
	r.calls["secretsmanager"]++
	v, err := r.Store.Get(ctx, r.key.Secret, version, "")
	if err != nil {
		if store.KindOf(err) == store.KindNotFound {
			err = nil
		}
		return secret.Value{}, false, err
	}
	key, err = payload.Key(v.Value, r.key.Value)
	r.prints[version] = key.Fingerprint(r.Fingerprint)
	return key, err == nil, nil
}

// sameAsCurrent reports whether a version holds the same key as the current
// one; ok is false if it has no value to compare.
func (r *run) sameAsCurrent(ctx context.Context, version string) (same, ok bool, err error) {
	old, ok, err := r.valueOf(ctx, version)
	if err != nil || !ok {
		return false, false, err
	}
	cur, err := r.currentValue(ctx)
	return err == nil && cur.Equal(old), err == nil, err
}

// promote records the current key when it is new, announces it, and brings a
// key back to life that has become current again.
func (r *run) promote(ctx context.Context) error {
	k, listed := r.listed[r.current]
	if !listed {
		if r.records[r.current] != nil {
			r.suspect(ctx)
		}
		return nil
	}
	if r.roles[r.current] != roleCurrent {
		return nil // somebody else's key: not ours to follow
	}
	rec := r.records[r.current]
	if rec == nil {
		rec = r.newRecord(k)
	}
	_, owned := r.owned(k)
	switch {
	case !rec.Revoked.IsZero() || !rec.State.Alive():
		// Ended, and current again: somebody moved the label back.
		r.suspect(ctx)
		return nil
	case !rec.Disabled.IsZero() && r.vendor.Disable != nil && owned:
		if err := r.perform(ctx, audit.Enable, rec, "it is current again", r.vendor.Disable.Enable); err != nil {
			return r.failed(ctx, rec, err)
		}
	}
	r.markCurrent(rec)
	if err := r.save(ctx, rec); err != nil {
		return err
	}
	if err := r.tellBack(ctx, rec); err != nil {
		return err
	}
	return r.tell(ctx, rec, string(notify.Rotated), r.messageRotated(*rec))
}

// markCurrent begins a key's life as the current one, again if need be.
func (r *run) markCurrent(rec *keyrecord.Record) {
	if rec.State == keyrecord.Current && rec.Version == r.version {
		if !rec.Next.IsZero() { // it was replaced while nothing could be looked at, and is back
			rec.Next = time.Time{}
			worked(rec)
		}
		return
	}
	if rec.State != keyrecord.Current || rec.Promoted.IsZero() {
		rec.Promoted = r.Now()
	}
	rec.State, rec.Version = keyrecord.Current, r.version
	rec.Hurried = time.Time{}
	rec.Replaced, rec.Disabled, rec.Missing = time.Time{}, time.Time{}, time.Time{}
	rec.Next, rec.Why, rec.Seen = time.Time{}, "", 0
	worked(rec)
}

// suspect tries a current key that may not work.
func (r *run) suspect(ctx context.Context) {
	if err := r.checkCurrent(ctx); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the current key may not work", slog.String("secret", r.key.Secret),
			slog.String("vendor", r.key.Vendor), slog.String("key_id", r.current), slog.String("error", err.Error()))
	}
}

// checkCurrent tries the current key and raises an alarm if it is refused.
func (r *run) checkCurrent(ctx context.Context) error {
	v, err := r.currentValue(ctx)
	if err == nil {
		err = r.verify(ctx, v)
	}
	if errors.Is(err, provider.ErrRejected) {
		r.daily(ctx, "current_refused", r.messageRefused())
	}
	return err
}

func (r *run) verify(ctx context.Context, key secret.Value) error {
	return r.call(ctx, func(ctx context.Context) error { return r.vendor.Keys.Verify(ctx, key) })
}

func (r *run) newRecord(k provider.Key) *keyrecord.Record {
	return &keyrecord.Record{
		Secret: r.key.Secret, KeyID: k.ID, KeyName: k.Name, Vendor: r.key.Vendor, VendorAccount: r.key.VendorAccount,
		Origin: keyrecord.Minted,
	}
}
