package slot_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/slot"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	lineage = "0a1b2c3d4e5f"
	stray   = "0000000000000000"
)

var (
	noon    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	undated = time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)
)

// principal is a vendor's principal and the versions of one secret.
type principal struct {
	keys       []provider.Key
	owner      map[string]string // key ID by value
	versions   []store.VersionInfo
	values     map[string]string // by version
	listErr    error
	valueErr   error // of every version
	idErr      error // of every value
	readErr    error // of the list of versions
	read       int   // lists of versions
	tried      []string
	placed     []string
	unanswered int // so many answers to Place are lost
	filled     int
}

func (p *principal) Slots(context.Context) ([]provider.Key, error) {
	return slices.Clone(p.keys), p.listErr
}

func (p *principal) Identify(_ context.Context, v secret.Value) (string, error) {
	p.tried = append(p.tried, v.Reveal())
	if p.idErr != nil {
		return "", p.idErr
	}
	if id := p.owner[v.Reveal()]; id != "" {
		return id, nil
	}
	return "", &provider.Error{Op: "identify", Kind: provider.KindNotFound}
}

func (p *principal) Revoke(_ context.Context, id string) error {
	p.keys = slices.DeleteFunc(p.keys, func(k provider.Key) bool { return k.ID == id })
	return nil
}

func (p *principal) Verify(_ context.Context, v secret.Value) error {
	if p.owner[v.Reveal()] == "" {
		return provider.ErrRejected
	}
	return nil
}

func (p *principal) Choose(r io.Reader) (secret.Value, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return secret.New(string(b[:])), err
}

func (p *principal) Place(_ context.Context, v secret.Value) (provider.Key, error) {
	if !slices.Contains(p.placed, v.Reveal()) {
		p.placed = append(p.placed, v.Reveal())
	}
	if p.unanswered > 0 {
		p.unanswered--
		return provider.Key{}, &provider.Error{Op: "place"}
	}
	return provider.Key{ID: "placed"}, nil
}

func (p *principal) Fill(context.Context) (provider.Issued, error) {
	p.filled++
	return provider.Issued{Key: provider.Key{ID: "filled"}, Value: secret.New("its value")}, nil
}

func (p *principal) view() slot.View {
	return slot.View{
		DualSlot: provider.DualSlot{Slots: p, Max: 2}, Lineage: lineage,
		Value: func(_ context.Context, version string) (secret.Value, bool, error) {
			v, ok := p.values[version]
			return secret.New(v), ok, p.valueErr
		},
		Versions: func(context.Context) ([]store.VersionInfo, error) {
			p.read++
			return slices.Clone(p.versions), p.readErr
		},
	}
}

// two is a principal with the key that version v1 holds and a stranger's.
func two() *principal {
	return &principal{
		keys:     []provider.Key{{ID: "ours", Created: noon}, {ID: "other", Created: noon.Add(time.Hour)}},
		owner:    map[string]string{"value 1": "ours"},
		versions: []store.VersionInfo{{ID: "v1", Stages: []string{store.Current}}},
		values:   map[string]string{"v1": "value 1"},
	}
}

func named(rotation string, created time.Time) string {
	return keyname.New(lineage, rotation, created, 0).String()
}

