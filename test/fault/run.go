package fault

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Run is one life of a secret with something going wrong.
type Run struct {
	Name    string // "overlap/sweep/37-kill-after"
	Subject Subject
	Faults  []Fault
	Reruns  int   // that Secrets Manager may need
	Race    *Race // nil: one invocation at a time
	// Binaries is the folder of the functions' binaries, which run as processes.
	// "": the functions run in this process.
	Binaries string
}

// Sweep returns a run for each of n calls and each effect.
func Sweep(s Subject, calls []Call) (runs []Run) {
	for at := 1; at <= len(calls); at++ {
		for e := FailBefore; e < effects; e++ {
			if e == Stale && !calls[at-1].Read {
				continue
			}
			f := Fault{at, e}
			runs = append(runs, Run{Name: s.Name + "/sweep/" + f.String(), Subject: s, Faults: []Fault{f}, Reruns: 2})
		}
	}
	return runs
}

// Pair returns a run with two faults, which follow from its seed.
func Pair(s Subject, calls int, seed uint64) Run {
	r := rand.New(rand.NewPCG(seed, 1))
	effect := func() Effect { return FailBefore + Effect(r.IntN(int(effects-FailBefore))) }
	first := Fault{1 + r.IntN(calls), effect()}
	second := Fault{first.At + 1 + r.IntN(40), effect()}
	return Run{Name: fmt.Sprintf("%s/pair/%d", s.Name, seed), Subject: s, Faults: []Fault{first, second}, Reruns: 4}
}

// Find returns the run with a name.
func Find(t *testing.T, name string) (Run, error) {
	t.Helper()
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return Run{}, fmt.Errorf("%q is no run's name", name)
	}
	subjects, dir := Subjects(), ""
	if parts[1] == "kill" {
		subjects, dir = Processes(), Binaries(t)
	}
	for _, s := range subjects {
		if s.Name != parts[0] {
			continue
		}
		calls := Calls(t, s, dir)
		seed, _ := strconv.ParseUint(parts[2], 10, 64) // a sweep's is none
		switch parts[1] {
		case "kill":
			return Kill(s, calls, seed, dir), nil
		case "pair":
			return Pair(s, len(calls), seed), nil
		case "race":
			return Racing(s, len(calls), seed), nil
		}
		for _, r := range Sweep(s, calls) {
			if r.Name == name {
				return r, nil
			}
		}
	}
	return Run{}, fmt.Errorf("there is no run %q", name)
}

// Calls returns the calls of a life in which nothing goes wrong, with processes
// if there are binaries.
func Calls(t *testing.T, s Subject, binaries string) (calls []Call) {
	t.Helper()
	found, w := Run{Name: s.Name + "/plain", Subject: s, Binaries: binaries}.Play(t)
	for _, f := range found {
		t.Errorf("%s: %s", s.Name, f)
	}
	return w.calls
}

// Play lets the run happen, and returns what it broke.
func (r Run) Play(t *testing.T) (broken []string, w *World) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			broken = append(broken, fmt.Sprintf("panic: %v", p))
		}
	}()
	if r.Binaries != "" {
		return r.playProcesses(t)
	}
	synctest.Test(t, func(*testing.T) {
		w = NewWorld(r.Subject)
		defer w.Close()
		w.plan = r.Faults
		for _, f := range r.Faults {
			if f.Effect == Stale {
				w.watchReads()
			}
		}
		var old Known
		old.version, old.key = w.version("AWSCURRENT")
		if r.Race != nil {
			w.race = r.Race.begin(w)
		}
		w.Live()
		broken = w.Judge(old, r.Reruns)
	})
	return broken, w
}

// Tally counts runs and what they broke.
type Tally struct {
	Runs, Broken atomic.Int64

	mu             sync.Mutex
	Asked, Granted map[string]int // in races, of what is no step
}

// All plays runs on all processors. report is told of each that broke
// something.
func (y *Tally) All(t *testing.T, workers int, runs []Run, report func(Run, []string)) {
	t.Helper()
	next := make(chan Run)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for r := range next {
				broken, w := r.Play(t)
				y.Runs.Add(1)
				y.add(w)
				if len(broken) > 0 {
					y.Broken.Add(1)
					report(r, broken)
				}
			}
		})
	}
	for _, r := range runs {
		next <- r
	}
	close(next)
	wg.Wait()
}

func (y *Tally) add(w *World) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.Asked == nil {
		y.Asked, y.Granted = map[string]int{}, map[string]int{}
	}
	if w == nil {
		return
	}
	for what, n := range w.asked {
		y.Asked[what] += n
		y.Granted[what] += w.granted[what]
	}
}
