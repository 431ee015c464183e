package retire

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
)

const claimFor = keyrecord.ClaimFor

// claimed ends a key under a claim: nobody goes back to it meanwhile, and if
// somebody does already, the record has changed and it is not ended. Between
// Secrets Manager and the vendor there is no transaction; the record is the one
// place that both sides write under one condition.
func (r *run) claimed(ctx context.Context, act audit.Act, rec *keyrecord.Record, why string, do func(context.Context, string) error) error {
	rec.Ending = r.Now()
	if err := r.save(ctx, rec); err != nil {
		return err
	}
	tried := false
	err := r.perform(ctx, act, rec, why, r.unlessMoved(rec, func(ctx context.Context, id string) error {
		if r.Now().Sub(rec.Ending) > claimFor/2 {
			return notDoneError{gate("it took too long to get there")}
		}
		tried = true
		return do(ctx, id)
	}))
	if err == nil || !tried || provider.KindOf(err) != provider.KindUnknown {
		rec.Ending = time.Time{} // over; the caller saves it
	}
	return err
}

// isEnding reports whether a run may be ending a key at this moment.
func (r *run) isEnding(rec *keyrecord.Record) bool { return rec.IsEnding(r.Now()) }

// want claims keys for somebody who goes back to them: until then they are not
// ended. An error is [keyrecord.ErrConflict] if a run was faster.
func (r *run) want(ctx context.Context, recs []*keyrecord.Record) error {
	for _, rec := range recs {
		rec.Wanted = r.Now().Add(claimFor)
		if err := r.save(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// inTime reports whether there is time left to act under a claim made by want.
func (r *run) inTime(recs []*keyrecord.Record) bool {
	for _, rec := range recs {
		if rec.Wanted.Sub(r.Now()) < claimFor/2 {
			return false
		}
	}
	return true
}

// unwant gives up a claim. Where that fails, it ends by itself.
func (r *run) unwant(ctx context.Context, recs []*keyrecord.Record) {
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve)
	defer cancel()
	for _, rec := range recs {
		if rec.Revision == 0 {
			continue // never claimed
		}
		rec.Wanted = time.Time{}
		_ = r.save(tidy, rec)
	}
}
