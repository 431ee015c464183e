package providertest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// definition checks that the facts are whole and fit the code.
func definition(t *testing.T, s Subject) []string {
	return once(t, s, func(b *bench) error {
		d := s.Definition
		if b.roll.id != "" && !b.live(b.roll.id) {
			return errors.New("the key that is rolled is not at the vendor")
		}
		if d.LastUsed != (b.Usage != nil) {
			return errors.New("LastUsed and Usage disagree")
		}
		for _, f := range d.Admin {
			if b.fake.Admin(host).Field(f.Name).Empty() {
				return fmt.Errorf("the fake's admin credential has no field %q", f.Name)
			}
		}
		return settingsFit(d, s.Settings(base))
	})
}

// settingsFit checks what the facts make of the subject's settings.
func settingsFit(d provider.Definition, raw json.RawMessage) error {
	if p := d.Check(raw); len(p) > 0 {
		return fmt.Errorf("the subject's settings have problems: %v", p)
	}
	if len(d.Check(json.RawMessage(`{"no_such_setting": 1}`))) == 0 {
		return errors.New("an unknown setting is no problem")
	}
	if d.Strategy != "Overlap" && d.Principal(raw) == "" {
		return errors.New("no setting names the principal or the key: two secrets could end each other's keys")
	}
	if at := d.BaseURL(raw); at != base && !strings.HasPrefix(at, base+"/") {
		return errors.New("BaseURL is not where the requests go")
	}
	return nil // know compiles the shape
}

func want(what string, err error, kinds ...provider.Kind) error {
	if err == nil || errors.Is(err, provider.ErrRejected) || !slices.Contains(kinds, provider.KindOf(err)) {
		return fmt.Errorf("%s: want an error of %v, got: %w", what, kinds, err)
	}
	return nil
}

func adminWrong(b *bench) error {
	admin := b.fake.Admin(host)
	admin.Fields = maps.Clone(admin.Fields)
	for name, v := range admin.Fields {
		admin.Fields[name] = secret.New(shuffled(v.Reveal()))
	}
	b.open(admin)
	var errs []error
	calls := b.suite.calls(b)
	maps.Copy(calls, b.others(b.foreign[0]))
	for name, call := range calls {
		errs = append(errs, want(name, call(b.ctx), provider.KindAuth))
	}
	return errors.Join(errs...)
}

// adminMissing: an admin without fields can verify and nothing else, and sends
// nothing else.
func adminMissing(b *bench) error {
	key, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return err
	}
	b.open(provider.Admin{Hosts: []string{host}})
	if err := b.try(key.Value); err != nil {
		return fmt.Errorf("verify without an admin credential: %w", err)
	}
	n := b.tr.Requests()
	calls := b.suite.calls(b)
	maps.Copy(calls, b.others(key))
	var errs []error
	for name, call := range calls {
		errs = append(errs, want(name, call(b.ctx), provider.KindAuth, provider.KindPermanent))
	}
	if b.tr.Requests() > n {
		return errors.New("a request was sent without a credential")
	}
	return errors.Join(errs...)
}

// shuffled returns another value of the same shape, as far as the shape does
// not tell positions apart: the last 20 letters and digits backward.
func shuffled(v string) string {
	b := []byte(v)
	var at []int
	for i := len(b) - 1; i >= 0 && len(at) < 20; i-- {
		if c := b[i] | 0x20; '0' <= b[i] && b[i] <= '9' || 'a' <= c && c <= 'z' {
			at = append(at, i)
		}
	}
	for i, j := 0, len(at)-1; i < j; i, j = i+1, j-1 {
		b[at[i]], b[at[j]] = b[at[j]], b[at[i]]
	}
	return string(b)
}

