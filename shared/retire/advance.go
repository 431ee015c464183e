package retire

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
)

// advance does what is due for one key that is not current.
func (r *run) advance(ctx context.Context, id string) error {
	k, listed := r.listed[id]
	rec := r.records[id]
	ro := r.roles[id]
	switch ro {
	case roleCurrent, rolePending, roleUnclear:
		return nil
	case roleReplaced, roleLost, roleRenamed:
	}
	if rec == nil {
		rec = r.newRecord(k)
	}
	if !rec.State.Alive() {
		return r.tellEnd(ctx, rec)
	}
	if rec.IDUnknown() {
		return r.nameless(ctx, rec)
	}
	if err := r.firstSight(ctx, rec, ro, k); err != nil {
		return err
	}
	if err := r.tellRestored(ctx, rec, nil); err != nil {
		return err
	}
	if r.elsewhere(*rec) {
		return r.hold(ctx, rec, heldElsewhere, time.Time{}, "it was made in another vendor account, which the configuration does not name for this secret any more")
	}
	r.seen(rec, listed)
	if rec.Attempts > 0 && r.Now().Before(rec.Next) {
		return r.save(ctx, rec)
	}
	switch {
	case r.ending != nil:
		return r.expire(ctx, rec)
	case !rec.Revoked.IsZero():
		return r.prove(ctx, rec, rec.Revoked)
	case !listed:
		return r.absent(ctx, rec)
	case ro == roleRenamed:
		return r.hold(ctx, rec, "renamed", time.Time{}, "its name at the vendor is not ours any more, so it is not touched")
	case ro == roleLost:
		return r.lost(ctx, rec)
	case rec.State == keyrecord.Disabled:
		return r.disabled(ctx, rec)
	}
	return r.grace(ctx, rec)
}

// firstSight records a key that has just been replaced, or been found lost.
func (r *run) firstSight(ctx context.Context, rec *keyrecord.Record, ro role, k provider.Key) error {
	now := r.Now()
	if ro == roleLost {
		if rec.State == "" || rec.State == keyrecord.Current {
			rec.State, rec.Seen, rec.LastSeen = keyrecord.Lost, 1, now
		}
		return r.save(ctx, rec)
	}
	if ro != roleReplaced || rec.State != "" && rec.State != keyrecord.Current && rec.State != keyrecord.Lost {
		return nil
	}
	if rec.Version == "" && rec.State != keyrecord.Lost {
		rec.Version = r.versionOf(k)
	}
	rec.Replaced = now // where we saw it late, its grace is longer
	// Told by our own trail, whoever moved the label and however.
	err := r.record(ctx, audit.Record{
		ID: "replaced-" + rec.KeyID + "-" + r.version, Act: audit.Promote, Phase: audit.Fact, Version: r.version,
		KeyID: r.current, Detail: map[string]string{"replaced": rec.KeyID, "replaced_version": rec.Version},
	})
	if err != nil {
		return err
	}
	if rec.Hurried = (time.Time{}); r.inEmergency() {
		rec.Hurried = now
	}
	rec.State, rec.Next, rec.Seen = keyrecord.Grace, rec.Replaced.Add(r.key.Grace.Min), 0
	rec.Why = "it was replaced at " + stamp(rec.Replaced)
	worked(rec)
	return r.save(ctx, rec)
}

const heldElsewhere = "elsewhere"

// elsewhere reports whether a key was made in another vendor account, of whose
// keys this one's list and answers say nothing.
func (r *run) elsewhere(rec keyrecord.Record) bool {
	return rec.Vendor != r.key.Vendor || rec.VendorAccount != "" && rec.VendorAccount != r.key.VendorAccount
}

// seen notes whether the vendor lists a key.
func (r *run) seen(rec *keyrecord.Record, listed bool) {
	switch now := r.Now(); {
	case !listed && rec.Missing.IsZero():
		rec.Missing = now
	case !listed:
	default:
		rec.Missing = time.Time{}
		// Of a lost key, LastSeen is the look that was counted.
		if rec.State != keyrecord.Lost && now.Sub(rec.LastSeen) > 24*time.Hour {
			rec.LastSeen = now
		}
	}
}

