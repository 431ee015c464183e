package lab

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/catalog"
)

// start holds an exercise in a folder that goes with the test.
func start(t *testing.T, e *Exercise) *Session {
	t.Helper()
	s, err := Start(t.Context(), e, Options{Dir: filepath.Join(t.TempDir(), "lab"), Vendors: catalog.All(), Every: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestNothingDone: who does nothing reaches no goal, does no harm and scores nothing.
func TestNothingDone(t *testing.T) {
	t.Parallel()
	for _, e := range All() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, e)
			points := 0
			for range 2 { // time alone does not help
				r := s.Check(t.Context())
				points = 0
				for _, g := range r.Goals {
					points += g.Points
					if g.Done || g.Missing == "" {
						t.Errorf("%s is done", g.ID)
					}
				}
				if r.Score != 0 || r.Done || len(r.Harm) > 0 || points != 100 {
					t.Fatalf("%+v, of %d points", r, points)
				}
				if err := s.Wait(t.Context(), time.Hour); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
