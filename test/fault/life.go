package fault

import (
	"context"
	"encoding/json"
	"testing/synctest"
	"time"
)

// rotation is Secrets Manager invoking the rotate function.
func (w *World) rotation(_ context.Context, _ string, payload []byte) (out []byte, failure string, err error) {
	var e struct{ Step, ClientRequestToken, RotationToken string }
	check(json.Unmarshal(payload, &e))
	w.mu.Lock()
	w.tokens = append(w.tokens, e.RotationToken)
	if w.trial == "" {
		w.trial = e.ClientRequestToken
	}
	if e.Step == "createSecret" && e.ClientRequestToken == w.trial {
		w.attempts++
	}
	w.mu.Unlock()
	if w.race != nil {
		out, failure = w.race.step(e.Step, payload)
	} else {
		out, failure = w.invoke(rotating, payload, nil)
	}
	return out, failure, nil
}

// InvokeAsync implements [scheduler.Invoker]: a schedule is due.
func (w *World) InvokeAsync(_ context.Context, _ string, payload []byte) error {
	w.mu.Lock()
	w.wakeups = append(w.wakeups, payload)
	w.mu.Unlock()
	w.wake()
	return nil
}

// label takes a label event from the bus.
func (w *World) label(_ context.Context, event []byte) {
	w.mu.Lock()
	w.events = append(w.events, event)
	w.mu.Unlock()
	w.wake()
}

func (w *World) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// Live lets the secret rotate once, and its old key be retired.
func (w *World) Live() {
	w.quiet()
	w.mu.Lock()
	w.events = nil // those of the first key: events get lost
	w.mu.Unlock()
	w.pass(2 * time.Hour)
	w.mu.Lock()
	w.started = true
	w.mu.Unlock()
	w.rotate()
	w.retire()
}

// rotate has Secrets Manager rotate, and waits for the end of it.
func (w *World) rotate() {
	w.must(w.cloud.SecretsManager(), "RotateSecret", map[string]any{
		"SecretId": secretName, "ClientRequestToken": w.requestID(),
		"RotationLambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:" + rotating,
		"RotationRules":     map[string]any{"ScheduleExpression": "rate(30 days)"},
	})
	if w.race != nil {
		w.race.run()
		return
	}
	w.site.rotate()
	check(w.cloud.Rotated(w.ctx, secretName))
	w.quiet()
}

// quiet returns when nothing happens any more unless time goes by.
func (w *World) quiet() {
	if w.site == nil {
		synctest.Wait()
		return
	}
	check(w.cloud.Idle(w.ctx))
}

// pass lets time go by.
func (w *World) pass(d time.Duration) {
	if w.site == nil {
		time.Sleep(d)
		return
	}
	w.cloud.Clock().Advance(d)
}

// passUntil lets time go by until then. It returns true if a schedule or an
// event came before.
func (w *World) passUntil(then time.Time) (woken bool) {
	if w.site != nil {
		return w.site.passUntil(then)
	}
	t := time.NewTimer(time.Until(then))
	defer t.Stop()
	select {
	case <-w.woken:
		woken = true
	case <-t.C:
	}
	synctest.Wait()
	select { // what comes at that very moment has come before
	case <-w.woken:
		return true
	default:
		return woken
	}
}

const (
	tries      = 3 // of an event, as SQS and Lambda do it
	retryAfter = 2 * time.Minute
	sweepEvery = 8 * time.Hour
	longest    = 6 * 24 * time.Hour // until everything must be over
)

// retire has events, schedules and sweeps start the retire function until
// nothing is left to do.
func (w *World) retire() {
	end, sweep := w.now().Add(longest), w.now().Add(sweepEvery)
	for starts := 0; w.now().Before(end); starts++ {
		if starts > startsMost+int(longest/time.Hour)*startsHourly {
			w.breach("somebody was started %d times, and it goes on: %s", starts, w.rest())
			return
		}
		w.deliver()
		if w.settled() {
			return
		}
		if !w.passUntil(sweep) {
			w.sweep()
			sweep = sweep.Add(sweepEvery)
		}
	}
	w.breach("after %s it is not over: %s", longest, w.rest())
}

func (w *World) sweep() {
	w.invoke(retiring, []byte(`{"version":1,"sweep":true}`), nil)
}

// deliver starts the retire function for what waits.
func (w *World) deliver() {
	for {
		w.quiet() // what was sent has come
		w.mu.Lock()
		events, wakeups := w.events, w.wakeups
		w.events, w.wakeups = nil, nil
		w.mu.Unlock()
		if len(events)+len(wakeups) == 0 {
			return
		}
		if w.race != nil {
			w.together(events, wakeups)
			continue
		}
		if len(events) > 0 {
			w.insist(batch(events))
		}
		for _, payload := range wakeups {
			w.insist(payload)
		}
	}
}

// together starts the retire function for all that waits at once, and now and
// then for the sweep as well. What fails is not tried again: the sweep comes.
func (w *World) together(events, wakeups [][]byte) {
	for _, e := range events {
		w.race.enter(retiring, batch([][]byte{e}), nil)
	}
	for _, payload := range wakeups {
		w.race.enter(retiring, payload, nil)
	}
	for range w.race.rng.IntN(3) {
		w.race.join(besides[w.race.rng.IntN(4)])
	}
	w.race.run()
}

// insist starts the retire function as AWS does: a few times, if need be.
func (w *World) insist(payload []byte) {
	for n := range tries {
		out, failure := w.invoke(retiring, payload, nil)
		var r struct{ BatchItemFailures []any }
		_ = json.Unmarshal(out, &r) // null is a success
		if failure == "" && len(r.BatchItemFailures) == 0 || n+1 == tries {
			return
		}
		w.pass(retryAfter)
	}
}

// batch is what a queue hands to a function.
func batch(events [][]byte) []byte {
	type message struct {
		MessageID string `json:"messageId"`
		Body      string `json:"body"`
	}
	var out struct{ Records []message }
	for i, e := range events {
		out.Records = append(out.Records, message{string(rune('a' + i)), string(e)})
	}
	return encode(out)
}