// grace waits until a replaced key is quiet, and begins to end it.
func (r *run) grace(ctx context.Context, rec *keyrecord.Record) error {
	now := r.Now()
	if due := rec.Replaced.Add(r.key.Grace.Min); now.Before(due) {
		return r.wait(ctx, rec, keyrecord.Grace, due, "it was replaced at "+stamp(rec.Replaced))
	}
	u := usage{told: r.vendor.Usage != nil, lag: r.info.UsageLag}
	if u.told {
		last, err := r.lastUsed(ctx, rec.KeyID)
		switch {
		case errors.Is(err, provider.ErrNotTold) && rec.LastUsed.IsZero(): // by this server, or this version of it
			u.told = false
		case err != nil: // unknown is not quiet
			return r.failed(ctx, rec, err)
		}
		u.last = later(rec.LastUsed, last)
		rec.LastUsed = u.last
	}
	g := r.key.Grace
	if !rec.Hurried.IsZero() {
		g = hurried(g)
	}
	v := judge(g, rec.Replaced, now, u)
	switch {
	case v.held != "":
		return r.hold(ctx, rec, v.held, v.next, v.why)
	case !v.over:
		return r.wait(ctx, rec, keyrecord.Grace, v.next, v.why)
	}
	if label := r.label(rec.Version); label != "" {
		return r.hold(ctx, rec, "label", time.Time{}, "its version carries the label "+label+", by which somebody may read it")
	}
	if r.vendor.Disable == nil {
		return r.end(ctx, rec, v.why)
	}
	return r.disable(ctx, rec, v.why)
}

// label returns a label of the operator's own on a version, "" if it has none.
func (r *run) label(version string) string {
	for _, l := range r.secret.Stages[version] {
		if !strings.HasPrefix(l, "AWS") {
			return l
		}
	}
	return ""
}

func (r *run) disable(ctx context.Context, rec *keyrecord.Record, why string) error {
	if slices.Contains(rec.Told, undone) {
		return r.hold(ctx, rec, heldLinked, time.Time{}, heldLinkedWhy)
	}
	if err := r.gates(ctx, rec); err != nil {
		return r.failed(ctx, rec, err)
	}
	// Noted first: if the label moves back after a crash, it is enabled again.
	rec.Disabled, rec.Wanted = r.Now(), time.Time{}
	if err := r.claimed(ctx, audit.Disable, rec, why, r.vendor.Disable.Disable); err != nil {
		return r.failed(ctx, rec, err)
	}
	rec.State, rec.Disabled = keyrecord.Disabled, r.Now()
	if err := r.wait(ctx, rec, keyrecord.Disabled, rec.Disabled.Add(r.key.Grace.Disabled), "it is disabled: "+why); err != nil {
		return err
	}
	if err := r.checkCurrent(ctx); errors.Is(err, provider.ErrRejected) {
		return r.undo(ctx, rec)
	}
	if r.key.Grace.Disabled > 0 {
		return nil
	}
	return r.disabled(ctx, rec)
}

const (
	heldLinked    = "linked"
	heldLinkedWhy = "when it was disabled, the vendor refused the current key"
	undone        = "enabled again" // in Told: it is not tried a second time
)

// undo enables a key again, for with it the current key stopped working.
func (r *run) undo(ctx context.Context, rec *keyrecord.Record) error {
	if err := r.perform(ctx, audit.Enable, rec, heldLinkedWhy, r.vendor.Disable.Enable); err != nil {
		return r.failed(ctx, rec, err)
	}
	rec.Disabled, rec.Told = time.Time{}, append(slices.Clone(rec.Told), undone)
	return r.hold(ctx, rec, heldLinked, time.Time{}, heldLinkedWhy)
}