// A key has a name of ours exactly if something proves that it is ours.
// Promise: foreign-untouched
func TestList(t *testing.T) {
	t.Parallel()
	v1 := named(keyname.Rotation("v1"), noon)
	for _, c := range []struct {
		name   string
		change func(*principal, *slot.View)
		want   map[string]string // name by key ID
	}{
		{"a version holds it", nil, map[string]string{"ours": v1, "other": ""}},
		{"a version without labels holds it", func(p *principal, _ *slot.View) {
			p.versions = []store.VersionInfo{{ID: "v1"}, {ID: "v2", Stages: []string{store.Current}}}
		}, map[string]string{"ours": v1, "other": ""}},
		{"a version without a value", func(p *principal, _ *slot.View) {
			p.versions = append(p.versions, store.VersionInfo{ID: "v2", Stages: []string{store.Pending}})
		}, map[string]string{"ours": v1, "other": ""}},
		{"no version holds it, a record does", func(p *principal, v *slot.View) {
			p.versions, p.values = nil, nil
			v.Records = []keyrecord.Record{{KeyID: "ours", Version: "v1"}, {KeyID: "other"}}
		}, map[string]string{"ours": v1, "other": ""}},
		{"a record without a version proves nothing", func(p *principal, v *slot.View) {
			p.versions, p.values = nil, nil
			v.Records = []keyrecord.Record{{KeyID: "ours", KeyName: "a name"}}
		}, map[string]string{"ours": "", "other": ""}},
		{"adopted", func(_ *principal, v *slot.View) {
			v.Records = []keyrecord.Record{{KeyID: "ours", Version: "v1", KeyName: "by hand", Origin: keyrecord.Adopted}}
		}, map[string]string{"ours": "by hand", "other": ""}},
		{"undated, and a version holds it", func(p *principal, _ *slot.View) {
			p.keys[0].Created = time.Time{}
		}, map[string]string{"ours": named(keyname.Rotation("v1"), undated), "other": ""}},
		{"handed over", func(_ *principal, v *slot.View) {
			v.Stray = stray
		}, map[string]string{"ours": v1, "other": named(stray, noon.Add(time.Hour))}},
		{"handed over, and of unknown age", func(p *principal, v *slot.View) {
			v.Stray, p.keys[1].Created = stray, time.Time{}
		}, map[string]string{"ours": v1, "other": ""}},
		{"handed over, and the current value's key is not found", func(p *principal, v *slot.View) {
			v.Stray, p.owner = stray, nil
		}, map[string]string{"ours": "", "other": ""}},
		{"handed over, and the list is late: it lacks the current value's key", func(p *principal, v *slot.View) {
			v.Stray, p.keys = stray, p.keys[1:]
		}, map[string]string{"other": ""}},
		{"handed over, and the current version is not read yet", func(p *principal, v *slot.View) {
			v.Stray, p.versions = stray, nil
		}, map[string]string{"ours": "", "other": ""}},
		{"handed over, and the current version's value is not to be read", func(p *principal, v *slot.View) {
			v.Stray, p.values = stray, nil
		}, map[string]string{"ours": "", "other": ""}},
		{"handed over, and the previous version's value is not to be read", func(p *principal, v *slot.View) {
			v.Stray = stray
			p.versions = append(p.versions, store.VersionInfo{ID: "v0", Stages: []string{store.Previous}})
		}, map[string]string{"ours": v1, "other": ""}},
		{"handed over, and the current version's record names a key that is not listed", func(_ *principal, v *slot.View) {
			v.Stray = stray
			v.Records = []keyrecord.Record{{KeyID: "ended long ago", Version: "v1"}}
		}, map[string]string{"ours": v1, "other": named(stray, noon.Add(time.Hour))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := two()
			v := p.view()
			if c.change != nil {
				c.change(p, &v)
			}
			keys, err := v.Overlap().Keys.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, k := range keys {
				got[k.ID] = k.Name
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

// What could not be looked at is not taken for a stranger's, nor for gone.
// Promise: foreign-untouched
func TestList_errors(t *testing.T) {
	t.Parallel()
	cause := errors.New("no answer")
	for name, change := range map[string]func(*principal){
		"list":     func(p *principal) { p.listErr = cause },
		"versions": func(p *principal) { p.readErr = cause },
		"value":    func(p *principal) { p.valueErr = cause },
		"identify": func(p *principal) { p.idErr = &provider.Error{Op: "identify", Err: cause} },
		"refused":  func(p *principal) { p.idErr = provider.ErrRejected },
	} {
		p := two()
		change(p)
		if keys, err := p.view().Overlap().Keys.List(t.Context()); err == nil {
			t.Errorf("%s: %+v without an error", name, keys)
		}
	}
}

// Calls are made for unknown keys only, labeled versions first.
func TestList_calls(t *testing.T) {
	t.Parallel()
	p := two()
	p.versions = []store.VersionInfo{{ID: "v0"}, {ID: "v3"}, {ID: "v1", Stages: []string{store.Current}}, {ID: "v2"}}
	p.values = map[string]string{"v0": "value 0", "v1": "value 1", "v2": "value 2", "v3": "value 3"}
	p.owner["value 0"] = "other"
	v := p.view()
	v.Records = []keyrecord.Record{{KeyID: "ended long ago", Version: "v3"}}
	if _, err := v.Overlap().Keys.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"value 1", "value 0"}, p.tried); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
	v.Records = []keyrecord.Record{{KeyID: "ours", Version: "v1"}, {KeyID: "other", Version: "v0"}}
	if _, err := v.Overlap().Keys.List(t.Context()); err != nil || p.read != 1 || len(p.tried) != 2 {
		t.Errorf("with records: %d lists, tried %q, %v", p.read, p.tried, err)
	}
}

// Placing looks first, so an answer that was lost is asked for again.
func TestCreate_place(t *testing.T) {
	t.Parallel()
	for lost, want := range []string{"placed", "placed", ""} {
		p := &principal{unanswered: lost}
		v := p.view()
		v.DualSlot.Place, v.Entropy = p, strings.NewReader("abcd")
		is, err := v.Overlap().Keys.Create(t.Context(), "a name")
		if is.ID != want || is.Name != "a name" || is.Value.Reveal() != "abcd" || len(p.placed) != 1 || (err == nil) != (want != "") {
			t.Errorf("%d answers lost: %+v, %v; placed %q", lost, is.Key, err, p.placed)
		}
	}
	p := &principal{}
	v := p.view()
	v.DualSlot.Place, v.Entropy = p, strings.NewReader("")
	if _, err := v.Overlap().Keys.Create(t.Context(), "a name"); provider.KindOf(err) != provider.KindNotSent || len(p.placed) > 0 {
		t.Errorf("without randomness: %v; placed %q", err, p.placed)
	}
}

func TestCreate_fill(t *testing.T) {
	t.Parallel()
	p := &principal{}
	v := p.view()
	v.DualSlot.Fill = p
	is, err := v.Overlap().Keys.Create(t.Context(), "a name")
	if err != nil || is.ID != "filled" || is.Name != "a name" || is.Value.Reveal() != "its value" || p.filled != 1 {
		t.Errorf("%+v, %v; %d times", is.Key, err, p.filled)
	}
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	p := two()
	o := p.view().Overlap()
	if o.Max != 2 || o.Identify == nil || o.Usage != nil || o.Disable != nil {
		t.Errorf("%+v", o)
	}
	if err := o.Keys.Verify(t.Context(), secret.New("another")); !errors.Is(err, provider.ErrRejected) {
		t.Errorf("a value of nobody: %v", err)
	}
	if err := o.Keys.Revoke(t.Context(), "other"); err != nil || len(p.keys) != 1 || p.keys[0].ID != "ours" {
		t.Errorf("revoke: %v; left %+v", err, p.keys)
	}
}
