package retire

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// Secrets Manager takes AWSPENDING off at the end of a rotation, and begins no
// rotation while it is on a version that is not AWSCURRENT.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
// https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/168
const pendingLinger = time.Hour // until a label that was left behind is taken off

// labels mends AWSPENDING by the rules of heal.
func (r *run) labels(ctx context.Context) error {
	if r.rescued || r.skipped != "" && r.version != "" || !r.secret.Deleted.IsZero() {
		return nil // what the labels are is not certain, or not our concern
	}
	version := r.secret.VersionAt(store.Pending)
	if version == "" {
		return nil
	}
	if r.versions == nil { // the vendor could not be looked at
		r.calls["secretsmanager"]++
		var err error
		if r.versions, err = r.Store.Versions(ctx, r.key.Secret); err != nil {
			return err
		}
	}
	s, since := r.stateOf(version)
	if s.age == old && s.reads == agree && s.current == there {
		if s.kind == apart && s.pending == pendingOther && r.mayReplace(ctx, version) {
			s.kind = replaced
		}
		var err error
		if s.value, err = r.pendingValue(ctx, version, s); err != nil {
			return err
		}
	}
	return r.mend(ctx, version, s, since)
}

// mend does what the rule for a state says.
func (r *run) mend(ctx context.Context, version string, s labelState, since time.Time) error {
	switch h := ruleFor(s); h.do {
	case leave:
	case tell:
		if s.current == missing {
			r.daily(ctx, "unborn_label", r.messageUnbornLabel(version, since))
		} else {
			r.daily(ctx, "stuck_value", r.messageStuckValue(version, since, s.value))
		}
	case remove:
		if s.pending == pendingOther {
			// Told first: afterwards nothing is left to tell it by.
			r.send(ctx, r.messageStuck(version, since, s), "stuck-"+version, day)
		}
		return r.unstage(ctx, version, h.why)
	}
	return nil
}

// stateOf returns the state of the labels but for the pending version's value,
// and since when it is so.
func (r *run) stateOf(version string) (labelState, time.Time) {
	s := labelState{reads: agree, current: there, pending: pendingOther, value: valueUntold, previous: elsewhere, age: young, kind: apart}
	if r.rolls() {
		s.kind = replaced
	}
	since, limit := r.pendingSince(version), max(lostAge, 2*r.MaxRotation)
	prev := r.secret.VersionAt(store.Previous)
	switch version {
	case r.version:
		s.pending = pendingCurrent
	case prev:
		s.pending = pendingPrevious
	}
	if s.pending != pendingOther {
		limit, s.value = pendingLinger, valueAny
	}
	switch prev {
	case "":
		s.previous = missing
	case version:
		s.previous = onPending
	}
	if r.version == "" {
		s.current = missing
	}
	listed := slices.ContainsFunc(r.versions, func(v store.VersionInfo) bool {
		return v.ID == version && slices.Contains(v.Stages, store.Pending)
	})
	if !listed {
		s.reads = differ
	}
	if r.Now().Sub(since) >= limit {
		s.age = old
	}
	return s, since
}

// mayReplace reports whether a version may hold another value of the current
// key, as that of an emergency without room does. Where it does, the vendor
// refuses the current value.
func (r *run) mayReplace(ctx context.Context, version string) bool {
	q, _ := r.book.Request(keyname.Rotation(version))
	if q.Mode != keyrecord.Emergency || r.vendor.Keys != nil && r.vendor.Roll == nil {
		return false
	}
	return r.vendor.Keys == nil || r.checkCurrent(ctx) != nil
}

// pendingSince returns since when AWSPENDING should be gone.
func (r *run) pendingSince(version string) time.Time {
	if version != r.version && version != r.secret.VersionAt(store.Previous) {
		return r.created(version)
	}
	since := r.secret.LastChanged
	for _, rec := range r.records {
		if rec.Version == version || rec.Version == r.version {
			since = later(since, rec.Promoted)
		}
	}
	return since
}

// pendingValue looks what a stuck version holds. What the vendor says is for
// whoever reads it: nothing is decided on it.
func (r *run) pendingValue(ctx context.Context, version string, s labelState) (pendingValue, error) {
	if s.pending != pendingOther {
		return valueAny, nil
	}
	r.calls["secretsmanager"]++
	v, err := r.Store.Get(ctx, r.key.Secret, version, "")
	if err != nil {
		if store.KindOf(err) == store.KindNotFound {
			return valueNone, nil
		}
		return "", err
	}
	key, err := payload.Key(v.Value, r.key.Value)
	if err != nil || r.vendor.Keys == nil {
		return valueUntold, nil //nolint:nilerr // a value without a key cannot be tried
	}
	r.prints[version] = key.Fingerprint(r.Fingerprint)
	switch err := r.verify(ctx, key); {
	case err == nil:
		return valueAccepted, nil
	case errors.Is(err, provider.ErrRejected):
		return valueRefused, nil
	}
	return valueUntold, nil
}

// unstage takes AWSPENDING off a version, between its intent and its outcome,
// unless a rotation has moved on since the labels were read.
func (r *run) unstage(ctx context.Context, version, why string) error {
	a := audit.Record{
		ID: r.actID(audit.Unstage, version), Act: audit.Unstage, Phase: audit.Intent, Version: version,
		Detail: map[string]string{"label": store.Pending, "why": why},
	}
	if err := r.record(ctx, a); err != nil {
		return err
	}
	err := r.unstagePending(ctx, version)
	a.Phase, a.Result = audit.Outcome, audit.Done
	if err != nil {
		a.Result, a.Error = audit.Failed, err.Error()
		if _, not := errors.AsType[notDoneError](err); !not && !store.Definite(err) {
			a.Result = audit.Unknown
		}
	}
	if e := r.record(ctx, a); e != nil {
		return errors.Join(err, e)
	}
	if _, moved := errors.AsType[gate](err); moved {
		return nil
	}
	if err == nil { // what follows must not take it for stuck
		drop := func(labels []string) []string {
			return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == store.Pending })
		}
		r.secret.Stages[version] = drop(r.secret.Stages[version])
		for i, v := range r.versions {
			if v.ID == version {
				r.versions[i].Stages = drop(v.Stages)
			}
		}
	}
	return err
}

func (r *run) unstagePending(ctx context.Context, version string) error {
	r.calls["secretsmanager"] += 2
	s, err := r.Store.Describe(ctx, r.key.Secret)
	if err != nil {
		return notDoneError{err}
	}
	if s.VersionAt(store.Pending) != version || s.VersionAt(store.Current) != r.version {
		return notDoneError{gate("the labels have moved")}
	}
	return r.Store.Unstage(ctx, r.key.Secret, store.Pending, version)
}
