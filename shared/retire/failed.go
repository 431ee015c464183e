package retire

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

// The events of Secrets Manager about a rotation that did not succeed. They are
// also the error types of what is recorded of one.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
const (
	rotationFailed    = "RotationFailed"
	rotationAbandoned = "RotationAbandoned"
)

// Runbook is where an operator reads what to do.
const Runbook = "https://github.com/keyturn/keyturn/blob/main/docs/runbook.md"

// failedFor is how long one failed rotation is told once: as long as the rotate
// function does, under the same name, so that the two do not tell it twice.
const failedFor = 7 * day

// ended is a rotation that did not succeed, as Secrets Manager says.
type ended struct {
	event   string
	version string // "": the event does not name it
	step    string // "": nor where it was
	at      time.Time
}

// stepIn returns the step that an error message of Secrets Manager names, "" if
// none. Nothing else of the message is kept.
func stepIn(message string) string {
	for _, step := range [...]string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		if strings.Contains(message, "during "+step+" step") {
			return step
		}
	}
	return ""
}

// rotationOver records and tells that a rotation failed, if the rotate function
// could not: it crashed, ran out of time, was throttled, or may not write. What
// that one has told, or refused for a pause or a freeze, is not news.
func (e *Engine) rotationOver(ctx context.Context, k config.Key, f ended) error {
	wrap := func(err error) error { return fmt.Errorf("look at a failed rotation of %q: %w", k.Secret, err) }
	book, err := e.Records.Load(ctx, k.Secret)
	if err != nil {
		return wrap(err)
	}
	if e.wasTold(book.Failure, f) {
		return nil
	}
	s, err := e.Store.Describe(ctx, k.Secret)
	if err != nil {
		return wrap(err)
	}
	current := s.VersionAt(store.Current)
	if f.version != "" && f.version == current {
		return nil // tried again, and successful
	}
	e.Log.LogAttrs(ctx, slog.LevelError, "a rotation failed, and its function said nothing", slog.String("event", f.event), slog.String("step", f.step),
		slog.String("secret", k.Secret), slog.String("vendor", k.Vendor), slog.String("version", f.version))
	m := f.message(k, current, e.Now())
	first, err := e.Records.First(ctx, k.Secret, m.ID, failedFor)
	if err != nil {
		return wrap(err)
	}
	if !first {
		return nil
	}
	if err = e.Records.PutFailure(ctx, keyrecord.Failure{
		Secret: k.Secret, Version: f.version, Step: f.step, ErrorType: f.event, Text: "the rotate function said nothing: " + m.Summary, At: f.at, Count: 1,
	}); err == nil {
		err = e.Notifier.Notify(ctx, m)
	}
	if err != nil {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserve)
		defer cancel()
		_ = e.Records.Forget(tidy, k.Secret, m.ID) // the event comes again
		return wrap(err)
	}
	return nil
}

// wasTold reports whether the rotate function has recorded this failure. An
// event comes minutes late, and the function may have been tried again since.
func (e *Engine) wasTold(r *keyrecord.Failure, f ended) bool {
	if r == nil || r.ErrorType == rotationFailed || r.ErrorType == rotationAbandoned {
		return false
	}
	return (f.version == "" || r.Version == f.version) && r.At.After(f.at.Add(-e.MaxRotation))
}

func (f ended) message(k config.Key, current string, now time.Time) notify.Message {
	id := f.version
	if id == "" {
		id = f.event + "-" + f.at.UTC().Format(time.RFC3339)
	}
	m := notify.Message{
		Version: 1, ID: "failed-" + id, Time: now, Kind: notify.Failed, Severity: notify.Critical,
		Secret: k.Secret, Vendor: k.Vendor, Owner: k.Owner, Step: f.step, ErrorType: f.event,
		Summary: "A rotation of " + k.Secret + " failed, and its function could not say why.",
		Known: []string{
			"Secrets Manager says so, at " + stamp(f.at) + ".",
			"The rotate function recorded nothing: it crashed, ran out of time or memory, was throttled, or has no rights.",
		},
		Next: []string{
			"Look at the rotate function's log and its metrics Errors, Throttles and Duration: " + Runbook + "#failures",
			"Then rotate it: keyturn rotate-now " + k.Secret + " --reason WHY. Secrets Manager also tries again by itself, a few times.",
		},
		Detail: map[string]string{"version": f.version},
	}
	if f.step != "" {
		m.Known[0] = "Secrets Manager says so, at " + stamp(f.at) + ": it was in " + f.step + "."
	}
	if f.event == rotationAbandoned {
		m.Summary = "A rotation of " + k.Secret + " was abandoned: somebody else stored a value meanwhile."
		m.Known = []string{
			"Secrets Manager says so, at " + stamp(f.at) + ", and has taken AWSPENDING off the rotation's version.",
			"A key that the rotation made is found and ended by the sweep.",
		}
		m.Next = []string{
			"Find out who stored the value (CloudTrail: PutSecretValue), and whether it is a key that Keyturn knows: keyturn status " + k.Secret + ".",
			"If it is not: keyturn adopt " + k.Secret + ", or rotate it now. " + Runbook + "#failures",
		}
	}
	if current != "" {
		m.Known = append(m.Known, "AWSCURRENT is on version "+current+", and not on the one that the rotation was to make.")
	}
	return m
}
