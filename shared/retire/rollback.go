package retire

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// rollback moves AWSCURRENT back to the previous version while its key works.
// That the current one may not work is no reason against it. It goes back one
// version and never forth: a previous version that is younger than the current
// one was rolled back already.
func (r *run) rollback(ctx context.Context, q Request, a *Answer) error {
	if err := r.lookAll(ctx); err != nil {
		return err
	}
	if err := r.reversible(); err != nil {
		return err
	}
	prev := r.secret.VersionAt(store.Previous)
	if r.isBack(prev) {
		a.Status, a.VersionID, a.KeyID = Unchanged, r.version, r.recordedAt(r.version)
		return nil
	}
	if err := r.mayGoBack(ctx, prev); err != nil {
		return err
	}
	value, ok, err := r.valueOf(ctx, prev)
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse(NoPrevious, "version "+prev+" is AWSPREVIOUS, and holds no key any more", nil)
	}
	recs := r.holders(ctx, prev, value)
	if err := r.notEnded(recs); err != nil {
		return err
	}
	if err := r.want(ctx, recs); err != nil {
		return err
	}
	unsure, err := r.revive(ctx, q, recs, value)
	if err == nil {
		unsure, err = r.goBack(ctx, q, prev, recs)
	}
	if err != nil {
		if !unsure {
			r.unwant(ctx, recs)
		}
		return err
	}
	a.Status, a.VersionID = RolledBack, prev
	if len(recs) > 0 {
		a.KeyID = recs[0].KeyID
		err := r.tell(ctx, recs[0], toldBack+r.version, r.messageRolledBack(prev, r.version, a.KeyID, &q))
		if errors.Is(err, keyrecord.ErrConflict) {
			err = nil // the label's event was faster, and tells it
		}
		return err
	}
	r.daily(ctx, "rolled_back", r.messageRolledBack(prev, r.version, "", &q))
	return nil
}

// reversible refuses strategies that leave nothing to go back to.
func (r *run) reversible() error {
	switch r.info.Strategy {
	case "RollInPlace":
		return refuse(NotReversible, r.info.Title+" replaces a key's value in place: the old value died when the new one was set", nil)
	case "RollWithGrace":
		return refuse(NotReversible, r.info.Title+" ends the old value by itself, at a time that cannot be changed any more", nil)
	}
	return nil
}

// isBack reports whether the previous version is younger than the current one.
func (r *run) isBack(prev string) bool {
	var p, c time.Time
	for _, v := range r.versions {
		switch v.ID {
		case prev:
			p = v.Created
		case r.version:
			c = v.Created
		}
	}
	return !p.IsZero() && !c.IsZero() && p.After(c)
}

// recordedAt returns the ID of a key that a version is recorded to hold.
func (r *run) recordedAt(version string) string {
	for id, rec := range r.records {
		if rec.Version == version {
			return id
		}
	}
	return ""
}

// mayGoBack says what the labels have against it.
func (r *run) mayGoBack(ctx context.Context, prev string) error {
	if prev == "" {
		return refuse(NoPrevious, "no version has the label AWSPREVIOUS", nil)
	}
	if p := r.pendingElsewhere(); p != "" && !r.leftBehind(ctx, p) {
		return refuse(InProgress, "a rotation is under way: AWSPENDING is on version "+p, nil)
	}
	return nil
}

// leftBehind reports whether a pending version was left unfinished, and may be
// given up: its rotation has failed, or nothing that it began with can still run.
// Whoever goes back would otherwise wait a day for it. Should Secrets Manager try
// that rotation once more, it finds that it is not staged.
func (r *run) leftBehind(ctx context.Context, version string) bool {
	const longest = 15 * time.Minute // that a function can run: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	s, since := r.stateOf(version)
	failed := r.book.Failure != nil && r.book.Failure.Version == version
	return s.reads == agree && (failed || r.Now().Sub(since) >= longest) && !r.mayReplace(ctx, version)
}

// pendingElsewhere returns the version with AWSPENDING, by either of our two
// reads, unless it is the current one.
func (r *run) pendingElsewhere() string {
	if p := r.secret.VersionAt(store.Pending); p != "" && p != r.version {
		return p
	}
	for _, v := range r.versions {
		if v.ID != r.version && slices.Contains(v.Stages, store.Pending) {
			return v.ID
		}
	}
	return ""
}

