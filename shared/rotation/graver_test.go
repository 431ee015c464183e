package rotation_test

import (
	"slices"
	"testing"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
)

// A graver failure of a rotation is told although a lesser one was; no failure
// is told twice, nor a lesser one after a graver.
func TestFailure_graver(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		kind := provider.KindNotSent
		f.fail = func(call string) (before, after error) {
			if call == "roll" {
				return &provider.Error{Op: call, Kind: kind}, nil
			}
			return nil, nil
		}
		token := w.rotate()
		var got []string
		said := func() { // since the last time
			for _, m := range w.inbox.messages {
				got = append(got, m.ErrorType+" "+string(m.Severity)+" "+m.ID)
			}
			w.inbox.messages = nil
		}
		said()
		for _, kind = range []provider.Kind{provider.KindRateLimited, provider.KindAuth, provider.KindNotSent, provider.KindAuth, provider.KindUnknown, provider.KindAuth, provider.KindUnknown} {
			if kind == provider.KindUnknown {
				w.inbox.refuse = 1 // nobody hears it the first time
			}
			for range 2 {
				if _, err := w.step(rotation.CreateSecret, token); err == nil {
					t.Fatal("it did not fail")
				}
			}
		}
		said()
		want := []string{
			"VendorUnavailable warning failed-" + token,
			"AdminRefused critical failed-" + token + "-critical",
			"CurrentEnds critical failed-" + token + "-ends",
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
	bubble(t, func(t *testing.T, w *world) { // the gravest first
		w.first()
		w.enable()
		token := w.stuck()
		w.inbox.messages, w.records.once = nil, map[string]bool{}
		fails("list", provider.KindAuth)(w)
		_, _ = w.step(rotation.CreateSecret, token)
		fails("list", provider.KindRateLimited)(w)
		if _, err := w.step(rotation.CreateSecret, token); errorTypeOf(err) != "VendorRateLimited" || len(w.inbox.messages) != 1 {
			t.Errorf("%v; told %+v", err, w.inbox.messages)
		}
	})
}
