package retire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	lease    = 10 * time.Minute // in which one run may send a message
	day      = 24 * time.Hour
	reserve  = 10 * time.Second // to write down what an act came to
	toldHold = string(notify.Held) + ":"
)

// perform carries out one act at the vendor, between its intent and its
// outcome. An intent that is not accepted is not carried out.
func (r *run) perform(ctx context.Context, act audit.Act, rec *keyrecord.Record, why string, do func(context.Context, string) error) error {
	a := audit.Record{
		ID: r.actID(act, rec.KeyID), Act: act, Phase: audit.Intent, Version: rec.Version, KeyID: rec.KeyID, KeyName: rec.KeyName,
		Detail: map[string]string{"why": why},
	}
	if err := r.record(ctx, a); err != nil {
		return err
	}
	err := r.call(ctx, func(ctx context.Context) error { return do(ctx, rec.KeyID) })
	a.Phase, a.Result = audit.Outcome, audit.Done
	if err != nil {
		a.Result, a.Error = audit.Failed, err.Error()
		if mayBeDone(err) {
			a.Result = audit.Unknown
		}
	}
	r.outcome(ctx, a)
	if err != nil {
		err = fmt.Errorf("%s key %s: %w", act, rec.KeyID, err)
	}
	return err
}

// mayBeDone reports whether an act took effect in spite of perform's error.
func mayBeDone(err error) bool {
	_, not := errors.AsType[notDoneError](err)
	return !not && !errors.Is(err, errAudit) && provider.KindOf(err) == provider.KindUnknown
}

// outcome records what an act came to, also when the time is up. The act is
// done, so that it is not recorded stops nothing.
func (r *run) outcome(ctx context.Context, a audit.Record) {
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve)
	defer cancel()
	if err := r.record(tidy, a); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "an outcome was not recorded", slog.String("secret", r.key.Secret),
			slog.String("audit_id", a.ID), slog.String("result", a.Result), slog.String("error", err.Error()))
	}
}

// actID returns the ID of one attempt at an act.
func (r *run) actID(act audit.Act, what string) string {
	return fmt.Sprintf("%s-%s-%s%08x", act, what, strconv.FormatInt(r.Now().UnixMilli(), 36), r.Random())
}

// notDoneError says why an act was not carried out after all.
type notDoneError struct{ error }

func (e notDoneError) Unwrap() error { return e.error }

// unlessMoved looks at the labels a last time before do: what was looked at
// when this run began may be seconds old, and somebody may just have moved
// AWSCURRENT back.
func (r *run) unlessMoved(rec *keyrecord.Record, do func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		r.calls["secretsmanager"]++
		s, err := r.Store.Describe(ctx, r.key.Secret)
		if err != nil {
			return notDoneError{err}
		}
		labels := s.Stages[rec.Version]
		if s.VersionAt(store.Current) != r.version || slices.Contains(labels, store.Current) || slices.Contains(labels, store.Pending) {
			return notDoneError{gate("AWSCURRENT has moved")}
		}
		return do(ctx, id)
	}
}

// record writes to the audit trail; an error means that it was not accepted.
func (r *run) record(ctx context.Context, a audit.Record) error {
	a.Time, a.Secret, a.Vendor, a.Fingerprint = r.Now(), r.key.Secret, r.key.Vendor, r.prints[a.Version]
	r.calls["audit"]++
	if err := r.Audit.Record(ctx, a); err != nil {
		return fmt.Errorf("%w: %w", errAudit, err)
	}
	return nil
}

var errAudit = errors.New("the audit trail did not accept a record, so nothing is done")

// wait stores why a key waits, and until when. Whatever failed before works
// again.
func (r *run) wait(ctx context.Context, rec *keyrecord.Record, s keyrecord.State, until time.Time, why string) error {
	rec.State, rec.Next, rec.Why = s, until, why
	worked(rec)
	return r.save(ctx, rec)
}

