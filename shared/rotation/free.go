package rotation

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	freeStep Step = "free"

	freeSpare = 5 * time.Second  // of an invocation that was started late
	freeWait  = 20 * time.Second // for a run that replaces the key's value
)

// Freed is what [Engine.Free] came to.
type Freed struct {
	Version string `json:"version"` // that AWSPENDING was taken off; "": nothing stood in the way
}

// Free takes AWSPENDING off a version that an earlier rotation left behind, for
// Secrets Manager begins no other before. token is that of the rotation which is
// to begin; it must be one that was asked for, and its record says whether it is
// an emergency.
//
//	AWSPENDING is nowhere, or on AWSCURRENT   nothing stands in the way
//	the two reads of the labels differ        refused: they are moving
//	a first invocation may still be at it     refused, until then
//	on AWSPREVIOUS                            taken off: that rotation is over
//	it holds no value                         taken off: a key made for it is lost, and swept
//	... and its value was being replaced      taken off in an emergency only: no other goes on in spite of a grace
//	a key beside the current one              taken off in an emergency only: its key is retired
//	a value in place of the current one       refused: it may be the only one that works
//	... of our own choosing                   taken off in an emergency, where the vendor refuses it and
//	                                          accepts the current one: it never was in place
//
// Should Secrets Manager try the earlier rotation once more, each of its steps
// finds that it is not staged, and stops. One that has looked before stages
// itself again when it stores its value, and then it is the new rotation that
// stops: there is never more than one, and no key that a version or a name does
// not lead to. Calling Free again is safe.
func (e *Engine) Free(ctx context.Context, secretID, token string) (Freed, error) {
	k, ok := e.Keys(secretID)
	if !ok {
		return Freed{}, &Error{Step: freeStep, Type: NotOurs, What: "this secret is not in the function's configuration", Next: []string{"add it to the configuration and deploy"}}
	}
	r, err := e.begin(k, secretID, token, freeStep)
	if err != nil {
		return Freed{}, err
	}
	work, cancel := r.working(ctx)
	defer cancel()
	version, err := r.free(work)
	if err != nil {
		e.Log.LogAttrs(ctx, slog.LevelWarn, "an unfinished rotation was not given up", slog.String("secret", k.Secret),
			slog.String("vendor", k.Vendor), slog.String("error", err.Error()))
		return Freed{}, r.typed(err)
	}
	return Freed{Version: version}, nil
}

func (r *run) free(ctx context.Context) (string, error) {
	book, err := r.Records.Load(ctx, r.key.Secret)
	if err != nil {
		return "", r.stored("read the keys' records", err)
	}
	asked, ok := book.Request(keyname.Rotation(r.token))
	if r.urgent = new(asked.Mode == keyrecord.Emergency); !ok {
		return "", r.err(BadEvent, "nobody has asked for a rotation with this token", nil)
	}
	st, err := r.Vendors.Open(r.key, provider.Admin{Hosts: r.key.Hosts})
	if err != nil {
		return "", r.vendor("open "+r.info.Title, err)
	}
	if replaces(st) { // a run that does so now may be about to store the only value that works
		wait, cancel := context.WithTimeout(ctx, freeWait)
		defer cancel()
		leased, release, err := r.lease(wait)
		if err != nil {
			return "", err
		}
		defer release()
		ctx = leased
	}
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return "", r.stored("describe the secret", err)
	}
	if err = r.rotatable(s); err != nil {
		return "", err
	}
	stuck := s.VersionAt(store.Pending)
	if stuck == "" || stuck == s.VersionAt(store.Current) || stuck == r.token {
		return "", nil
	}
	if err = r.idle(ctx, stuck); err != nil {
		return "", err
	}
	why := "that version was current already, so its rotation is over"
	if stuck != s.VersionAt(store.Previous) {
		if why, err = r.expendable(ctx, st, book, stuck); err != nil {
			return "", err
		}
	}
	return stuck, r.unstage(ctx, stuck, why)
}

// replaces reports whether a vendor can put a value in place of the current one.
func replaces(st provider.Strategy) bool {
	switch s := st.(type) {
	case provider.Overlap:
		return s.Roll != nil
	case provider.RollInPlace, provider.RollWithGrace:
		return true
	case provider.DualSlot:
	}
	return false
}

// idle says why a version may be worked on at this moment. The invocation that
// the rotation began with has ended when this one could have.
func (r *run) idle(ctx context.Context, version string) error {
	versions, err := r.Store.Versions(ctx, r.id)
	if err != nil {
		return r.stored("list the versions", err)
	}
	i := slices.IndexFunc(versions, func(v store.VersionInfo) bool { return v.ID == version && slices.Contains(v.Stages, store.Pending) })
	if i < 0 {
		return r.err(InProgress, "the labels are moving; ask again in a minute", nil)
	}
	if until := versions[i].Created.Add(max(r.longest, attemptAge) + freeSpare); r.Now().Before(until) {
		return r.err(InProgress, "a rotation is in progress, or was until a moment ago; ask again after "+stamp(until), nil)
	}
	return nil
}