// holders returns the records of all keys that a version may hold, new ones for
// keys that have none.
func (r *run) holders(ctx context.Context, version string, value secret.Value) []*keyrecord.Record {
	var out []*keyrecord.Record
	for id := range r.holderIDs(ctx, version, value) {
		rec := r.records[id]
		if rec == nil {
			rec = r.newRecord(r.listed[id])
			rec.Version = version
		}
		out = append(out, rec)
	}
	// The one that is recorded for the version first.
	slices.SortFunc(out, func(a, b *keyrecord.Record) int {
		switch {
		case a.Version == version && b.Version != version:
			return -1
		case a.Version != version && b.Version == version || a.KeyID > b.KeyID:
			return 1
		}
		return -1
	})
	return out
}

func (r *run) holderIDs(ctx context.Context, version string, value secret.Value) map[string]bool {
	ids := map[string]bool{}
	for id, rec := range r.records {
		if rec.Version == version {
			ids[id] = true
		}
	}
	for id, k := range r.listed {
		if r.holds(k, version) {
			ids[id] = true
		}
	}
	if r.vendor.Identify != nil {
		var id string
		err := r.call(ctx, func(ctx context.Context) (err error) {
			id, err = r.vendor.Identify.Identify(ctx, value)
			return err
		})
		if _, listed := r.listed[id]; err == nil && listed && r.records[id] != nil {
			ids[id] = true
		}
	}
	return ids
}

// notEnded refuses to go back to a key whose end has begun. Which of several
// keys of one rotation is meant may not be known: then each counts.
func (r *run) notEnded(recs []*keyrecord.Record) error {
	for _, rec := range recs {
		switch {
		case rec.State == keyrecord.Lost:
			// No version held it, so it is not the one.
		case !rec.Revoked.IsZero() || !rec.State.Alive():
			return refuse(PreviousEnded, "the previous key "+rec.KeyID+" was revoked, or is gone", nil)
		}
		if r.isEnding(rec) {
			return refuse(KeyEnding, "the previous key "+rec.KeyID+" is being ended at this moment", nil)
		}
	}
	return nil
}

// revive makes the previous key work again if it is disabled, and tries it.
// unsure says that it may be enabled in spite of an error.
func (r *run) revive(ctx context.Context, q Request, recs []*keyrecord.Record, value secret.Value) (unsure bool, err error) {
	enabled := false
	for _, rec := range recs {
		if rec.Disabled.IsZero() && rec.State != keyrecord.Disabled || r.vendor.Disable == nil {
			continue
		}
		if _, ours := r.owned(r.listed[rec.KeyID]); !ours {
			continue // the try decides
		}
		if err := r.perform(ctx, audit.Enable, rec, q.by(), r.vendor.Disable.Enable); err != nil {
			return mayBeDone(err), err
		}
		enabled, rec.Disabled = true, time.Time{}
		if rec.State == keyrecord.Disabled {
			rec.State = keyrecord.Grace
		}
		if err := r.save(ctx, rec); err != nil {
			return true, err
		}
	}
	switch err := r.works(ctx, value, enabled); {
	case errors.Is(err, provider.ErrRejected):
		return false, refuse(PreviousRefused, "the vendor refuses the previous key", nil)
	case err != nil:
		return false, refuse(PreviousUntried, "whether the vendor accepts the previous key is not known", err)
	}
	return false, nil
}

