package retire

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/alert"
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
		return r.rotatedSince(a.At)
	case keyrecord.AboutKey:
		rec := r.records[a.KeyID]
		return rec == nil || !rec.State.Alive() || a.Kind == string(notify.Held) && rec.State != keyrecord.Held
	case keyrecord.AboutFinding:
		return !a.Acked.IsZero()
	case keyrecord.AboutLook:
		return sighted && !r.raised[a.ID] && !r.stuck()
	}
	return false
}

func (r *run) rotatedSince(t time.Time) bool {
	if r.secret.LastRotated.After(t) {
		return true
	}
	for _, rec := range r.records {
		if rec.Version == r.version && rec.Promoted.After(t) {
			return true
		}
	}
	return false
}

// stuck reports whether a key was not tried in this look.
func (r *run) stuck() bool {
	for _, rec := range r.records {
		if rec.State.Alive() && !rec.Stuck.IsZero() {
			return true
		}
	}
	return false
}

// escalate tells others, once, of each alert that nobody has acknowledged in
// time. It does so only in a sweep, and without a topic for it never.
func (r *run) escalate(ctx context.Context) error {
	open := slices.DeleteFunc(r.book.Open(r.Now()), func(a keyrecord.Alert) bool {
		// Others are for what is critical; they see the rest on the weekly page.
		return a.About == keyrecord.AboutFinding && a.Severity != string(notify.Critical)
	})
	e := alert.Escalator{Book: r.Records, Others: r.Escalation, After: r.EscalateAfter, Now: r.Now, Log: r.Log}
	tried, err := e.Escalate(ctx, open, func(_ keyrecord.Alert, m notify.Message) notify.Message {
		m.Secret, m.Vendor, m.Owner = r.key.Secret, r.key.Vendor, r.key.Owner
		m.Next = []string{"See how the key is: keyturn status " + r.key.Secret, "Say that you are at it, or let its owner do so. It closes by itself when its cause ends."}
		return m
	})
	r.calls["sns"] += tried
	r.calls["dynamodb"] += tried
	return err
}
