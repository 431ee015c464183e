package weekly_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/review/weekly"
)

// large is a world in which one object is larger than a review is.
type large struct {
	*world
	path string
}

func (l large) Read(ctx context.Context, path string) ([]byte, error) {
	if path == l.path {
		return nil, fmt.Errorf("more than 7 bytes: %w", weekly.ErrTooLarge)
	}
	return l.world.Read(ctx, path)
}

// A review before that cannot be understood, whatever it is, ends no week: the one before
// it is compared with, and where there is none the page says so.
func TestRun_spoiledBefore(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string][]byte{
		"null": []byte("null"), "empty": {}, "a list": []byte("[]"), "no version": []byte("{}"),
		"a newer version": []byte(`{"version":2,"keys":[{"name":"a","arn":"x"}]}`), "half": []byte(`{"version":1,"keys":[`), "another type": []byte(`{"version":1,"keys":7}`),
		"too large": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, run := newWorld()
			first := w.now
			for week := range 3 {
				w.now = first.AddDate(0, 0, 7*week)
				if _, err := run.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				switch week {
				case 0:
					if !bytes.Contains(w.objects["2026-W48/review.html"], []byte("compared with no review before")) {
						t.Error("the first page does not say that it was compared with none")
					}
				case 1:
					w.objects["2026-W49/review.json"] = spoil
					if run.Objects = w; spoil == nil {
						run.Objects = large{w, "2026-W49/review.json"}
					}
				}
			}
			if page := string(w.objects["2026-W50/review.html"]); !strings.Contains(page, "Nothing changed") || strings.Contains(page, ": new") {
				t.Error("it was not compared with the review of two weeks ago")
			}
			delete(w.objects, "2026-W48/review.json")
			w.now = first.AddDate(0, 0, 14)
			for _, name := range []string{"review.json", "review.html", "review.csv", "announced"} {
				delete(w.objects, "2026-W50/"+name)
			}
			if _, err := run.Run(t.Context()); err != nil || !strings.Contains(string(w.objects["2026-W50/review.html"]), "compared with no review before") {
				t.Errorf("%v, and the page does not say that it was compared with none", err)
			}
		})
	}
}

// A half-made week of which the review is of another version is an error, not a page.
func TestRun_spoiledThis(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{}", "null", `{"version":2}`, "{"} {
		w, run := newWorld()
		w.objects["2026-W48/review.json"] = []byte(text)
		if _, err := run.Run(t.Context()); err == nil || errors.Is(err, errFault) || len(w.told) > 0 || w.objects["2026-W48/review.html"] != nil {
			t.Errorf("%s: %v, told %d times", text, err, len(w.told))
		}
	}
}

// A clock that steps back into the week before, or a second run, tells nobody again.
func TestRun_clockBackwards(t *testing.T) {
	t.Parallel()
	w, run := newWorld()
	first := w.now
	for _, days := range []int{0, 7, 0, 7, 6} {
		w.now = first.AddDate(0, 0, days)
		if _, err := run.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.told) != 2 || len(w.records) != 2 {
		t.Errorf("told %d times", len(w.told))
	}
}
