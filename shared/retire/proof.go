package retire

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const patience = 24 * time.Hour // until a person is told that a proof does not succeed

var (
	errAccepted = errors.New("the vendor still accepts the key")
	errRefused  = errors.New("the vendor refuses the current key, so that it refuses the old one proves nothing")
)

// prove tries to prove that a key is dead. since is when it should have died.
func (r *run) prove(ctx context.Context, rec *keyrecord.Record, since time.Time) error {
	old, ok, err := r.valueOf(ctx, rec.Version)
	if err != nil {
		return r.failed(ctx, rec, err)
	}
	if !ok {
		return r.vanished(ctx, rec)
	}
	err = r.trial(ctx, old)
	_, listed := r.listed[rec.KeyID]
	switch {
	case err == nil && listed && r.shared(rec):
		// Which of two keys the value belonged to is not known: the list decides.
		return r.vanished(ctx, rec)
	case err == nil:
		return r.dead(ctx, rec, "the vendor accepted the current key, refused this one, and accepted the current key again, at "+stamp(r.Now()))
	case errors.Is(err, errAccepted) && listed && !rec.Revoked.IsZero() && rec.Attempts > 0:
		// Seen in a list that is younger than the revocation: it did not take.
		if e := r.revokeAgain(ctx, rec); e != nil {
			err = e
		}
	}
	if r.Now().Sub(since) < patience {
		return r.failed(ctx, rec, err)
	}
	return r.unproven(ctx, rec, err)
}

func (r *run) revokeAgain(ctx context.Context, rec *keyrecord.Record) error {
	if err := r.gates(ctx, rec); err != nil {
		return err
	}
	if err := r.perform(ctx, audit.Revoke, rec, "it is still listed after it was revoked", r.unlessMoved(rec, r.vendor.Keys.Revoke)); err != nil {
		return err
	}
	return errAccepted
}

// unproven leaves a key to a person, and keeps trying.
func (r *run) unproven(ctx context.Context, rec *keyrecord.Record, err error) error {
	name, why := "no_proof", "cannot tell whether it is dead: "+err.Error()
	if errors.Is(err, errAccepted) {
		name, why = "still_accepted", "the vendor keeps accepting a revoked key"
		if rec.Revoked.IsZero() {
			why = "the vendor does not list it, and keeps accepting it"
		}
	}
	attempts, stuck := rec.Attempts, rec.Stuck
	if e := r.hold(ctx, rec, name, time.Time{}, why); e != nil {
		return e
	}
	rec.Attempts, rec.Stuck = attempts, stuck
	return r.failed(ctx, rec, err)
}

// trial returns nil if a key is dead: the vendor accepts the current key just
// before and just after it refuses the old one.
func (r *run) trial(ctx context.Context, old secret.Value) error {
	cur, err := r.currentValue(ctx)
	if err != nil {
		return err
	}
	if cur.Equal(old) {
		return gate("the current version holds the same key")
	}
	if err := r.accepts(ctx, cur); err != nil {
		return err
	}
	switch err := r.verify(ctx, old); {
	case err == nil:
		return errAccepted
	case !errors.Is(err, provider.ErrRejected):
		return err
	}
	return r.accepts(ctx, cur)
}

func (r *run) accepts(ctx context.Context, cur secret.Value) error {
	err := r.verify(ctx, cur)
	if errors.Is(err, provider.ErrRejected) {
		r.daily(ctx, "current_refused", r.messageRefused())
		return errRefused
	}
	return err
}

// shared reports whether another key has a claim to the version whose value
// this key's proof rests on.
func (r *run) shared(rec *keyrecord.Record) bool {
	for id, other := range r.records {
		if id != rec.KeyID && other.Version == rec.Version {
			return true
		}
	}
	for id, k := range r.listed {
		if id != rec.KeyID && r.holds(k, rec.Version) {
			return true
		}
	}
	return false
}

// absent is for a key that the vendor does not list and that we did not revoke:
// somebody else did, or the list is late.
func (r *run) absent(ctx context.Context, rec *keyrecord.Record) error {
	if due := rec.Missing.Add(secondLook); r.Now().Before(due) {
		return r.wait(ctx, rec, rec.State, due, "the vendor does not list it; a second look decides")
	}
	return r.prove(ctx, rec, rec.Missing)
}

// vanished is for a key whose value is not there to be tried, or may be
// another's: two looks that do not list it are all that can be had.
func (r *run) vanished(ctx context.Context, rec *keyrecord.Record) error {
	now := r.Now()
	if _, listed := r.listed[rec.KeyID]; listed {
		if now.Sub(rec.Revoked) < soon {
			return r.wait(ctx, rec, rec.State, rec.Revoked.Add(soon), "it is revoked; whether its id is gone is looked at")
		}
		if err := r.revokeAgain(ctx, rec); !errors.Is(err, errAccepted) {
			return r.failed(ctx, rec, err)
		}
		err := gate("the vendor still lists the revoked key")
		if now.Sub(rec.Revoked) < patience {
			return r.failed(ctx, rec, err)
		}
		return r.unproven(ctx, rec, err)
	}
	if due := rec.Missing.Add(secondLook); now.Before(due) {
		return r.wait(ctx, rec, rec.State, due, "the vendor does not list it any more; a second look decides")
	}
	rec.Why = "the vendor has not listed it since " + stamp(rec.Missing) + ". Its value is not known, so no proof of its death is possible"
	return r.ended(ctx, rec, keyrecord.Gone)
}

func (r *run) dead(ctx context.Context, rec *keyrecord.Record, proof string) error {
	rec.Proof, rec.Why = proof, ""
	return r.ended(ctx, rec, keyrecord.Dead)
}

// ended writes down the end of a key.
func (r *run) ended(ctx context.Context, rec *keyrecord.Record, s keyrecord.State) error {
	err := r.record(ctx, audit.Record{
		ID: string(s) + "-" + rec.KeyID, Act: audit.Dead, Phase: audit.Fact, Version: rec.Version,
		KeyID: rec.KeyID, KeyName: rec.KeyName, Detail: map[string]string{"state": string(s), "proof": rec.Proof, "why": rec.Why},
	})
	if err != nil {
		return r.failed(ctx, rec, err)
	}
	rec.State, rec.Ended, rec.Next = s, r.Now(), time.Time{}
	worked(rec)
	if err := r.save(ctx, rec); err != nil {
		return err
	}
	return r.tellEnd(ctx, rec)
}

// tellEnd announces a key's end, also when an earlier run could not.
func (r *run) tellEnd(ctx context.Context, rec *keyrecord.Record) error {
	return r.tell(ctx, rec, string(notify.Retired), r.messageRetired(*rec))
}
