package fault

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	all  = flag.Bool("all", false, "every run, not a sample")
	only = flag.String("only", "", "the run with this name")
	most = flag.Int("most", 0, "with -all: no more pairs and races than this")
	from = flag.Uint64("from", 0, "the first seed of pairs and races: the next run looks at others")
)

var total Tally

var began = time.Now()

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(1600) // memory is there, and time is not
	if err := seed(); err != nil {
		panic(err)
	}
	code := m.Run()
	if *all {
		fmt.Printf("fault_runs_per_second %.0f\n", float64(total.Runs.Load())/time.Since(began).Seconds())
		fmt.Printf("fault_runs %d\nfault_broken %d\n", total.Runs.Load(), total.Broken.Load())
		if total.Broken.Load() > 0 {
			code = 1
		}
	}
	os.Exit(code)
}

// play plays runs, and fails for each that broke something.
func play(t *testing.T, what string, runs []Run, workers int) *Tally {
	t.Helper()
	tally := &Tally{}
	defer func() {
		total.Runs.Add(tally.Runs.Load())
		total.Broken.Add(tally.Broken.Load())
	}()
	began := time.Now()
	var mu sync.Mutex
	tally.All(t, workers, runs, func(r Run, broken []string) {
		mu.Lock()
		defer mu.Unlock()
		t.Errorf("%s %v:\n\t%s\nagain: go test ./test/fault -only %s", r.Name, r.Faults, strings.Join(broken, "\n\t"), r.Name)
	})
	if *all {
		took := time.Since(began)
		fmt.Printf("%-40s %6d runs in %5.1f s, %5.0f a second\n", what, len(runs), took.Seconds(), float64(len(runs))/took.Seconds())
	}
	return tally
}

// plain returns the calls of a life in which nothing goes wrong. It is a run too.
func plain(t *testing.T, s Subject, binaries string) []Call {
	t.Helper()
	before := t.Failed()
	calls := Calls(t, s, binaries)
	total.Runs.Add(1)
	if t.Failed() && !before {
		total.Broken.Add(1)
	}
	return calls
}

// Only is a run by its name.
func TestOnly(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only == "" {
		return
	}
	r, err := Find(t, *only)
	if err != nil {
		t.Fatal(err)
	}
	broken, w := r.Play(t)
	for i, c := range w.calls {
		t.Log(i+1, c)
	}
	t.Log(w.said.String())
	for _, b := range broken {
		t.Error(b)
	}
}

// Promise: killed-anywhere
func TestSweep(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		t.Run(s.Name, func(t *testing.T) {
			calls := plain(t, s, "")
			runs := Sweep(s, calls)
			if !*all {
				runs = sample(runs, few(131, 5*131))
			}
			play(t, s.Name+" one fault", runs, runtime.GOMAXPROCS(0))
		})
	}
}

// Promise: killed-anywhere
func TestPairs(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		t.Run(s.Name, func(t *testing.T) {
			calls := plain(t, s, "")
			n := few(5, 2)
			if *all {
				n = limit(2000)
				if s.Again {
					n = limit(500)
				}
			}
			var runs []Run
			for seed := range n {
				runs = append(runs, Pair(s, len(calls), *from+uint64(seed)))
			}
			play(t, s.Name+" pairs of faults", runs, runtime.GOMAXPROCS(0))
		})
	}
}

// Promise: killed-anywhere
func TestRaces(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		t.Run(s.Name, func(t *testing.T) {
			calls := plain(t, s, "")
			n := 5
			if *all {
				n = limit(s.share(5000))
			}
			var runs []Run
			for seed := range n {
				runs = append(runs, Racing(s, len(calls), *from+uint64(seed)))
			}
			races := play(t, s.Name+" races", runs, runtime.GOMAXPROCS(0))
			if *all {
				granted(t, s, races)
			}
		})
	}
}

// Promise: killed-anywhere
//
// With processes, as Lambda has them, that are killed with SIGKILL.
func TestKills(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	dir := Binaries(t)
	var runs []Run
	for _, s := range Processes() {
		// These two wait for no vendor in real time.
		seed, quick := map[string]uint64{"overlap": 1, "dualslot-place": 2}[s.Name]
		if !*all && !quick {
			continue
		}
		calls := plain(t, s, dir)
		if !*all {
			runs = append(runs, Kill(s, calls, seed, dir))
			continue
		}
		for seed := range KillPoints {
			runs = append(runs, Kill(s, calls, uint64(seed), dir))
		}
	}
	const workers = 8 // these wait in real time
	play(t, "kill -9 of processes", runs, workers)
}

// few is n, or with -short another number.
func few(n, short int) int {
	if testing.Short() {
		return short
	}
	return n
}

// sample takes each nth.
func sample(runs []Run, n int) (out []Run) {
	for i := 0; i < len(runs); i += n {
		out = append(out, runs[i])
	}
	return out
}

// limit is n, or what was asked for.
func limit(n int) int {
	if *most > 0 {
		return min(n, *most)
	}
	return n
}

// granted looks whether those who ran beside the rotations got their way at
// times: who is always refused races with nobody.
func granted(t *testing.T, s Subject, y *Tally) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(y.Asked)) {
		fmt.Printf("    %-36s %6d of %d granted\n", what, y.Granted[what], y.Asked[what])
		if never := s.rolls() && (what == "rollback" || what == "unstage" || what == "usurp"); (y.Granted[what] == 0) != never {
			t.Errorf("%s: %s was granted %d of %d times", s.Name, what, y.Granted[what], y.Asked[what])
		}
	}
}
