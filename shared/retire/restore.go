package retire

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// restore makes a disabled key work again, and begins its grace anew: it is not
// disabled again before that is over.
func (r *run) restore(ctx context.Context, q Request, a *Answer) error {
	if err := r.lookAll(ctx); err != nil {
		return err
	}
	if r.vendor.Disable == nil {
		return refuse(NoDisable, r.info.Title+" cannot disable keys, so there is nothing to undo", nil)
	}
	rec, err := r.disabledKey(q.KeyID)
	if err != nil {
		return err
	}
	if r.isEnding(rec) {
		return refuse(KeyEnding, "key "+rec.KeyID+" is being disabled or revoked at this moment", nil)
	}
	if _, ours := r.owned(r.listed[rec.KeyID]); !ours {
		return refuse(NotOurs, "key "+rec.KeyID+" is not listed by the vendor under our name any more", nil)
	}
	recs := []*keyrecord.Record{rec}
	if err := r.want(ctx, recs); err != nil {
		return err
	}
	if err := r.perform(ctx, audit.Enable, rec, q.by(), r.vendor.Disable.Enable); err != nil {
		if !mayBeDone(err) {
			r.unwant(ctx, recs)
		}
		return err
	}
	rec.Told = append(slices.Clone(rec.Told), restoring+stamp(rec.Disabled))
	now := r.Now()
	rec.Disabled, rec.Wanted, rec.Replaced, rec.State = time.Time{}, time.Time{}, now, keyrecord.Grace
	rec.Hurried = time.Time{} // somebody needs it
	rec.Next, rec.Why = now.Add(r.key.Grace.Min), "somebody restored it at "+stamp(now)
	worked(rec)
	a.Status, a.KeyID = Restored, rec.KeyID
	return r.tellRestored(ctx, rec, &q)
}

const (
	restoring    = "restoring:" // in Told: to be told, with since when it was disabled
	toldRestored = string(notify.Restored) + ":"
)

// tellRestored announces the last restore, if that has not been done. q is nil
// where it is not known who asked.
func (r *run) tellRestored(ctx context.Context, rec *keyrecord.Record, q *Request) error {
	for _, what := range slices.Backward(rec.Told) {
		if since, ok := strings.CutPrefix(what, restoring); ok {
			return r.tell(ctx, rec, toldRestored+since, r.messageRestored(*rec, since, q))
		}
	}
	return nil
}

// disabledKey returns the record of the key that is meant.
func (r *run) disabledKey(id string) (*keyrecord.Record, error) {
	var found []*keyrecord.Record
	for _, k := range r.ids() {
		rec := r.records[k]
		if rec != nil && rec.Revoked.IsZero() && rec.State.Alive() && (rec.State == keyrecord.Disabled || !rec.Disabled.IsZero()) {
			found = append(found, rec)
		}
	}
	if id == "" {
		switch len(found) {
		case 0:
			return nil, refuse(NothingDisabled, "no older key of "+r.key.Secret+" is disabled"+r.lastEnded(), nil)
		case 1:
			return found[0], nil
		}
		var ids []string
		for _, rec := range found {
			ids = append(ids, rec.KeyID)
		}
		return nil, refuse(SeveralDisabled, "several older keys of "+r.key.Secret+" are disabled: "+strings.Join(ids, " "), nil)
	}
	if i := slices.IndexFunc(found, func(rec *keyrecord.Record) bool { return rec.KeyID == id }); i >= 0 {
		return found[i], nil
	}
	rec := r.records[id]
	switch {
	case rec == nil:
		return nil, refuse(NotOurs, "there is no record of such a key of "+r.key.Secret, nil)
	case !rec.Revoked.IsZero() || !rec.State.Alive():
		return nil, refuse(KeyEnded, "key "+id+" was revoked"+at(rec.Revoked)+", which cannot be undone", nil)
	}
	return nil, refuse(NothingDisabled, "key "+id+" is not disabled", nil)
}

// lastEnded says which key was revoked last, for somebody who is too late.
func (r *run) lastEnded() string {
	var last *keyrecord.Record
	for _, rec := range r.records {
		if !rec.Revoked.IsZero() && (last == nil || rec.Revoked.After(last.Revoked)) {
			last = rec
		}
	}
	if last == nil {
		return ""
	}
	return "; key " + last.KeyID + " was revoked" + at(last.Revoked) + ", which cannot be undone"
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + stamp(t)
}
