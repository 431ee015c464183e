package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/demo/internal/report"
	"github.com/keyturn/keyturn/test/stack"
)

// acts tells the story. What does not go as it should is in the report's
// Problems too.
func (d *demo) acts(ctx context.Context) error {
	for n, a := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A scheduled rotation", d.scheduled},
		{"A crash in the middle, which heals", d.crash},
		{"A key that is still in use is held, and then retired", d.held},
		{"A rotation on demand", d.demand},
		{"A theft, which is noticed", d.theft},
	} {
		d.screen.head(fmt.Sprintf("Act %d. %s", n+1, a.title))
		if err := a.do(ctx); err != nil {
			err = fmt.Errorf("act %d (%s): %w", n+1, strings.ToLower(a.title), err)
			what, _, _ := strings.Cut(err.Error(), endOfLog)
			d.run.Problems = append(d.run.Problems, what)
			if !d.keepGoing || ctx.Err() != nil {
				return err
			}
			d.screen.say(bad, "%v", err)
		}
	}
	return nil
}

// scheduled moves the clock to the end of the mailer's rotation window.
func (d *demo) scheduled(ctx context.Context) error {
	s, err := d.secrets.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: new(mailer)})
	if err != nil {
		return err
	}
	if s.NextRotationDate == nil {
		return errors.New("the secret has no next rotation date")
	}
	if err = d.pass(ctx, s.NextRotationDate.Sub(d.now())+time.Second, mailer+" is due, at rate(30 days)"); err != nil {
		return err
	}
	if err = d.rotated(ctx, mailer, "schedule"); err != nil {
		return err
	}
	return d.retired(ctx, mailer)
}

// crash kills the rotate function between the vendor's making a key and its
// value being stored.
func (d *demo) crash(ctx context.Context) error {
	v, function := d.vendor(billing), stack.Rotate(sendgridAccount)
	killed := make(chan struct{})
	kill := func() {
		d.region.Lambda.Kill(function)
		d.watch.crashed(billing)
		d.note(report.Crash, billing, "The rotate function is killed (SIGKILL) after "+v.title+" has made a key, and before its value is stored.")
		close(killed)
	}
	v.made.Store(&kill)
	defer v.made.Store(nil)
	if err := d.rotate(ctx, billing); err != nil {
		return err
	}
	err := d.until(ctx, "the crash", func() (bool, error) {
		select {
		case <-killed:
			return true, nil
		default:
			return false, nil
		}
	})
	if err != nil {
		return err
	}
	d.screen.say(bad, "SIGKILL to %s: %s has made a key, and nobody has its value", function, v.title)
	if err = d.rotated(ctx, billing, "by hand, with a crash"); err != nil {
		return err
	}
	b, err := d.records.Load(ctx, billing)
	if err != nil {
		return err
	}
	var lost string
	for _, k := range v.Live() {
		if r, known := b.Key(k.ID); strings.HasPrefix(k.Name, lineage(billing)) && (!known || r.State == keyrecord.Lost) {
			lost = k.ID
			d.screen.say(plain, "%s holds a key without a value: %s", v.title, k.Name)
		}
	}
	if lost == "" {
		return errors.New("the vendor holds no lost key, so there was no crash")
	}
	if err = d.retired(ctx, billing); err != nil {
		return err
	}
	r, err := d.follow(ctx, billing, "the sweep looks again at the lost key", func(r keyrecord.Record) bool { return r.KeyID == lost },
		func(r keyrecord.Record) bool { return !r.State.Alive() })
	d.mail()
	if err != nil {
		return err
	}
	d.screen.say(good, "the lost key was found by its name, and revoked; %s", r.Why)
	return nil
}

// held rotates a key that one program goes on using, because it never fetches
// it again.
func (d *demo) held(ctx context.Context) error {
	if err := d.rotate(ctx, ci); err != nil {
		return err
	}
	if err := d.rotated(ctx, ci, "by hand"); err != nil {
		return err
	}
	_, old := d.watch.current(ci)
	d.screen.say(plain, "%s goes on with the old key, as a program does that read it at its start", legacy)
	var r keyrecord.Record
	for r.State != keyrecord.Held {
		// Less than the quiet time, for the vendor must see it used in between.
		const step, most = 5 * time.Hour, 30 * time.Hour
		if now := d.now(); !r.Replaced.IsZero() && now.Sub(r.Replaced) > most {
			return fmt.Errorf("the old key is not held %s after it was replaced, but %s: %s", report.Long(now.Sub(r.Replaced)), r.State, r.Why)
		}
		if err := d.pass(ctx, step, "the old key stays in use"); err != nil {
			return err
		}
		var ok bool
		err := d.until(ctx, "the retire function to look at the old key", func() (_ bool, err error) {
			r, ok, err = d.record(ctx, ci, version(old))
			overdue := !r.Next.IsZero() && !r.Next.After(d.now())
			return ok && (r.State != keyrecord.Grace || !overdue), err
		})
		if err != nil {
			return err
		}
		if r.State != keyrecord.Held && r.State != keyrecord.Grace {
			return fmt.Errorf("the old key is %s, and %s still uses it: %s", r.State, legacy, cmp.Or(r.Why, r.Proof))
		}
	}
	if err := d.message(ctx, "held", ci); err != nil {
		return err
	}
	d.note(report.Restart, ci, legacy+" is started again, and fetches the new key.")
	for _, u := range d.consumers {
		if u.name == legacy {
			u.Restart()
		}
	}
	d.screen.say(plain, "%s is started again, and fetches the new key", legacy)
	if err := d.adopted(ctx, ci, true); err != nil {
		return err
	}
	return d.retired(ctx, ci)
}