// works tries a key, as often as the vendor's answers need to be trusted. A key
// that has just been enabled gets the time that the vendor takes for a new one.
func (r *run) works(ctx context.Context, value secret.Value, enabled bool) error {
	s := r.info.Settle
	until := r.Now()
	if enabled {
		until = until.Add(min(s.Within, claimFor/4))
	}
	for good := 0; ; {
		switch err := r.verify(ctx, value); {
		case err == nil:
			if good++; good >= s.Successes {
				return nil
			}
		case !errors.Is(err, provider.ErrRejected) || !r.Now().Before(until):
			return err
		default:
			good = 0
		}
		select {
		case <-time.After(cmp.Or(s.Every, 2*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// goBack moves the label, between its intent and its outcome. unsure says that
// it may have moved in spite of an error.
func (r *run) goBack(ctx context.Context, q Request, prev string, recs []*keyrecord.Record) (unsure bool, err error) {
	if r.secret.Has(r.version, store.Pending) {
		// It would stay on a version that is not current, and block every rotation.
		if err := r.unstage(ctx, r.version, "AWSCURRENT goes back from it"); err != nil {
			return false, err
		}
	} else if p := r.pendingElsewhere(); p != "" {
		if err := r.giveUp(ctx, p); err != nil {
			return false, err
		}
	}
	a := audit.Record{
		ID: r.actID(audit.Promote, prev), Act: audit.Promote, Phase: audit.Intent, Version: prev,
		Detail: map[string]string{"why": q.by(), "replaced_version": r.version},
	}
	if len(recs) > 0 {
		a.KeyID, a.KeyName = recs[0].KeyID, recs[0].KeyName
	}
	if err := r.record(ctx, a); err != nil {
		return false, err
	}
	unsure, err = r.move(ctx, prev, recs)
	a.Phase, a.Result = audit.Outcome, audit.Done
	if err != nil {
		if a.Result, a.Error = audit.Failed, err.Error(); unsure {
			a.Result = audit.Unknown
		}
	}
	r.outcome(ctx, a)
	return unsure, err
}

// giveUp tells of an unfinished rotation, and takes AWSPENDING off its version.
func (r *run) giveUp(ctx context.Context, version string) error {
	s, since := r.stateOf(version)
	var err error
	if s.value, err = r.pendingValue(ctx, version, s); err != nil {
		return err
	}
	r.send(ctx, r.messageStuck(version, since, s), "stuck-"+version, day)
	return r.unstage(ctx, version, "AWSCURRENT goes back, and this rotation was left unfinished; its key is retired like a replaced one, or swept")
}

// move looks at the labels a last time, and moves AWSCURRENT.
func (r *run) move(ctx context.Context, prev string, recs []*keyrecord.Record) (unsure bool, err error) {
	r.calls["secretsmanager"]++
	s, err := r.Store.Describe(ctx, r.key.Secret)
	if err != nil {
		return false, err
	}
	pending := s.VersionAt(store.Pending)
	switch {
	case s.VersionAt(store.Current) == prev:
		return false, nil // somebody else asked for the same
	case s.VersionAt(store.Current) != r.version || s.VersionAt(store.Previous) != prev:
		return false, refuse(Superseded, "AWSCURRENT has moved meanwhile", nil)
	case pending != "" && pending != r.version:
		return false, refuse(InProgress, "a rotation has begun meanwhile: AWSPENDING is on version "+pending, nil)
	case !r.inTime(recs):
		return false, refuse(PreviousUntried, "trying the previous key took too long", nil)
	}
	bounded, cancel := context.WithTimeout(ctx, claimFor/4)
	defer cancel()
	r.calls["secretsmanager"]++
	cause := r.Store.Promote(bounded, r.key.Secret, prev, r.version)
	if cause == nil {
		return false, nil
	}
	tidy, stop := context.WithTimeout(context.WithoutCancel(ctx), reserve)
	defer stop()
	r.calls["secretsmanager"]++
	s, err = r.Store.Describe(tidy, r.key.Secret)
	switch {
	case err == nil && s.VersionAt(store.Current) == prev:
		return false, nil
	case store.KindOf(cause) == store.KindInvalid:
		return false, refuse(Superseded, "AWSCURRENT has moved meanwhile", cause)
	case store.Definite(cause):
		return false, cause
	}
	return true, refuse(Unclear, "whether AWSCURRENT has moved is not known", cause)
}

const toldBack = string(notify.RolledBack) + ":"

// tellBack announces a rollback whose own run did not come to it.
func (r *run) tellBack(ctx context.Context, rec *keyrecord.Record) error {
	from := r.secret.VersionAt(store.Previous)
	if rec.Wanted.IsZero() || from == "" {
		return nil
	}
	if err := r.tell(ctx, rec, toldBack+from, r.messageRolledBack(r.version, from, rec.KeyID, nil)); err != nil {
		return err
	}
	if !slices.Contains(rec.Told, toldBack+from) {
		return nil
	}
	rec.Wanted = time.Time{}
	return r.save(ctx, rec)
}
