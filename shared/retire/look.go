package retire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/schedule"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	soon          = time.Minute      // until the next look, when something is about to change
	overdueBy     = 5 * time.Second  // until the next look, when something fell due during this one, or is about to
	secondLook    = 5 * time.Minute  // between two looks that must both not find a key
	vendorTimeout = 30 * time.Second // of one call
)

// errVendor marks errors that keep us from looking at the vendor.
var errVendor = errors.New("the vendor could not be looked at")

// run is one look at one secret, and what is done about it.
type run struct {
	*Engine

	key      config.Key
	info     provider.Info
	lists    *lists
	secret   store.Secret
	lineage  string
	version  string // with AWSCURRENT
	versions []store.VersionInfo
	book     keyrecord.Book
	records  map[string]*keyrecord.Record // by key ID; changed as we go
	stored   map[string]keyrecord.Record
	vendor   provider.Overlap // or what looks like one
	own      bool             // the vendor's list is this secret's own, and not shared in a sweep
	ending   *ending          // nil: a key is ended by us
	listed   map[string]provider.Key

	known   bool              // it is certain which keys the current version does not hold
	current string            // ID of the key that the current version holds, "" if unknown
	unclear []string          // IDs of the keys that it may hold, if there are several
	value   *secret.Value     // of the current version, once it was read
	prints  map[string]string // fingerprints of the values read, by version

	roles   map[string]role
	skipped string // why nothing was looked at
	rescued bool   // AWSCURRENT was moved, so the labels are not those that were looked at
	late    []string
	raised  map[string]bool // alerts that this look opened, or would have
	unsent  []error         // notifications that did not go out
	calls   map[string]int
}

// look reads what Secrets Manager and the records say.
func (r *run) look(ctx context.Context) error {
	r.calls["secretsmanager"]++
	s, err := r.Store.Describe(ctx, r.key.Secret)
	if err != nil {
		return err
	}
	r.secret, r.version = s, s.VersionAt(store.Current)
	switch {
	case s.Name != r.key.Secret:
		return fmt.Errorf("the secret is called %q", s.Name)
	case !s.Deleted.IsZero():
		r.skipped = "the secret is scheduled for deletion"
	case r.version == "":
		r.skipped = "the secret has no current version"
	}
	if r.lineage, err = keyname.LineageOf(s.ARN); err != nil {
		return err
	}
	r.calls["dynamodb"]++
	if r.book, err = r.Records.Load(ctx, r.key.Secret); err != nil {
		return err
	}
	r.records, r.stored = map[string]*keyrecord.Record{}, map[string]keyrecord.Record{}
	for _, rec := range r.book.Keys {
		r.records[rec.KeyID], r.stored[rec.KeyID] = new(rec), rec
	}
	return nil
}

// openVendor opens the vendor with the admin credential.
func (r *run) openVendor(ctx context.Context) error {
	var err error
	if r.info, err = r.Vendors.Info(r.key.Vendor); err != nil {
		return err
	}
	r.calls["secretsmanager"]++
	v, err := r.Store.Get(ctx, r.key.Admin, "", store.Current)
	if err != nil {
		return fmt.Errorf("%w: read the admin credential: %w", errVendor, err)
	}
	admin, err := payload.ParseAdmin(v.Value, r.info.Admin)
	if err != nil {
		return fmt.Errorf("%w: read the admin credential: %w", errVendor, &provider.Error{Op: r.key.Admin, Kind: provider.KindAuth, Err: err})
	}
	strategy, err := r.Vendors.Open(r.key, admin)
	if err != nil {
		return fmt.Errorf("%w: %w", errVendor, err)
	}
	r.use(strategy)
	return nil
}

// lookAtVendor lists the vendor's keys, and then the versions: a key that is
// listed had its version before, so a version that is missing here is missing.
func (r *run) lookAtVendor(ctx context.Context) error {
	keys, err := r.list(ctx)
	if err != nil {
		return fmt.Errorf("%w: list the keys: %w", errVendor, err)
	}
	r.listed = make(map[string]provider.Key, len(keys))
	for _, k := range keys {
		r.listed[k.ID] = k
		r.reborn(k)
	}
	r.calls["secretsmanager"]++
	if r.versions, err = r.Store.Versions(ctx, r.key.Secret); err != nil {
		return err
	}
	agreed := slices.ContainsFunc(r.versions, func(v store.VersionInfo) bool {
		return v.ID == r.version && slices.Contains(v.Stages, store.Current)
	})
	if !agreed {
		return r.moving(ctx)
	}
	return nil
}

