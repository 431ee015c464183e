package fault

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/keyturn/keyturn/test/binaries"
)

// KillPoints is how many of the runs that [Kill] returns are spread over a whole
// life.
const KillPoints = 20

// Kill returns a run with processes, one of which is killed (SIGKILL) at one of
// its calls, before or after the call took effect. Seeds that follow each other
// are spread over the life; where the vendor is asked for a change, that is where
// it happens, at first after it was made. binaries is the folder of the
// functions' binaries.
func Kill(s Subject, calls []Call, seed uint64, binaries string) Run {
	r := rand.New(rand.NewPCG(seed, 4))
	point, round := int(seed%KillPoints), seed/KillPoints
	f := Fault{1 + (point*len(calls)+r.IntN(len(calls)))/KillPoints, KillBefore + Effect(r.IntN(2))}
	for at := 1 + point*len(calls)/KillPoints; at <= (point+1)*len(calls)/KillPoints; at++ {
		if calls[at-1].Change {
			f = Fault{at, KillAfter - Effect(round%2)}
		}
	}
	return Run{Name: s.Name + "/kill/" + strconv.FormatUint(seed, 10), Subject: s, Faults: []Fault{f}, Reruns: 2, Binaries: binaries}
}

// Processes returns the subjects that show each strategy with processes, which
// live in real time: the vendor is quicker to see a new value everywhere.
func Processes() []Subject {
	return []Subject{overlaps()[0], slots()[1], rolls()[0], rollInPlace(spread / 10)}
}

// playProcesses lets the run happen with processes.
func (r Run) playProcesses(t *testing.T) (broken []string, w *World) {
	t.Helper()
	const most = 3
	for n := 1; ; n++ {
		broken, w, killed := r.playOnce(t)
		switch {
		case len(broken) > 0 || killed == len(r.Faults):
			return broken, w
		case n == most:
			return []string{fmt.Sprintf("%d processes were killed, not %d", killed, len(r.Faults))}, w
		}
		// In real time a look at a key may come a second earlier, and another one
		// be saved: the life was over before that call. Take its last one.
		r.Faults = []Fault{{len(w.calls), r.Faults[0].Effect}}
	}
}

func (r Run) playOnce(t *testing.T) (broken []string, w *World, killed int) {
	t.Helper()
	s := &site{binaries: r.Binaries, dir: t.TempDir()}
	w = newWorld(r.Subject, s)
	defer w.Close()
	w.plan = r.Faults
	var old Known
	old.version, old.key = w.version("AWSCURRENT")
	w.Live()
	return w.Judge(old, r.Reruns), w, int(s.killed.Load())
}

// Binaries builds the functions that a rotation and a retirement need, and
// returns their folder.
func Binaries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range []string{rotating, retiring} {
		if err := binaries.For(t.Context(), f, filepath.Join(dir, f, "bootstrap")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
