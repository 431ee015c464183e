package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/catalog"
)

// start holds an exercise in a folder that goes with the test.
func start(t *testing.T, e *Exercise) *Session {
	t.Helper()
	s, err := Start(t.Context(), e, Options{Dir: filepath.Join(t.TempDir(), "lab"), Vendors: catalog.All(), Every: 100 * time.Millisecond})
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
			for range 2 { // time alone does not help
				r := s.Check(t.Context())
				for _, g := range r.Goals {
					if g.Done || g.Missing == "" {
						t.Errorf("%s is done", g.ID)
					}
				}
				if r.Score != 0 || r.Done || len(r.Harm) > 0 {
					t.Fatalf("%+v", r)
				}
				if err := s.Wait(t.Context(), time.Hour); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	goals := []Goal{{Points: 60, Done: true}, {Points: 40}}
	for name, tt := range map[string]struct {
		in          Report
		took        time.Duration
		score, late int
	}{
		"in time":             {Report{Goals: goals}, Limit, 60, 0},
		"a second over":       {Report{Goals: goals}, Limit + time.Second, 59, 1},
		"ten minutes over":    {Report{Goals: goals}, Limit + 10*time.Minute, 50, 10},
		"never more than 20":  {Report{Goals: goals}, 9 * time.Hour, 40, 20},
		"hints":               {Report{Goals: goals, Hints: 3}, 0, 45, 0},
		"harm":                {Report{Goals: goals, Harm: []Harm{{"a", costLive}, {"b", costCut}}}, 0, 5, 0},
		"never less than one": {Report{Goals: goals, Harm: []Harm{{"a", costLive}, {"b", costLive}}}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.in.score(tt.took); tt.in.Score != tt.score || tt.in.Late != tt.late {
				t.Errorf("score %d, late %d; want %d, %d", tt.in.Score, tt.in.Late, tt.score, tt.late)
			}
		})
	}
}

// TestGoals: each exercise is worth 100 points, and helps with every goal.
func TestGoals(t *testing.T) {
	t.Parallel()
	for _, e := range All() {
		points, seen := 0, map[string]bool{}
		for _, g := range e.goals {
			points += g.points
			if len(g.hints) == 0 || seen[g.id] {
				t.Errorf("%s: %s has no hint, or is there twice", e.Name, g.id)
			}
			seen[g.id] = true
		}
		if points != 100 || Find(e.Name) == nil {
			t.Errorf("%s is worth %d points", e.Name, points)
		}
	}
}

// TestStart_taken: what lies in a folder stays.
func TestStart_taken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(mine, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), leak(), Options{Dir: dir, Vendors: catalog.All()}); !errors.Is(err, ErrTaken) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

// TestClient: what a session refuses, and what it never shows.
func TestClient(t *testing.T) {
	t.Parallel()
	s := start(t, leak())
	ctx := t.Context()
	c, err := Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"no such key":  c.Revoke(ctx, "nothing"),
		"no such role": c.Block(ctx, thief, false),
		"too long":     second(c.Wait(ctx, longest+time.Second)),
		"backwards":    second(c.Wait(ctx, -time.Second)),
	} {
		if _, ok := errors.AsType[*RefusedError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := 0; ; n++ { // until there is no hint left
		h, err := c.Hint(ctx)
		if _, ok := errors.AsType[*RefusedError](err); ok && n > len(s.Exercise.goals) {
			break
		}
		if err != nil || h.Text == "" {
			t.Fatalf("hint %d: %+v, %v", n, h, err)
		}
	}
	mail, err := c.Mail(ctx)
	text, also := c.Scenario(ctx)
	if err != nil || also != nil || mail.Messages == 0 || !strings.Contains(text, s.world.leaked) {
		t.Fatalf("%d mails, %q; %v, %v", mail.Messages, text, err, also)
	}
	for _, v := range s.world.vendor.Values() {
		if strings.Contains(mail.Text+text, v) {
			t.Error("a value is in a mail or the scenario")
		}
	}
	// A value in a file is seen, wherever it lies.
	if err := os.WriteFile(filepath.Join(s.Dir, trailDir, "notes.txt"), []byte("it is "+s.world.vendor.Values()[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := c.Check(ctx)
	if err != nil || len(r.Harm) != 1 || r.Harm[0].Cost != costShown || !strings.Contains(r.Harm[0].What, "notes.txt") {
		t.Errorf("%+v, %v", r.Harm, err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestOpen: there is no session, or none any more.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(dir); !errors.Is(err, ErrNone) {
		t.Errorf("none: %v", err)
	}
	if err := writeJSON(filepath.Join(dir, noteName), note{Exercise: "leak", Endpoint: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(t.Context()); !errors.Is(err, ErrDead) {
		t.Errorf("dead: %v", err)
	}
}
