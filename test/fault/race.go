package fault

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"
)

// Race says which invocations run beside each other, and in which order they
// make their calls: all of it follows from the seed.
type Race struct{ Seed uint64 }

// Racing returns a run in which several invocations race. In every third of
// them something goes wrong as well.
func Racing(s Subject, calls int, seed uint64) Run {
	r := Run{Name: fmt.Sprintf("%s/race/%d", s.Name, seed), Subject: s, Race: &Race{seed}, Reruns: 6}
	rng := rand.New(rand.NewPCG(seed, 2))
	if rng.IntN(3) == 0 {
		r.Faults = []Fault{{1 + rng.IntN(calls), FailBefore + Effect(rng.IntN(int(effects-FailBefore)))}}
	}
	return r
}

// race lets several invocations run beside each other, one request at a time.
// Only the world's main goroutine schedules.
type race struct {
	world  *World
	rng    *rand.Rand
	actors []*actor // that have not ended, in the order of their coming
	again  [4]bool  // the steps that are invoked twice
	beside map[string][]string
	begun  map[string]bool
	after  []string // what runs beside each other when the rotation is over
	turns  int      // given so far
	polite bool     // who has changed something at the vendor lets all others pass
}

const latest = 30 // turns until the last of those who come to others has come

// actor is one invocation of a race.
type actor struct {
	turn  chan struct{}
	from  int  // the first turn that it may have, unless it is alone
	shy   bool // it lets all others pass
	at    bool // it waits for its turn
	ended bool
	race  *race
}

func (r *Race) begin(w *World) *race {
	x := &race{world: w, rng: rand.New(rand.NewPCG(r.Seed, 3)), beside: map[string][]string{}, begun: map[string]bool{}}
	x.polite = x.rng.IntN(2) == 0
	for i := range x.again {
		x.again[i] = x.rng.IntN(2) == 0
	}
	for range 1 + x.rng.IntN(3) {
		step := steps[x.rng.IntN(len(steps))]
		x.beside[step] = append(x.beside[step], besides[x.rng.IntN(len(besides))])
	}
	for range x.rng.IntN(4) {
		x.after = append(x.after, besides[x.rng.IntN(len(besides))])
	}
	return x
}

var (
	steps   = [...]string{"createSecret", "setSecret", "testSecret", "finishSecret"}
	besides = [...]string{"retire", "retire", "sweep", "sweep", "rotate-now", "plan", "pause", "rollback", "rollback", "adopt", "observe", "unstage", "usurp"}
)

// wait is called by an actor before each of its requests.
func (a *actor) wait() {
	a.race.world.mu.Lock()
	a.at = true
	a.race.world.mu.Unlock()
	select {
	case <-a.turn:
	case <-a.race.world.over:
	}
}

// enter begins an invocation, which waits for its first turn.
func (x *race) enter(function string, payload []byte, then func(out []byte, failure string)) {
	x.begin(func(a *actor) ([]byte, string) {
		return x.world.invoke(function, payload, a)
	}, then)
}

// begin begins what an actor does from his first turn on.
func (x *race) begin(do func(*actor) (out []byte, failure string), then func(out []byte, failure string)) {
	a := &actor{turn: make(chan struct{}), race: x}
	x.world.mu.Lock()
	if len(x.actors) > 0 { // whoever comes to others comes at any time
		a.from = x.turns + x.rng.IntN(latest)
	}
	x.actors = append(x.actors, a)
	x.world.mu.Unlock()
	go func() {
		a.wait()
		out, failure := do(a)
		x.world.mu.Lock()
		a.ended = true
		x.world.mu.Unlock()
		if then != nil {
			then(out, failure)
		}
	}()
}

