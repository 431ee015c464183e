package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// definition checks that the facts are whole and fit the code.
func definition(t *testing.T, s Subject) []string {
	return once(t, s, func(b *bench) error {
		d := s.Definition
		if len(d.Check(s.Settings(base))) > 0 {
			return fmt.Errorf("the subject's settings have problems: %v", d.Check(s.Settings(base)))
		}
		if len(d.Check(json.RawMessage(`{"no_such_setting": 1}`))) == 0 {
			return errors.New("an unknown setting is no problem")
		}
		if d.LastUsed != (b.Usage != nil) {
			return errors.New("LastUsed and Usage disagree")
		}
		if at := d.BaseURL(s.Settings(base)); at != base && !strings.HasPrefix(at, base+"/") {
			return errors.New("BaseURL is not where the requests go")
		}
		for _, f := range d.Admin {
			if b.fake.Admin(host).Field(f.Name).Empty() {
				return fmt.Errorf("the fake's admin credential has no field %q", f.Name)
			}
		}
		_, err := regexp.Compile(d.Shape)
		return err
	})
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
	_, cerr := b.Keys.Create(b.ctx, ours)
	_, lerr := b.Keys.List(b.ctx)
	return errors.Join(
		want("Create", cerr, provider.KindAuth), want("List", lerr, provider.KindAuth),
		want("Revoke", b.Keys.Revoke(b.ctx, b.foreign[0].ID), provider.KindAuth),
	)
}

// adminMissing: an admin without fields can verify and nothing else, and sends
// nothing else.
func adminMissing(b *bench) error {
	key := b.fake.Add(ours)
	b.open(provider.Admin{Hosts: []string{host}})
	if err := b.Keys.Verify(b.ctx, key.Value); err != nil {
		return fmt.Errorf("verify without an admin credential: %w", err)
	}
	n := b.tr.Requests()
	_, cerr := b.Keys.Create(b.ctx, ours)
	_, lerr := b.Keys.List(b.ctx)
	if b.tr.Requests() > n {
		return errors.New("a request was sent without a credential")
	}
	kinds := []provider.Kind{provider.KindAuth, provider.KindPermanent}
	return errors.Join(want("Create", cerr, kinds...), want("List", lerr, kinds...))
}

func noRoom(b *bench) error {
	if b.Max == 0 {
		return nil
	}
	for len(b.fake.Live()) < b.Max {
		b.foreign = append(b.foreign, b.fake.Add("filler").Key)
	}
	_, err := b.Keys.Create(b.ctx, ours)
	return want("Create", err, provider.KindFull)
}

// forbidden: a 403 while there is room must not look like a full account, on
// which a caller may revoke keys.
func forbidden(b *bench) error {
	b.tr.At, b.tr.Fault = 1, Fault{Reply: canned(http.StatusForbidden, said)}
	_, err := b.Keys.Create(b.ctx, ours)
	if err == nil || provider.KindOf(err) == provider.KindFull {
		return fmt.Errorf("a 403 with room for %d keys: %w", b.Max-crowd, err)
	}
	return nil
}

// sameName: either a name is taken for good, or both keys are listed.
func sameName(b *bench) error {
	if _, err := b.Keys.Create(b.ctx, ours); err != nil {
		return err
	}
	_, err := b.Keys.Create(b.ctx, ours)
	ids, lerr := find(b)
	switch {
	case lerr != nil:
		return lerr
	case err == nil && (len(ids) != 2 || ids[0] == ids[1]):
		return fmt.Errorf("two keys of one name, %d listed", len(ids))
	case err != nil && (provider.KindOf(err) != provider.KindPermanent || len(ids) != 1):
		return fmt.Errorf("a name that is taken: %w", err)
	}
	return nil
}

// oneRevoked: to revoke one key is to revoke that one, whatever others are
// called.
func oneRevoked(b *bench) error {
	b.foreign = append(b.foreign, b.fake.Add(ours+"-of-another-lineage").Key)
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	return b.Keys.Revoke(b.ctx, is.ID) // untouched looks at the foreign keys
}

// pages: the spy compares each list with what there is.
func pages(b *bench) error {
	for i := range 100 {
		if b.Max > 0 && len(b.fake.Live()) >= b.Max {
			break
		}
		b.foreign = append(b.foreign, b.fake.Add(fmt.Sprintf("more %d", i)).Key)
		if i%7 != 0 {
			continue
		}
		if _, err := b.Keys.List(b.ctx); err != nil {
			return err
		}
	}
	_, err := b.Keys.List(b.ctx)
	return err
}

// shuffled returns another value of the same shape, as far as the shape does
// not tell positions apart.
func shuffled(v string) string {
	b := []byte(v)
	slices.Reverse(b[len(b)-min(20, len(b)):])
	return string(b)
}

