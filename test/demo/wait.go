package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/test/demo/internal/report"
	"github.com/keyturn/keyturn/test/stack"
)

// patience is how long something that should come at once may take.
const patience = 45 * time.Second

// until waits for something, in real time. If it does not come, the error says
// what, and the end of the log.
func (d *demo) until(ctx context.Context, what string, there func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %s for %s, in vain", patience, what))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		ok, err := there()
		if ok || err != nil && ctx.Err() == nil {
			return err
		}
		if time.Since(began) > 300*time.Millisecond {
			made, failed := d.requests()
			d.screen.wait(fmt.Sprintf("waiting for %s  (%d requests of consumers so far, %d failed)", what, made, failed))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w%s%s", context.Cause(ctx), endOfLog, d.tail())
		}
	}
}

// endOfLog stands between what went wrong and what the functions logged.
const endOfLog = "; the end of the log:\n"

// tail returns the last lines of the log that are not Lambda's own.
func (d *demo) tail() string {
	const most, longest = 12, 240
	lines := strings.Split(strings.TrimSpace(d.log.String()), "\n")
	var out []string
	for _, l := range lines {
		_, text, _ := strings.Cut(l, ": ")
		if strings.HasPrefix(text, "START ") || strings.HasPrefix(text, "END ") || strings.HasPrefix(text, "REPORT ") || strings.Contains(text, `"_aws"`) {
			continue
		}
		out = append(out, "  "+l[:min(len(l), longest)])
	}
	return strings.Join(out[max(0, len(out)-most):], "\n")
}

func (d *demo) requests() (made, failed int) {
	for _, u := range d.consumers {
		s := u.Stats()
		made, failed = made+s.Requests, failed+s.Failed
	}
	return made, failed
}

// pass moves the clock, between two requests of the consumers, and waits until
// each of them has made another: time passes for them too.
func (d *demo) pass(ctx context.Context, by time.Duration, why string) error {
	d.world.Lock()
	// A queue forgets what waits for days, and nobody reads while the world stands.
	if err := d.until(ctx, "the audit function to take what was recorded", func() (bool, error) { return d.stack.Drained(), nil }); err != nil {
		d.world.Unlock()
		return err
	}
	from := d.now()
	d.region.Cloud.Clock().Advance(by)
	to := d.now()
	d.world.Unlock()
	d.run.Jumps = append(d.run.Jumps, report.Jump{From: from, To: to, Why: why})
	d.screen.say(warn, "clock +%s, to %s: %s", report.Short(by), to.Format("2006-01-02 15:04 UTC"), why)
	before := map[string]int{}
	for _, u := range d.consumers {
		before[u.name] = u.Stats().Requests
	}
	return d.until(ctx, "the consumers to go on", func() (bool, error) {
		for _, u := range d.consumers {
			if u.Stats().Requests == before[u.name] {
				return false, nil
			}
		}
		return true, nil
	})
}

// record returns the record of a version's key.
func (d *demo) record(ctx context.Context, name string, is func(keyrecord.Record) bool) (keyrecord.Record, bool, error) {
	b, err := d.records.Load(ctx, name)
	if err != nil {
		return keyrecord.Record{}, false, err
	}
	for _, r := range b.Keys {
		if is(r) {
			return r, true, nil
		}
	}
	return keyrecord.Record{}, false, nil
}

func version(v string) func(keyrecord.Record) bool {
	return func(r keyrecord.Record) bool { return r.Version == v && r.State != keyrecord.Lost }
}

// follow moves the clock to whatever is due next for a key, until done.
func (d *demo) follow(ctx context.Context, name, why string, is, done func(keyrecord.Record) bool) (keyrecord.Record, error) {
	const most = 20
	var r keyrecord.Record
	for range most {
		var ok bool
		err := d.until(ctx, "the record of a key of "+name, func() (_ bool, err error) {
			r, ok, err = d.record(ctx, name, is)
			return ok, err
		})
		if err != nil || done(r) {
			return r, err
		}
		next := time.Hour // the sweep looks every hour
		if !r.Next.IsZero() {
			// Schedules that are far off are rounded up to the minute.
			next = r.Next.Truncate(time.Minute).Add(time.Minute + 2*time.Second).Sub(d.now())
		}
		if next > 0 {
			if err := d.pass(ctx, next, why); err != nil {
				return r, err
			}
		}
		seen := r.Revision
		err = d.until(ctx, fmt.Sprintf("the retire function to look at a key of %s (%s)", name, r.State), func() (bool, error) {
			r, ok, err := d.record(ctx, name, is)
			return ok && (r.Revision != seen || done(r)), err
		})
		if err != nil {
			return r, err
		}
	}
	return r, errors.New("a key of " + name + " did not come to its end: it is " + string(r.State) + ": " + r.Why)
}

// mail shows the messages that came since it was called last, by their
// subjects.
func (d *demo) mail() {
	all := d.region.SNS.Inbox(stack.Topic)
	for _, m := range all[d.shown:] {
		d.screen.say(dim, "SNS: %s", m.Subject)
		d.run.Notes = append(d.run.Notes, report.Note{At: m.Time, Secret: m.Attributes["key"].Value, Kind: report.Message, Text: m.Subject + "."})
	}
	d.shown = len(all)
}

// note puts something into the timeline.
func (d *demo) note(kind report.Kind, name, text string) {
	d.run.Notes = append(d.run.Notes, report.Note{At: d.now(), Secret: name, Kind: kind, Text: text})
}