// disabled waits whether anybody misses a disabled key, and ends it.
func (r *run) disabled(ctx context.Context, rec *keyrecord.Record) error {
	now, g := r.Now(), r.key.Grace
	if !rec.Wanted.IsZero() {
		return r.interrupted(ctx, rec)
	}
	if !rec.Hurried.IsZero() {
		g = hurried(g)
	}
	// Some vendors count refused tries as use: when time is up and that is not
	// to stop us, it is not asked for.
	if insist := g.OnMax == config.Revoke && !now.Before(rec.Replaced.Add(g.Max)); r.vendor.Usage != nil && !insist {
		last, err := r.lastUsed(ctx, rec.KeyID)
		if err != nil && !errors.Is(err, provider.ErrNotTold) {
			return r.failed(ctx, rec, err)
		}
		if last.After(rec.Disabled) {
			// Somebody enabled it. Its grace goes on where it was.
			rec.Disabled, rec.LastUsed = time.Time{}, last
			return r.wait(ctx, rec, keyrecord.Grace, now.Add(soon), "it was used at "+stamp(last)+", after it was disabled")
		}
	}
	if due := rec.Disabled.Add(g.Disabled); now.Before(due) {
		return r.wait(ctx, rec, keyrecord.Disabled, due, "it has been disabled since "+stamp(rec.Disabled))
	}
	return r.end(ctx, rec, "nobody has missed it since it was disabled at "+stamp(rec.Disabled))
}

// interrupted is for a disabled key that somebody was about to enable: that he
// did not come to an end does not say that it is still disabled. It must be
// disabled for its whole time before it is ended.
func (r *run) interrupted(ctx context.Context, rec *keyrecord.Record) error {
	now := r.Now()
	if now.Before(rec.Wanted) {
		return r.wait(ctx, rec, keyrecord.Disabled, rec.Wanted, "somebody is going back to it")
	}
	rec.Wanted, rec.Hurried, rec.Replaced = time.Time{}, time.Time{}, now
	return r.wait(ctx, rec, keyrecord.Grace, now.Add(r.key.Grace.Min), "somebody was enabling it, and whether it works again is not known")
}

// end revokes a key and goes on to prove it.
func (r *run) end(ctx context.Context, rec *keyrecord.Record, why string) error {
	if err := r.gates(ctx, rec); err != nil {
		return r.failed(ctx, rec, err)
	}
	if err := r.claimed(ctx, audit.Revoke, rec, why, r.vendor.Keys.Revoke); err != nil {
		return r.failed(ctx, rec, err)
	}
	rec.Revoked = r.Now()
	if err := r.wait(ctx, rec, keyrecord.Revoked, rec.Revoked.Add(soon), why); err != nil {
		return err
	}
	return r.prove(ctx, rec, rec.Revoked)
}

// gates says why a key must not be ended now, whatever its grace says.
func (r *run) gates(ctx context.Context, rec *keyrecord.Record) error {
	if r.Now().Before(rec.Wanted) {
		return gate("somebody is going back to it")
	}
	for _, p := range r.secret.Replicas {
		if p.Status != "InSync" {
			return gate("the secret's replica in " + p.Region + " is " + p.Status)
		}
	}
	if err := r.distinct(ctx, rec); err != nil {
		return err
	}
	v, err := r.currentValue(ctx)
	if err == nil {
		err = r.verify(ctx, v)
	}
	if errors.Is(err, provider.ErrRejected) {
		r.daily(ctx, "current_refused", r.messageRefused())
		return gate("the vendor refuses the current key, so no other is ended")
	}
	return err
}

// gate is a reason to wait that is nobody's error.
type gate string

func (g gate) Error() string { return string(g) }

// distinct says why it is not certain that a key is not the current one.
func (r *run) distinct(ctx context.Context, rec *keyrecord.Record) error {
	if rec.KeyID == r.current || slices.Contains(r.unclear, rec.KeyID) {
		return gate("it may be the current key")
	}
	if err := r.otherByValue(ctx, rec); err != nil {
		return err
	}
	same, ok, err := r.sameAsCurrent(ctx, rec.Version)
	switch {
	case err != nil:
		return err
	case ok && same:
		return gate("the current version holds the same key")
	case !ok && !r.known:
		return gate("which key the current version holds is not known, and this key's value is not there to compare")
	}
	return nil
}