func noKeys(b *bench) error {
	is, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return err
	}
	v := is.Value.Reveal()
	if err := b.try(secret.New(shuffled(v))); err == nil || errors.Is(err, provider.ErrRejected) == b.s.Signs {
		return fmt.Errorf("a well-shaped value that is no key: want ErrRejected, or another error where keys sign, got: %w", err)
	}
	if b.Identify != nil {
		if id, err := b.Identify.Identify(b.ctx, secret.New(shuffled(v)[:len(v)-9]+"a.b.c.d.e")); err == nil || id != "" {
			return fmt.Errorf("Identify of no key returned %q and %w", id, err)
		}
	}
	n := b.tr.Requests()
	for _, odd := range []string{"", v + "\r\nX-Evil: 1", "ключ"} {
		if err := b.try(secret.New(odd)); err == nil || errors.Is(err, provider.ErrRejected) {
			return fmt.Errorf("a value that no header can carry: want an error other than ErrRejected, got: %w", err)
		}
	}
	if b.tr.Requests() > n {
		return errors.New("a value that no header can carry was sent")
	}
	return nil
}

func noIDs(b *bench) error {
	for _, name := range []string{"0", "-1", "0x1", "taken-name"} {
		if b.room() > 1 {
			b.stranger(name)
		}
	}
	other := b.foreign[0].ID
	for _, id := range []string{"", ".", "..", "0", "0x1", "-1", "taken-name", "a/b", "../" + other, "x?y=z", "x#y", other + "/..", strings.Repeat("9", 40)} {
		if err := b.suite.touch(b, id); err != nil && provider.KindOf(err) == provider.KindUnknown {
			return fmt.Errorf("%q: %w", id, err)
		}
	}
	return nil // untouched looks at the foreign keys
}

// canceled: every method returns at once, with an error.
func canceled(b *bench) error {
	is, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return err
	}
	methods := b.suite.calls(b)
	maps.Copy(methods, b.others(is))
	methods["Verify"] = func(ctx context.Context) error { return b.tries.Verify(ctx, is.Value) }
	b.tr.Fault = Fault{Reply: hang}
	for name, call := range methods {
		for _, after := range []time.Duration{0, time.Second} {
			ctx, cancel := context.WithCancel(b.ctx)
			if b.tr.At, b.tr.Sticky = 1, true; after == 0 {
				cancel()
			}
			stop := time.AfterFunc(after, cancel)
			start := time.Now()
			err := call(ctx)
			stop.Stop()
			cancel()
			if took := time.Since(start) - after; err == nil || errors.Is(err, provider.ErrRejected) || took > 0 {
				return fmt.Errorf("%s canceled after %v: returned %w, %v later", name, after, err, took)
			}
		}
	}
	return nil
}

// settles: what the facts say of the time a new value takes is so. A value is
// tried the way the engine does, and then it is accepted for good.
func settles(t *testing.T, s Subject) []string {
	t.Helper()
	if s.Slow == nil {
		s.Slow = s.New
	}
	return onceWith(t, s, s.Slow, func(b *bench) error {
		b.slow = true
		is, err := b.suite.mint(b.ctx, b)
		if err != nil {
			return err
		}
		if err = b.settle(is.Value); err != nil {
			return fmt.Errorf("a new value after its settle time: %w", err)
		}
		for range 20 {
			<-time.After(7 * time.Second)
			b.again()
			if err = b.try(is.Value); err != nil {
				return fmt.Errorf("a value that has settled: %w", err)
			}
		}
		return nil
	})
}

// settle tries v as the engine does.
func (b *bench) settle(v secret.Value) error {
	facts := b.s.Definition.Settle
	every, need := cmp.Or(facts.Every, 2*time.Second), max(1, facts.Successes)
	end := time.Now().Add(facts.Within)
	for got := 0; ; {
		b.again()
		err := b.try(v)
		if got++; err != nil {
			got = 0
		}
		switch {
		case got >= need:
			return nil
		case time.Until(end) < every:
			return errors.Join(err, fmt.Errorf("accepted %d times in a row, want %d", got, need))
		}
		<-time.After(every)
	}
}