// hold leaves a key to a person, who is told once for each name. It is looked
// at again at next, or by the sweep, and goes on by itself if the reason is
// gone.
func (r *run) hold(ctx context.Context, rec *keyrecord.Record, name string, next time.Time, why string) error {
	if told := toldHold + name; !slices.Contains(rec.Told, told) {
		err := r.record(ctx, audit.Record{
			ID: "hold-" + rec.KeyID + "-" + name, Act: audit.Hold, Phase: audit.Fact, Version: rec.Version,
			KeyID: rec.KeyID, KeyName: rec.KeyName, Detail: map[string]string{"why": why},
		})
		if err != nil {
			return r.failed(ctx, rec, err)
		}
	}
	if err := r.wait(ctx, rec, keyrecord.Held, next, why); err != nil {
		return err
	}
	return r.tell(ctx, rec, toldHold+name, r.messageHeld(*rec, name))
}

// failed stores that what is due did not work, and when it is tried again.
func (r *run) failed(ctx context.Context, rec *keyrecord.Record, err error) error {
	if errors.Is(err, keyrecord.ErrConflict) {
		return err
	}
	now := r.Now()
	rec.Attempts++
	if rec.Stuck.IsZero() {
		rec.Stuck = now
	}
	wait := backoff(rec.Attempts)
	if e, ok := errors.AsType[*provider.Error](err); ok {
		wait = max(wait, e.RetryAfter)
	}
	rec.Next, rec.LastErr = now.Add(wait), err.Error()
	r.Log.LogAttrs(ctx, slog.LevelWarn, "retirement step failed", slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("key_id", rec.KeyID), slog.String("state", string(rec.State)),
		slog.Int("attempts", rec.Attempts), slog.Time("next", rec.Next), slog.String("error", rec.LastErr))
	if provider.KindOf(err) == provider.KindAuth {
		r.daily(ctx, "admin_refused", r.messageAdmin(err))
	}
	return r.save(ctx, rec)
}

func worked(rec *keyrecord.Record) { rec.Attempts, rec.Stuck, rec.LastErr = 0, time.Time{}, "" }

// tell sends a message about a key once in the key's life.
func (r *run) tell(ctx context.Context, rec *keyrecord.Record, what string, m notify.Message) error {
	if slices.Contains(rec.Told, what) {
		return r.save(ctx, rec)
	}
	if !r.send(ctx, m, m.ID, lease) {
		return r.save(ctx, rec)
	}
	rec.Told = append(slices.Clone(rec.Told), what)
	return r.save(ctx, rec)
}

// daily sends a message at most once a day. One that is lost in a crash comes
// a day later.
func (r *run) daily(ctx context.Context, what string, m notify.Message) {
	m.ID = r.lineage + "-" + what + "-" + m.Time.UTC().Format(time.DateOnly)
	m.Alert = r.lineage + "-" + what // one alert, however many days
	if r.raised[m.Alert] = true; m.About == "" {
		m.About = keyrecord.AboutLook
	}
	r.send(ctx, m, what, day)
}

// send reports whether a message went out. No other run sends it within ttl.
// What did not go out does not stop a retirement, but the caller is told.
func (r *run) send(ctx context.Context, m notify.Message, id string, ttl time.Duration) bool {
	r.calls["dynamodb"]++
	first, err := r.Records.First(ctx, r.key.Secret, id, ttl)
	if err != nil || !first {
		r.notSent(err)
		return false
	}
	r.calls["sns"]++
	if err = r.Notifier.Notify(ctx, m); err != nil {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve)
		defer cancel()
		r.notSent(errors.Join(err, r.Records.Forget(tidy, r.key.Secret, id)))
		return false
	}
	return true
}

func (r *run) notSent(err error) {
	if err != nil {
		r.unsent = append(r.unsent, fmt.Errorf("send a notification: %w", err))
	}
}