// message waits for messages of a kind about each of these secrets, and shows that
// about the first of them whole.
func (d *demo) message(ctx context.Context, kind string, about ...string) error {
	found := map[string]sns.Message{}
	err := d.until(ctx, "a message: "+kind, func() (bool, error) {
		for _, m := range d.region.SNS.Inbox(stack.Topic)[d.shown:] {
			for _, name := range about {
				if m.Attributes["kind"].Value == kind && strings.Contains(m.For("email"), name) {
					found[name] = m
				}
			}
		}
		return len(found) == len(about), nil
	})
	if err != nil {
		return err
	}
	d.mail()
	text, _, _ := strings.Cut(found[about[0]].For("email"), "\nDetails\n")
	d.screen.block(text)
	return nil
}

// demand has the operator's command rotate a key.
func (d *demo) demand(ctx context.Context) error {
	const why = "a laptop was lost"
	d.note(report.Asked, deploy, "The operator asks for a rotation: "+why+".")
	if err := d.keyturn(ctx, "rotate-now", deploy, "--reason", why); err != nil {
		return err
	}
	if err := d.rotated(ctx, deploy, "rotate-now"); err != nil {
		return err
	}
	if err := d.retired(ctx, deploy); err != nil {
		return err
	}
	return d.keyturn(ctx, "status")
}

// rotate asks Secrets Manager for a rotation, as a person would in the console.
func (d *demo) rotate(ctx context.Context, name string) error {
	d.screen.say(bold, "$ aws secretsmanager rotate-secret --secret-id %s", name)
	_, err := d.secrets.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: &name})
	return err
}

// rotated waits for the end of the rotation, shows its steps, and waits for the
// consumers to fetch the new key.
func (d *demo) rotated(ctx context.Context, name, cause string) error {
	var t turn
	err := d.until(ctx, "the rotation of "+name, func() (_ bool, err error) {
		t, _ = d.watch.last(name)
		return !t.Ended.IsZero(), nil
	})
	if err != nil {
		return err
	}
	d.showSteps(t)
	if t.Event != "RotationSucceeded" || t.Promoted.IsZero() {
		return fmt.Errorf("the rotation of %s ended with %s%s%s", name, t.Event, endOfLog, d.tail())
	}
	calls, writes := d.calls(t)
	d.turned(name, report.Rotation{Cause: cause, Started: t.Started, Promoted: t.Promoted, Calls: calls, Writes: writes, Crashes: t.Crashes})
	d.screen.say(good, "%s has a new key after %.2f s; %d calls of Secrets Manager, %d of them writes", name, t.Promoted.Sub(t.Started).Seconds(), calls, writes)
	if err := d.adopted(ctx, name, false); err != nil {
		return err
	}
	_, old := d.watch.current(name)
	err = d.until(ctx, "the retire function to hear of it", func() (bool, error) {
		r, ok, err := d.record(ctx, name, version(old))
		return ok && r.State != keyrecord.Current, err
	})
	d.mail()
	return err
}

// adopted waits until every consumer has fetched the current key; a stubborn one
// only if it was started again.
func (d *demo) adopted(ctx context.Context, name string, stubborn bool) error {
	current, _ := d.watch.current(name)
	var who []string
	err := d.until(ctx, "the consumers to fetch the new key", func() (bool, error) {
		who = nil
		for _, u := range d.consumers {
			if s := u.Stats(); u.secret == name && (!s.Stubborn || stubborn) {
				if s.Version != current {
					return false, nil
				}
				who = append(who, u.name)
			}
		}
		return true, nil
	})
	if err == nil {
		d.screen.say(plain, "fetched by %s", strings.Join(who, ", "))
	}
	return err
}

// retired waits for the death of the key before the current one.
func (d *demo) retired(ctx context.Context, name string) error {
	_, old := d.watch.current(name)
	r, err := d.follow(ctx, name, "the old key is looked at again", version(old), func(r keyrecord.Record) bool { return !r.State.Alive() })
	if err != nil {
		return err
	}
	d.mail()
	d.screen.say(good, "the old key is %s: %s", r.State, cmp.Or(r.Proof, r.Why))
	return d.goOn(ctx, name)
}

// goOn lets the consumers use the key for longer than they keep one: whoever
// still needed the old one would fail.
func (d *demo) goOn(ctx context.Context, name string) error {
	enough := int(3*cache/every) / 2
	before := map[string]int{}
	for _, u := range d.consumers {
		before[u.name] = u.Stats().Requests
	}
	return d.until(ctx, "the consumers to go on", func() (bool, error) {
		for _, u := range d.consumers {
			if u.secret == name && u.Stats().Requests < before[u.name]+enough {
				return false, nil
			}
		}
		return true, nil
	})
}