// expendable says why a version can lose its label without a loss, or why not.
func (r *run) expendable(ctx context.Context, st provider.Strategy, book keyrecord.Book, version string) (why string, err error) {
	switch v, err := r.Store.Get(ctx, r.id, version, ""); {
	case err == nil:
		return r.outweighed(ctx, st, book, v)
	case store.KindOf(err) != store.KindNotFound:
		return "", r.stored("read the unfinished version", err)
	}
	at := *r
	at.token = version
	if begun, err := at.begun(ctx); err != nil {
		return "", err
	} else if begun && !*r.urgent {
		return "", r.err(InProgress, "an unfinished rotation may have replaced the key's value, and goes on when Secrets Manager tries it again", nil)
	}
	return "another rotation was asked for, and this one stopped before it stored a value; a key that it made is a lost one and is swept", nil
}

// outweighed is expendable for a version that holds a value.
func (r *run) outweighed(ctx context.Context, st provider.Strategy, book keyrecord.Book, v store.Version) (why string, err error) {
	const only = "an unfinished rotation has stored a value that may be the only one which works"
	if !*r.urgent {
		return "", r.err(InProgress, "an unfinished rotation has stored a new value, and is finished when Secrets Manager tries it again; an emergency may not wait for that", nil)
	}
	switch s := st.(type) {
	case provider.RollInPlace:
		if s.Set == nil {
			return "", r.err(InProgress, only, nil)
		}
		if err = r.neverInPlace(ctx, s, v); err != nil {
			return "", r.err(InProgress, only, err)
		}
		return "an emergency rotation was asked for, and the vendor refuses this one's value and accepts the current one", nil
	case provider.RollWithGrace:
		return "", r.err(InProgress, only, nil)
	case provider.Overlap:
		if s.Roll != nil && emergency(book, v.ID) { // see instead
			return "", r.err(InProgress, only, nil)
		}
	case provider.DualSlot:
	}
	return "an emergency rotation was asked for, and this one stopped before it was promoted; its key is retired like a replaced one", nil
}

// neverInPlace says why a value of ours may be the one that the vendor has.
func (r *run) neverInPlace(ctx context.Context, in provider.RollInPlace, v store.Version) error {
	key, err := payload.Key(v.Value, r.key.Value)
	if err != nil {
		return err
	}
	cur, err := r.Store.Get(ctx, r.id, "", store.Current)
	if err == nil {
		err = r.accepts(ctx, cur)
	}
	if err != nil {
		return err
	}
	if err = in.Key.Verify(ctx, key); err == nil {
		return errors.New("the vendor accepts it")
	} else if !errors.Is(err, provider.ErrRejected) {
		return err
	}
	return nil
}

// unstage takes AWSPENDING off a version, between its intent and its outcome.
func (r *run) unstage(ctx context.Context, version, why string) error {
	at := *r // the records are about the version that loses its label
	at.token = version
	rec := audit.Record{
		ID: "unstage-" + version + "-" + r.token, Act: audit.Unstage, Phase: audit.Intent,
		Detail: map[string]string{"label": store.Pending, "why": why, "for": r.token},
	}
	if err := at.record(ctx, rec); err != nil {
		return err
	}
	// Told first: should whoever asked die before the other rotation begins,
	// nothing is left to tell it by.
	r.tellGivenUp(ctx, version, why)
	err := at.unstagePending(ctx)
	rec.Phase, rec.Result = audit.Outcome, audit.Done
	if err != nil {
		rec.Result, rec.Error = audit.Failed, err.Error()
		if e, ok := errors.AsType[*Error](err); ok && e.unsure {
			rec.Result = audit.Unknown
		}
	}
	tidy, cancel := r.tidy(ctx)
	defer cancel()
	at.note(tidy, rec)
	if err != nil {
		return err
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "an unfinished rotation was given up for another", slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("version", version), slog.String("for", r.token), slog.String("why", why))
	return nil
}

// tellGivenUp tells that an unfinished rotation is given up: once, whether here
// or by a sweep.
func (r *run) tellGivenUp(ctx context.Context, version, why string) {
	id := "stuck-" + version
	if first, err := r.Records.First(ctx, r.key.Secret, id, onceFor); err == nil && !first {
		return
	}
	if err := r.Notifier.Notify(ctx, notify.Message{
		Version: 1, ID: id, Time: r.Now(), Kind: notify.Failed, Severity: notify.Warning, ErrorType: "RotationStuck", Step: string(r.at),
		Secret: r.key.Secret, Vendor: r.key.Vendor, Owner: r.key.Owner,
		Summary: "A rotation of " + r.key.Secret + " never came to its end and is given up for another.",
		Known:   []string{"AWSPENDING is taken off version " + version + ": " + why + ".", "The current version and its key are left as they are."},
		Next:    []string{"See that the other one comes to its end: keyturn status " + r.key.Secret + ". If none has begun, ask again: keyturn rotate-now " + r.key.Secret + " --reason WHY."},
		Detail:  map[string]string{"version": version, "for": r.token},
	}); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("error", err.Error()))
		_ = r.Records.Forget(ctx, r.key.Secret, id)
	}
}

// unstagePending takes AWSPENDING off the run's version, if it is there and not
// current.
func (r *run) unstagePending(ctx context.Context) error {
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return r.stored("describe the secret again", err)
	}
	if s.VersionAt(store.Pending) != r.token || s.Has(r.token, store.Current) {
		return r.err(InProgress, "the labels have moved meanwhile; ask again", nil)
	}
	if err = r.Store.Unstage(ctx, r.id, store.Pending, r.token); err != nil {
		const doing = "take AWSPENDING off the unfinished version"
		if store.Definite(err) {
			return r.stored(doing, err)
		}
		return r.unsure(doing, err)
	}
	return nil
}
