package rotation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// makeRoom is for a vendor that is full. Only attempts of this very rotation
// may go, and only when nobody stores a value meanwhile; found says that
// somebody did.
func (r *run) makeRoom(ctx context.Context, o provider.Overlap, f family) (found bool, err error) {
	full := r.err(VendorFull, fmt.Sprintf("there is no room for another key: %d of %d are taken", len(f.keys), o.Max), nil,
		"delete keys that nobody needs at the vendor; Keyturn never deletes a key that is not its own")
	if r.info.Strategy == "DualSlot" && !r.key.Exclusive {
		full.Next = append(full.Next, "or, if no one but this secret's consumers uses the keys of this principal, hand it over: \"exclusive\": true in the key's configuration")
	}
	full.Next = append(full.Next, r.slots(f.keys, f.current())...)
	if older := f.older(r.token); len(older) > 0 { // in an emergency
		full.Next = append(full.Next, plural(len(older), "older key of this secret takes", "older keys of this secret take")+" room too: see why in keyturn status "+
			r.key.Secret+", and end what nobody needs at the vendor")
	}
	own := f.of(r.token)
	if len(own) == 0 {
		return false, full
	}
	full.Next = []string{"nothing: an attempt of this rotation takes the room, and the first try after it can no longer be stored ends it"}
	attempts, found, err := r.lapsed(ctx, own, full)
	if found || err != nil {
		return found, err
	}
	for range 2 {
		if found, err = r.stores(ctx, full); found || err != nil {
			return found, err
		}
	}
	if attempts, err = r.still(ctx, o, f, attempts); err != nil {
		return false, err
	}
	for _, k := range attempts {
		if err = r.revoke(ctx, o, k.ID, k.Name, "an earlier attempt of this rotation, its value lost; the vendor is full"); err != nil {
			return false, r.vendor("make room", err)
		}
	}
	return false, nil
}

// slots says which keys take the room of a principal whose keys have no names,
// and which of them may be one of ours: nobody but a person can tell.
func (r *run) slots(keys []provider.Key, current string) []string {
	if r.info.Strategy != "DualSlot" {
		return nil
	}
	const most = 10
	out := make([]string, 0, len(keys))
	for _, k := range keys[:min(len(keys), most)] {
		s := strconv.QuoteToASCII(bounded(k.ID))
		if !k.Created.IsZero() {
			s += " made at " + stamp(k.Created)
		}
		if k.ID == current {
			s += ", which is the current one"
		}
		out = append(out, s)
	}
	return []string{"the keys there: " + strings.Join(out, "; ") + ". One that a stopped function made carries no name: compare its time with the failures of " + r.key.Secret + " in the function's log"}
}

// lapsed waits until attempts can no longer be stored, and returns those. found
// says that somebody has stored a value meanwhile; late is the error where there
// is no time to wait.
func (r *run) lapsed(ctx context.Context, own []provider.Key, late error) (attempts []provider.Key, found bool, err error) {
	for {
		for _, k := range own {
			if n, _ := keyname.Parse(k.Name); r.Now().Sub(n.Created) >= max(attemptAge, r.longest) {
				attempts = append(attempts, k)
			}
		}
		if len(attempts) > 0 {
			return attempts, false, nil
		}
		if found, err = r.stores(ctx, late); found || err != nil {
			return nil, found, err
		}
	}
}

// still looks again at what seemed lost before the waits, and returns what is:
// nothing if there is room by now, and nothing at all if AWSCURRENT has moved,
// for somebody may have put one of these keys to use.
func (r *run) still(ctx context.Context, o provider.Overlap, f family, attempts []provider.Key) ([]provider.Key, error) {
	keys, err := o.Keys.List(ctx)
	if err != nil {
		return nil, r.vendor("list the keys again", err)
	}
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return nil, r.stored("describe the secret again", err)
	}
	if s.VersionAt(store.Current) != f.secret.VersionAt(store.Current) || !s.Has(r.token, store.Pending) {
		return nil, r.err(Superseded, "the labels have moved while there was no room for another key", nil, "nothing: the next try looks again")
	}
	if len(keys) < o.Max {
		return nil, nil
	}
	f.keys = keys
	own := f.of(r.token)
	return slices.DeleteFunc(attempts, func(a provider.Key) bool {
		return !slices.ContainsFunc(own, func(k provider.Key) bool { return k.ID == a.ID })
	}), nil
}

// stores reports, after a while, whether somebody has stored a value under this
// token. late is the error where there is no time for it.
func (r *run) stores(ctx context.Context, late error) (bool, error) {
	if !wait(ctx, rereadEvery) {
		return false, late
	}
	_, err := r.Store.Get(ctx, r.id, r.token, "")
	if err != nil && store.KindOf(err) != store.KindNotFound {
		return false, r.stored("read the pending version again", err)
	}
	return err == nil, nil
}

const (
	attemptAge  = 20 * time.Second // the least; whoever made an attempt may store it as long as a function runs
	rereadEvery = 5 * time.Second  // between two looks at what is stored
)