// reborn begins a new life for a key that is listed although its record says
// that it ended: the lists in which it was missing were wrong, or the vendor has
// given its id to another key. One that was proven dead stays dead.
func (r *run) reborn(k provider.Key) {
	rec := r.records[k.ID]
	if rec == nil || rec.State.Alive() {
		return
	}
	name, ours := keyname.Parse(k.Name)
	another := ours && name.Lineage == r.lineage && k.Name != rec.KeyName
	if !another && rec.State != keyrecord.Gone {
		return
	}
	fresh := r.newRecord(k)
	if fresh.Revision = rec.Revision; !another {
		fresh.Origin, fresh.Version, fresh.Promoted, fresh.Replaced = rec.Origin, rec.Version, rec.Promoted, rec.Replaced
	}
	r.records[k.ID] = fresh
}

// moving is for labels that two reads show on different versions: nothing is
// decided on them.
func (r *run) moving(ctx context.Context) error {
	r.skipped = "AWSCURRENT is moving"
	return r.wake(ctx, r.Now().Add(soon))
}

func (r *run) list(ctx context.Context) ([]provider.Key, error) {
	ask := func() ([]provider.Key, error) {
		var keys []provider.Key
		err := r.call(ctx, func(ctx context.Context) (err error) {
			keys, err = r.vendor.Keys.List(ctx)
			return err
		})
		return keys, err
	}
	if r.lists == nil || r.own {
		return ask()
	}
	return r.lists.get(r.key, ask)
}

// call makes one call at the vendor.
func (r *run) call(ctx context.Context, do func(context.Context) error) error {
	r.calls["vendor"]++
	ctx, cancel := context.WithTimeout(ctx, vendorTimeout)
	defer cancel()
	return do(ctx)
}

// ids returns the IDs of all keys that are ours, listed or recorded, in a
// steady order.
func (r *run) ids() []string {
	if r.roles == nil {
		r.roles = map[string]role{}
	}
	for id, rec := range r.records {
		if _, ok := r.roles[id]; !ok {
			r.roles[id] = r.roleUnlisted(*rec)
		}
	}
	return slices.Sorted(maps.Keys(r.roles))
}

// save stores a record if it has changed.
func (r *run) save(ctx context.Context, rec *keyrecord.Record) error {
	if reflect.DeepEqual(*rec, r.stored[rec.KeyID]) {
		return nil
	}
	r.calls["dynamodb"]++
	got, err := r.Records.Put(ctx, *rec)
	if err != nil {
		return err
	}
	*rec, r.stored[rec.KeyID] = got, got
	r.records[rec.KeyID] = rec
	return nil
}

// next returns when the earliest act is due, zero if none is.
func (r *run) next() time.Time {
	var next time.Time
	for _, rec := range r.records {
		if rec.State == keyrecord.Current && rec.Version == r.version && rec.Disabled.IsZero() {
			continue // back again while nothing could be looked at: nothing is due
		}
		if rec.State.Alive() && !rec.Next.IsZero() && (next.IsZero() || rec.Next.Before(next)) {
			next = rec.Next
		}
	}
	return next
}

// again makes the schedule for the next act.
func (r *run) again(ctx context.Context) error {
	next := r.next()
	if next.IsZero() {
		return nil
	}
	return r.wake(ctx, next)
}

func (r *run) wake(ctx context.Context, at time.Time) error {
	now := r.Now()
	// What fell due meanwhile, or will at once, is not due at the time of the
	// schedule that started this run: that one still exists, and its name would
	// be taken for done.
	if at.Sub(now) < overdueBy {
		at = now.Add(overdueBy)
	}
	unit := time.Second
	if at.Sub(now) > time.Hour {
		unit = time.Minute // so that runs at nearly the same time share a schedule
	}
	if t := at.Truncate(unit); !t.Equal(at) {
		at = t.Add(unit)
	}
	r.calls["scheduler"]++
	return r.Scheduler.Schedule(ctx, schedule.Once{
		Name:    "keyturn-" + r.lineage + "-" + strconv.FormatInt(at.Unix(), 10),
		At:      at.UTC(),
		Payload: wakeup(r.key.Secret),
	})
}
