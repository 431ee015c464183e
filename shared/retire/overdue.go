package retire

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// blind is for a vendor that cannot be looked at. Nothing is done; that it
// fails is written down for every key that is due, so that it is tried again
// and somebody is told in the end.
func (r *run) blind(ctx context.Context, why error) error {
	now, noted := r.Now(), false
	for _, id := range r.ids() {
		rec := r.records[id]
		stale := rec.State == keyrecord.Current && rec.Version != r.version
		waits := rec.State != keyrecord.Current && rec.State.Alive() && !rec.Next.IsZero()
		if !stale && !waits {
			continue
		}
		noted = true
		if now.Before(rec.Next) {
			continue
		}
		if err := r.failed(ctx, rec, why); err != nil {
			return err
		}
	}
	if provider.KindOf(why) == provider.KindAuth || store.KindOf(why) == store.KindNotFound || store.KindOf(why) == store.KindDenied {
		r.daily(ctx, "admin_refused", r.messageAdmin(why))
	}
	if noted {
		return nil
	}
	// Nothing is recorded that would wake us again: the caller must.
	r.late = append(r.late, "its vendor cannot be looked at: "+why.Error())
	return why
}

// overdue tells, once a day, what is more than a day late.
func (r *run) overdue(ctx context.Context) error {
	now := r.Now()
	due := r.key.Due(later(r.secret.NextRotation, r.book.Pause.Over()))
	if r.secret.RotationEnabled && !r.secret.NextRotation.IsZero() && now.Sub(due) > day {
		r.late = append(r.late, "a rotation was due at "+stamp(r.secret.NextRotation))
	}
	if err := r.overdueFailure(ctx); err != nil {
		return err
	}
	for _, v := range r.versions {
		if v.ID != r.version && slices.Contains(v.Stages, store.Pending) && now.Sub(v.Created) > day {
			r.late = append(r.late, "AWSPENDING has been on version "+v.ID+" since "+stamp(v.Created)+": no rotation can begin")
		}
	}
	for _, id := range r.ids() {
		rec := r.records[id]
		if rec == nil || rec.Stuck.IsZero() || !rec.State.Alive() || rec.State == keyrecord.Held || now.Sub(rec.Stuck) <= day {
			continue
		}
		r.late = append(r.late, "key "+id+" ("+string(rec.State)+") has not got further since "+stamp(rec.Stuck)+": "+rec.LastErr)
	}
	if len(r.late) == 0 {
		return nil
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "overdue", slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("what", strings.Join(r.late, "; ")))
	r.daily(ctx, "overdue", r.messageOverdue())
	return nil
}

// overdueFailure looks at the last failed rotation, and forgets one that a
// later success has mended.
func (r *run) overdueFailure(ctx context.Context) error {
	f := r.book.Failure
	if f == nil {
		return nil
	}
	mended := f.Version == r.version
	for _, rec := range r.records {
		mended = mended || rec.Version == r.version && rec.Promoted.After(f.At)
	}
	if mended {
		r.calls["dynamodb"]++
		return r.Records.ClearFailure(ctx, r.key.Secret)
	}
	if r.Now().Sub(f.At) > day && !f.Wanted() {
		r.late = append(r.late, "the last rotation failed at "+stamp(f.At)+" in "+f.Step+" ("+f.ErrorType+"): "+f.Text)
	}
	return nil
}
