package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

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

// TestSession: who does nothing scores nothing, and is shown no value; what makes no
// sense is refused; the order counts.
func TestSession(t *testing.T) {
	t.Parallel()
	s := start(t, leak())
	nothingDone(t, s)
	refuses(t, s)
	hides(t, s)
	counts(t, s)
}

func nothingDone(t *testing.T, s *Session) {
	t.Helper()
	r := s.Check(t.Context())
	for _, g := range r.Goals {
		if g.Done || g.Missing == "" {
			t.Errorf("%s is done", g.ID)
		}
	}
	if r.Score != 0 || r.Done || len(r.Harm) > 0 {
		t.Errorf("%+v", r)
	}
}

// refuses asks a session for what makes no sense, and for all hints.
func refuses(t *testing.T, s *Session) {
	t.Helper()
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
}

// hides looks for values in what is shown, and puts one where it is seen.
func hides(t *testing.T, s *Session) {
	t.Helper()
	ctx := t.Context()
	c, err := Open(s.Dir)
	if err != nil {
		t.Fatal(err)
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

// counts rotates before the stranger is shut out, and so gives the new key away.
func counts(t *testing.T, s *Session) {
	t.Helper()
	name, token := leaked, uuid.NewString()
	_, old := s.world.current(leaked)
	c := sm.NewFromConfig(s.world.region.Cloud.Config())
	if _, err := c.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: &name, ClientRequestToken: &token}); err != nil {
		t.Fatal(err)
	}
	if err := s.world.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.world.stranger.read(t.Context(), leaked); err != nil {
		t.Fatal(err)
	}
	if !s.Block(thiefRole, false) {
		t.Fatal("there is no such role")
	}
	if found, err := s.Revoke(t.Context(), old); !found || err != nil {
		t.Fatal(found, err)
	}
	done := map[string]bool{}
	for _, g := range s.Check(t.Context()).Goals {
		done[g.ID] = g.Done
	}
	want := map[string]bool{"shut-out": true, "taken-on": false, "rotated": false, "worthless": false, "dead": false, "proven": false}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