// step is Secrets Manager's invocation, with what runs beside it.
func (x *race) step(name string, payload []byte) ([]byte, string) {
	type answer struct {
		out     []byte
		failure string
	}
	done := make(chan answer, 1)
	x.enter(rotating, payload, func(out []byte, failure string) { done <- answer{out, failure} })
	for i, s := range steps {
		if s == name && x.again[i] {
			x.enter(rotating, payload, nil)
		}
	}
	if !x.begun[name] { // what an attempt is run beside, the next is not
		x.begun[name] = true
		for _, what := range x.beside[name] {
			x.join(what)
		}
	}
	got := <-done
	return got.out, got.failure
}

// join begins what is not a step.
func (x *race) join(what string) {
	now := func(mode string, more map[string]any) []byte {
		q := map[string]any{"version": 1, "mode": mode, "secret": secretName, "reason": "a race"}
		maps.Copy(q, more)
		return encode(q)
	}
	count := func(_ []byte, failure string) {
		x.world.mu.Lock()
		defer x.world.mu.Unlock()
		x.world.asked[what]++
		if failure == "" {
			x.world.granted[what]++
		}
	}
	switch what {
	case "retire":
		x.enter(retiring, encode(map[string]any{"version": 1, "secret": secretName}), count)
	case "sweep":
		x.enter(retiring, []byte(`{"version":1,"sweep":true}`), count)
	case "rotate-now":
		x.enter(demand, now("rotate", nil), count)
	case "plan":
		x.enter(rotating, now("plan", nil), count)
	case "observe":
		x.enter(rotating, now("adopt", map[string]any{"observe": true}), count)
	case "adopt":
		x.enter(rotating, now("adopt", nil), count)
	case "rollback":
		x.enter(retiring, now("rollback", nil), count)
	case "restore":
		x.enter(retiring, now("restore", nil), count)
	case "unstage":
		x.begin(func(*actor) ([]byte, string) { return nil, x.world.takePending() }, count)
	case "usurp":
		x.begin(func(*actor) ([]byte, string) { return nil, x.world.usurp() }, count)
	case "pause":
		x.enter(demand, now("pause", map[string]any{"until": time.Now().Add(20 * time.Second).UTC().Format(time.RFC3339), "owner": "somebody"}), count)
	}
}

// run gives turns until nobody is left and no rotation is under way.
func (x *race) run() {
	idle := make(chan struct{})
	go func() {
		_ = x.world.cloud.Rotated(x.world.ctx, secretName) // it ends with the world
		close(idle)
	}()
	for {
		synctest.Wait()
		ready, left := x.look()
		if len(ready) > 0 {
			a := ready[x.rng.IntN(len(ready))]
			x.world.mu.Lock()
			a.at, a.shy = false, false
			x.turns++
			x.world.mu.Unlock()
			a.turn <- struct{}{}
			continue
		}
		select {
		case <-idle:
			if left > 0 {
				break
			}
			if len(x.after) == 0 {
				return
			}
			for _, what := range x.after {
				x.join(what)
			}
			x.after = nil
			continue
		default:
		}
		time.Sleep(time.Second) // longer than the clients' own pauses, so that their jitter decides nothing
	}
}

func (x *race) look() (ready []*actor, left int) {
	x.world.mu.Lock()
	defer x.world.mu.Unlock()
	kept := x.actors[:0]
	for _, a := range x.actors {
		if a.ended {
			continue
		}
		kept = append(kept, a)
		if a.at {
			ready = append(ready, a)
		}
	}
	x.actors = kept
	for _, first := range []func(*actor) bool{
		func(a *actor) bool { return !a.shy && a.from <= x.turns },
		func(a *actor) bool { return a.from <= x.turns },
	} {
		if now := slices.DeleteFunc(slices.Clone(ready), func(a *actor) bool { return !first(a) }); len(now) > 0 {
			return now, len(kept)
		}
	}
	return ready, len(kept)
}

// changed is told of a change that the actor made at the vendor.
func (a *actor) changed() {
	if a == nil {
		return
	}
	a.race.world.mu.Lock()
	a.shy = a.race.polite
	a.race.world.mu.Unlock()
}
