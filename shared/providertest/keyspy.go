package providertest

import (
	"context"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
)

// keySpy watches the keys of Overlap.
type keySpy struct {
	verifySpy

	o provider.Overlap
}

func (s keySpy) Create(ctx context.Context, name string) (provider.Issued, error) {
	before := s.b.named(name)
	is, err := s.o.Keys.Create(ctx, name)
	err = s.b.see("Create", err)
	s.b.show("Create", is)
	s.b.alarm("Create", err, s.b.named(name)-before, !is.Value.Empty() || is.ID != "")
	if err == nil {
		if is.Name != name && !s.b.lied() {
			s.b.breach("Create was asked for %q and returned %q", name, is.Name)
		}
		s.b.issue("Create", is)
	}
	return is, err
}

// named returns how many keys there really are with this name.
func (b *bench) named(name string) int {
	return len(slices.DeleteFunc(b.fake.Live(), func(k provider.Key) bool { return k.Name != name }))
}

func (s keySpy) List(ctx context.Context) ([]provider.Key, error) {
	keys, err := s.o.Keys.List(ctx)
	return keys, s.b.listed("List", keys, err, s.b.fake.Live())
}

// listed checks a list against what there is.
func (b *bench) listed(method string, keys []provider.Key, err error, there []provider.Key) error {
	err = b.see(method, err)
	if err == nil && !b.busy && !slices.Equal(sorted(keys), sorted(there)) {
		b.breach("%s returned %d keys, there are %d: a page that cannot be read is an error", method, len(keys), len(there))
	}
	for _, k := range keys {
		if !b.known.judged(k) {
			b.show(method, k)
		}
	}
	return err
}

func sorted(keys []provider.Key) []provider.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b provider.Key) int { return strings.Compare(a.ID, b.ID) })
}

func (s keySpy) Revoke(ctx context.Context, id string) error {
	return s.b.revoked(id, s.o.Keys.Revoke(ctx, id))
}

func (b *bench) revoked(id string, err error) error {
	err = b.see("Revoke", err)
	switch {
	case err == nil && b.live(id) && !b.lied():
		b.breach("Revoke returned nil and the key lives")
	case err != nil && provider.KindOf(err) == provider.KindNotFound:
		b.breach("revoking a key that is gone is an error")
	}
	return err
}