func noKeys(b *bench) error {
	v := b.fake.Add(ours).Value.Reveal()
	if err := b.Keys.Verify(b.ctx, secret.New(shuffled(v))); !errors.Is(err, provider.ErrRejected) {
		return fmt.Errorf("a well-shaped value that is no key: want ErrRejected, got: %w", err)
	}
	if b.Identify != nil {
		if id, err := b.Identify.Identify(b.ctx, secret.New(shuffled(v)[:len(v)-9]+"a.b.c.d.e")); err == nil || id != "" {
			return fmt.Errorf("Identify of no key returned %q and %w", id, err)
		}
	}
	n := b.tr.Requests()
	for _, odd := range []string{"", v + "\r\nX-Evil: 1", "ключ"} {
		if err := b.Keys.Verify(b.ctx, secret.New(odd)); err == nil || errors.Is(err, provider.ErrRejected) {
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
		b.foreign = append(b.foreign, b.fake.Add(name).Key)
	}
	for _, id := range []string{"", ".", "..", "0", "0x1", "-1", "taken-name", "a/b", "../" + b.foreign[0].ID, "x?y=z", "x#y", b.foreign[0].ID + "/..", strings.Repeat("9", 40)} {
		err := b.Keys.Revoke(b.ctx, id)
		if err != nil && provider.KindOf(err) == provider.KindUnknown {
			return fmt.Errorf("revoke %q: %w", id, err)
		}
	}
	return nil // untouched looks at the foreign keys
}

func usage(b *bench) error {
	if b.Usage == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	if t, err := b.Usage.LastUsed(b.ctx, is.ID); err != nil || !t.IsZero() {
		return fmt.Errorf("a key that was never used: %v and %w", t, err)
	}
	var last time.Time
	for range 2 {
		<-time.After(3 * time.Second)
		if err := b.consume(is.Value); err != nil {
			return err
		}
		t, err := b.Usage.LastUsed(b.ctx, is.ID)
		if err != nil || !t.After(last) || time.Since(t).Abs() > b.s.Definition.UsageLag+time.Second {
			return fmt.Errorf("a key used now, before at %v: last used %v and %w", last, t, err)
		}
		last = t
	}
	_, err = b.Usage.LastUsed(b.ctx, "999999999")
	return want("LastUsed of no key", err, provider.KindNotFound)
}

// consume uses a key as its consumer does.
func (b *bench) consume(v secret.Value) error {
	req, err := b.s.Consume(base, v)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: b.tr}).Do(req.WithContext(b.ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // in memory
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the consumer was answered %d", res.StatusCode)
	}
	return nil
}

func alike(b *bench) error {
	if b.Scope == nil {
		return nil
	}
	var scopes [2][]string
	for i := range scopes {
		is, err := b.Keys.Create(b.ctx, ours+string(rune('a'+i)))
		if err != nil {
			return err
		}
		if scopes[i], err = b.Scope.Scopes(b.ctx, is.ID); err != nil {
			return err
		}
	}
	if !slices.Equal(scopes[0], scopes[1]) {
		return fmt.Errorf("two keys made alike have scopes %v and %v", scopes[0], scopes[1])
	}
	_, err := b.Scope.Scopes(b.ctx, "999999999")
	return want("Scopes of no key", err, provider.KindNotFound)
}

// keepsRights calls do and compares what the key may do before and after: some
// vendors' updates lose what they do not repeat.
func keepsRights(b *bench, id string, do func() error) error {
	if b.Scope == nil {
		return do()
	}
	before, err := b.Scope.Scopes(b.ctx, id)
	if err != nil {
		return err
	}
	if err = do(); err != nil {
		return err
	}
	after, err := b.Scope.Scopes(b.ctx, id)
	if err == nil && !slices.Equal(before, after) {
		err = fmt.Errorf("a change of its state changed what the key may do: %v, now %v", before, after)
	}
	return err
}

// disable: disabled twice it stays disabled, and enabled it is what it was.
func disable(b *bench) error {
	if b.Disable == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	err = keepsRights(b, is.ID, func() error {
		for range 2 {
			if err := b.Disable.Disable(b.ctx, is.ID); err != nil {
				return err
			}
		}
		if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
			return fmt.Errorf("a disabled key: %w", err)
		}
		if ids, err := find(b); err != nil || len(ids) != 1 {
			return fmt.Errorf("a disabled key is listed %d times and %w", len(ids), err)
		}
		return b.Disable.Enable(b.ctx, is.ID)
	})
	if err != nil {
		return err
	}
	return errors.Join(
		b.Keys.Verify(b.ctx, is.Value),
		want("Disable of no key", b.Disable.Disable(b.ctx, "999999999"), provider.KindNotFound),
	)
}

// expire: a key works until its end and not after it, and can be revoked then.
func expire(b *bench) error {
	if b.Expire == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	err = keepsRights(b, is.ID, func() error {
		return b.Expire.Expire(b.ctx, is.ID, time.Now().Add(10*time.Second))
	})
	if err != nil {
		return err
	}
	if err := b.Keys.Verify(b.ctx, is.Value); err != nil {
		return fmt.Errorf("a key before its end: %w", err)
	}
	<-time.After(11 * time.Second)
	if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
		return fmt.Errorf("a key after its end: %w", err)
	}
	return b.Keys.Revoke(b.ctx, is.ID)
}

// canceled: every method returns at once, with an error.
func canceled(b *bench) error {
	v := b.fake.Add(ours).Value
	methods := map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := b.Keys.Create(ctx, ours); return err },
		"List":   func(ctx context.Context) error { _, err := b.Keys.List(ctx); return err },
		"Revoke": func(ctx context.Context) error { return b.Keys.Revoke(ctx, b.foreign[0].ID) },
		"Verify": func(ctx context.Context) error { return b.Keys.Verify(ctx, v) },
	}
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

func manyAtOnce(b *bench) error {
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			name := fmt.Sprintf("%s-%d", ours, i)
			is, err := b.Keys.Create(b.ctx, name)
			errs[i] = errors.Join(err, b.Keys.Verify(b.ctx, is.Value), b.Keys.Revoke(b.ctx, is.ID))
			if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
				errs[i] = errors.Join(errs[i], fmt.Errorf("after the revoke: %w", err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
