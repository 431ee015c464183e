package rotation_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// few is an in-memory vendor of the strategies that are not Overlap. It is its
// own catalog. Values of a rolled key are keys too: the last one is the present
// value, those before it live until their end.
type few struct {
	within time.Duration // of Settle
	mu     sync.Mutex
	kind   string // "fill", "place", "set", "roll" or "grace"
	max    int
	keys   []*fewKey
	n      int
	calls  []string
	fail   func(call string) (before, after error)
	read   bool     // the value of a key can be read
	admin  []string // the admin credentials it was opened with
}

type fewKey struct {
	id, value string
	born      time.Time
	ends      time.Time // zero: never
}

func newFew(kind string) *few {
	f := &few{kind: kind}
	switch kind {
	case "set", "roll", "grace":
		f.keys = []*fewKey{{id: "the-key", value: "few-0-" + strings.Repeat("0", 24)}}
	default:
		f.max = 2
	}
	return f
}

func (f *few) Info(string) (provider.Info, error) {
	s := map[string]string{"fill": "DualSlot", "place": "DualSlot", "set": "RollInPlace", "roll": "RollInPlace", "grace": "RollWithGrace"}
	return provider.Info{Name: "few", Title: "Few Keys", Strategy: s[f.kind], Shape: `few-[0-9]+-[0-9a-f]{24}`, Admin: []provider.Field{{Name: "apiKey"}}, Settle: provider.Settle{Within: f.within}}, nil
}

func (f *few) Open(_ config.Key, a provider.Admin) (provider.Strategy, error) {
	if v := a.Field("apiKey"); !v.Empty() {
		f.admin = append(f.admin, v.Reveal())
	}
	switch f.kind {
	case "fill":
		return provider.DualSlot{Slots: f, Max: f.max, Fill: f}, nil
	case "place":
		return provider.DualSlot{Slots: f, Max: f.max, Place: f}, nil
	case "set":
		return provider.RollInPlace{ID: "the-key", Key: f, Set: f, Roll: f}, nil
	case "roll":
		r := provider.RollInPlace{ID: "the-key", Key: f, Roll: f}
		if f.read {
			r.Read = f
		}
		return r, nil
	}
	return provider.RollWithGrace{ID: "the-key", Key: f, MinGrace: time.Hour, MaxGrace: 24 * time.Hour}, nil
}

func (f *few) do(ctx context.Context, call string, act func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return &provider.Error{Op: call, Err: err}
	}
	f.calls = append(f.calls, call)
	var before, after error
	if f.fail != nil {
		before, after = f.fail(call)
	}
	if before == errKilled { //nolint:errorlint // a panic value
		panic(errKilled)
	}
	if before != nil {
		return before
	}
	if err := act(); err != nil {
		return err
	}
	if after == errKilled { //nolint:errorlint // a panic value
		panic(errKilled)
	}
	return after
}

func (f *few) add(value string) *fewKey {
	f.n++
	if value == "" {
		value = fmt.Sprintf("few-%d-%024x", f.n, f.n)
	}
	k := &fewKey{id: fmt.Sprintf("slot%d", f.n), value: value, born: time.Now()}
	f.keys = append(f.keys, k)
	return k
}

func (f *few) Slots(ctx context.Context) (out []provider.Key, err error) {
	err = f.do(ctx, "slots", func() error {
		for _, k := range f.keys {
			out = append(out, provider.Key{ID: k.id, Created: k.born})
		}
		return nil
	})
	return out, err
}

func (f *few) full() error {
	if f.max > 0 && len(f.keys) >= f.max {
		return &provider.Error{Op: "fill", Kind: provider.KindFull, Status: 400}
	}
	return nil
}

func (f *few) Fill(ctx context.Context) (out provider.Issued, err error) {
	err = f.do(ctx, "fill", func() error {
		if err := f.full(); err != nil {
			return err
		}
		k := f.add("")
		out = provider.Issued{Key: provider.Key{ID: k.id}, Value: secret.New(k.value)}
		return nil
	})
	if err != nil {
		out = provider.Issued{}
	}
	return out, err
}

func (f *few) Choose(random io.Reader) (secret.Value, error) {
	var b [12]byte
	_, err := io.ReadFull(random, b[:])
	return secret.New("few-7-" + hex.EncodeToString(b[:])), err
}

func (f *few) Place(ctx context.Context, v secret.Value) (out provider.Key, err error) {
	err = f.do(ctx, "place", func() error {
		for _, k := range f.keys {
			if k.value == v.Reveal() {
				out.ID = k.id
				return nil
			}
		}
		if err := f.full(); err != nil {
			return err
		}
		out.ID = f.add(v.Reveal()).id
		return nil
	})
	return out, err
}

func (f *few) Revoke(ctx context.Context, id string) error {
	return f.do(ctx, "revoke", func() error {
		f.keys = slices.DeleteFunc(f.keys, func(k *fewKey) bool { return k.id == id })
		return nil
	})
}

func (f *few) accepts(v string) bool {
	return slices.ContainsFunc(f.keys, func(k *fewKey) bool {
		return k.value == v && (k.ends.IsZero() || time.Now().Before(k.ends))
	})
}

func (f *few) Verify(ctx context.Context, v secret.Value) error {
	return f.do(ctx, "verify", func() error {
		if f.accepts(v.Reveal()) {
			return nil
		}
		return provider.ErrRejected
	})
}

func (f *few) Identify(ctx context.Context, v secret.Value) (id string, err error) {
	err = f.do(ctx, "identify", func() error {
		for _, k := range f.keys {
			if k.value == v.Reveal() {
				id = k.id
				return nil
			}
		}
		return &provider.Error{Op: "identify", Kind: provider.KindNotFound}
	})
	return id, err
}

func (f *few) Read(ctx context.Context, _ string) (v secret.Value, err error) {
	err = f.do(ctx, "read", func() error {
		v = secret.New(f.keys[len(f.keys)-1].value)
		return nil
	})
	return v, err
}

func (f *few) replace(value string, grace time.Duration) *fewKey {
	for _, k := range f.keys {
		if k.ends.IsZero() {
			k.ends = time.Now().Add(grace)
		}
	}
	k := f.add(value)
	k.id = "the-key"
	return k
}

func (f *few) Set(ctx context.Context, _ string, v secret.Value) error {
	return f.do(ctx, "set", func() error {
		if f.keys[len(f.keys)-1].value != v.Reveal() {
			f.replace(v.Reveal(), 0)
		}
		return nil
	})
}

func (f *few) Roll(ctx context.Context, id string, grace time.Duration) (out provider.Issued, err error) {
	err = f.do(ctx, "roll", func() error {
		out = provider.Issued{Key: provider.Key{ID: id}, Value: secret.New(f.replace("", grace).value)}
		return nil
	})
	if err != nil {
		out = provider.Issued{}
	}
	return out, err
}

func (f *few) count(call string) (n int) {
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// counting is a source of randomness that never repeats.
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = c.n + byte(i)
	}
	return len(b), nil
}

func fewBubble(t *testing.T, kind string, f func(*testing.T, *world, *few)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t)
		v := newFew(kind)
		w.engine.Vendors, w.engine.Entropy = v, &counting{}
		w.key.AcceptDowntime = kind == "set" || kind == "roll"
		f(t, w, v)
	})
}
