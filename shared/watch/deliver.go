package watch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/trail"
)

// detect runs the detections over all, delivers what they find, and counts it.
func (w *Watch) detect(ctx context.Context, all []trail.Event, done *Handled) error {
	err := w.Detector.Process(ctx, w.Now(), all, func(ctx context.Context, found []detect.Finding) error {
		done.Findings += len(found)
		suppressed, err := w.deliver(ctx, found)
		done.Suppressed += suppressed
		return err
	})
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	return nil
}

// deliver writes findings into the ledger, starts what they ask for, and tells of those
// that are not suppressed. A suppressed one starts nothing: it is known.
func (w *Watch) deliver(ctx context.Context, found []detect.Finding) (suppressed int, err error) {
	entries := make([]ledger.Entry, len(found))
	news := make([]told, 0, len(found))
	at := make([]int, 0, len(found)) // of news, in entries
	for i, f := range found {
		response, why := "", ""
		if w.Suppressed != nil {
			why = w.Suppressed(f)
		}
		if why == "" {
			response = w.respond(ctx, f)
			news, at = append(news, told{Finding: f, response: response}), append(at, i)
		}
		if entries[i], err = alertEntry(f, response, why); err != nil {
			return 0, err
		}
	}
	placed, err := w.place(ctx, entries)
	if err != nil {
		return 0, err
	}
	for i := range news {
		news[i].index = placed[at[i]].Index
	}
	return len(found) - len(news), w.Alerts.Tell(ctx, news)
}

// respond starts what a finding asks for. That it could not is no reason to tell
// nobody of the finding.
func (w *Watch) respond(ctx context.Context, f detect.Finding) string {
	if w.Respond == nil || len(f.Rotate) == 0 {
		return ""
	}
	response, err := w.Respond(ctx, f)
	if err != nil {
		w.Log.LogAttrs(ctx, slog.LevelError, "a finding's response was not started", slog.String("rule", f.Rule), slog.String("error", err.Error()))
		if response == "" {
			response = "its secrets: not started"
		}
	}
	return response
}

// Suppressed returns what [Watch.Suppressed] is at a site.
func Suppressed(s *detect.Site, now func() time.Time) func(detect.Finding) string {
	return func(f detect.Finding) string {
		one, ok := s.Suppressed(&f, now())
		if !ok {
			return ""
		}
		return fmt.Sprintf("until %s: %s (%s)", one.Until.UTC().Format("2006-01-02 15:04 UTC"), one.Reason, one.Owner)
	}
}
