package retire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// closeAlerts forgets the alerts whose cause has ended. sighted says that the
// vendor could be looked at. One that stays for another reason than it was
// opened for is told again, and opened again, the next day.
func (r *run) closeAlerts(ctx context.Context, sighted bool) error {
	var left []keyrecord.Alert
	var errs []error
	for _, a := range r.book.Alerts {
		if !r.isOver(a, sighted) {
			left = append(left, a)
			continue
		}
		r.calls["dynamodb"]++
		if err := r.Records.CloseAlert(ctx, r.key.Secret, a.ID); err != nil {
			errs = append(errs, err)
		}
	}
	r.book.Alerts = left
	return errors.Join(errs...)
}

func (r *run) isOver(a keyrecord.Alert, sighted bool) bool {
	switch a.About {
	case keyrecord.AboutRotation:
		if r.secret.LastRotated.After(a.At) {
			return true
		}
		for _, rec := range r.records {
			if rec.Version == r.version && rec.Promoted.After(a.At) {
				return true
			}
		}
	case keyrecord.AboutKey:
		rec := r.records[a.KeyID]
		return rec == nil || !rec.State.Alive() || a.Kind == string(notify.Held) && rec.State != keyrecord.Held
	case keyrecord.AboutFinding:
		return !a.Acked.IsZero()
	case keyrecord.AboutLook:
		if !sighted || r.raised[a.ID] {
			return false
		}
		for _, rec := range r.records {
			if rec.State.Alive() && !rec.Stuck.IsZero() {
				return false // it was not tried in this look
			}
		}
		return true
	}
	return false
}

// escalate tells others, once, of each alert that nobody has acknowledged in
// time. It does so only in a sweep, and without a topic for it never.
func (r *run) escalate(ctx context.Context) error {
	if r.Escalation == nil || r.EscalateAfter <= 0 {
		return nil
	}
	now := r.Now()
	var errs []error
	for _, a := range r.book.Open(now) {
		if a.About == keyrecord.AboutFinding && a.Severity != string(notify.Critical) {
			continue // others are for what is critical; they see the rest on the weekly page
		}
		if !a.Acked.IsZero() || !a.Escalated.IsZero() || now.Sub(a.At) < r.EscalateAfter {
			continue
		}
		a.Escalated = now
		r.calls["dynamodb"]++
		put, err := r.Records.PutAlert(ctx, a)
		if errors.Is(err, keyrecord.ErrConflict) {
			continue // acknowledged or escalated at this moment
		}
		if err == nil {
			err = r.callOthers(ctx, put)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("escalate the alerts of %q: %w", r.key.Secret, errors.Join(errs...))
	}
	return nil
}

// callOthers sends an alert that is recorded as escalated; if that fails, the next
// sweep tries again.
func (r *run) callOthers(ctx context.Context, a keyrecord.Alert) error {
	r.Log.LogAttrs(ctx, slog.LevelWarn, "nobody has acknowledged an alert", slog.String("alert", a.ID), slog.String("kind", a.Kind),
		slog.String("secret", r.key.Secret), slog.String("vendor", r.key.Vendor))
	r.calls["sns"]++
	err := r.Escalation.Notify(ctx, r.messageEscalated(a))
	if err == nil {
		return nil
	}
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve)
	defer cancel()
	a.Escalated = time.Time{}
	_, e2 := r.Records.PutAlert(tidy, a)
	return errors.Join(err, e2)
}

func (r *run) messageEscalated(a keyrecord.Alert) notify.Message {
	m := r.message(notify.Kind(a.Kind), notify.Critical, "", "Nobody has acknowledged this for "+notify.Duration(r.Now().Sub(a.At).Truncate(time.Minute))+": "+a.Summary)
	m.ID, m.Alert = "escalated-"+a.ID, a.ID
	m.Known = []string{"It was told at " + stamp(a.At) + " with the severity " + a.Severity + ". This is told once."}
	m.Next = []string{"See how the key is: keyturn status " + r.key.Secret, "Say that you are at it, or let its owner do so. It closes by itself when its cause ends."}
	return m
}
