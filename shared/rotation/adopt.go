package rotation

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// Adoption asks to take over the key that a secret holds.
type Adoption struct {
	Secret    string // name or ARN
	KeyID     string // the key's at the vendor, as the operator says; "": to be found
	Observe   bool   // say what would be done, and change nothing
	Reason    string
	Requester string // as the caller says
	Function  string // ARN of the function that is asked, "" if unknown
	// All is the function's whole configuration: of no other secret it can be
	// seen whether it has the same key.
	All []config.Key
}

// Adopted is what an adoption came to, or would.
type Adopted struct {
	Version   int       `json:"version"` // of this format: 1
	Secret    string    `json:"secret"`
	Vendor    string    `json:"vendor"`
	Strategy  string    `json:"strategy"`
	Status    string    `json:"status"`             // one of the Adopt constants
	VersionID string    `json:"version_id"`         // at AWSCURRENT
	KeyID     string    `json:"key_id,omitempty"`   // the current key's; "": unknown
	KeyName   string    `json:"key_name,omitempty"` // at the vendor
	FoundBy   string    `json:"found_by,omitempty"` // in words: how KeyID is known
	Keys      int       `json:"keys"`               // that the vendor lists
	Limit     int       `json:"limit,omitempty"`    // of them; 0: none known
	Scopes    []string  `json:"scopes,omitempty"`   // the current key's rights, where the vendor tells
	Well      []string  `json:"well,omitempty"`     // what was checked and is well
	Others    []Listed  `json:"others,omitempty"`   // without KeyID: the keys that may be it, at most 50
	Problems  []Problem `json:"problems,omitempty"` // what stands against it
	Warnings  []Problem `json:"warnings,omitempty"` // what stands against the next rotation, or is at risk
	Unknown   []string  `json:"unknown,omitempty"`  // what cannot be known
}

// Problem is something in the way, and what to do about it.
type Problem = PlanProblem

// Listed is a key as the vendor lists it.
type Listed struct {
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// The statuses of an adoption.
const (
	AdoptDone     = "adopted"
	AdoptNoID     = "adopted_without_id" // recorded, and cannot be retired
	AdoptAlready  = "already_ours"
	AdoptRefused  = "refused"  // see Problems; nothing was done
	AdoptObserved = "observed" // nothing was done; see Problems for what would stop it
)

// Adopt takes over the key in a secret's current version: from then on it is
// Keyturn's to replace and to end. It looks at everything first and reports all
// problems at once; the value stays as it is, and no key is made. The error is
// for a secret that is not ours and for what could not be recorded.
func (e *Engine) Adopt(ctx context.Context, a Adoption) (Adopted, error) {
	const step Step = "adopt"
	k, ok := e.Keys(a.Secret)
	if !ok {
		return Adopted{}, &Error{
			Step: step, Type: NotOurs, What: "this secret is not in the function's configuration",
			Next: []string{"add it to the configuration and deploy"},
		}
	}
	r, err := e.begin(k, k.Secret, "", step)
	if err != nil {
		return Adopted{}, err
	}
	t := &takeover{
		run: r, ask: a,
		out: Adopted{Version: 1, Secret: k.Secret, Vendor: k.Vendor, Strategy: r.info.Strategy},
	}
	work, cancel := r.working(ctx)
	defer cancel()
	if err = t.carryOut(work); err != nil {
		return Adopted{}, err
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "adoption looked at", slog.String("status", t.out.Status), slog.String("secret", k.Secret),
		slog.String("vendor", k.Vendor), slog.String("version", t.out.VersionID), slog.String("key_id", t.out.KeyID), slog.Int("problems", len(t.out.Problems)))
	return t.out, nil
}

// carryOut looks, and takes the key over where nothing stands against it.
func (t *takeover) carryOut(ctx context.Context) error {
	if t.ask.Observe {
		t.look(ctx)
		t.out.Status = AdoptObserved
		return nil
	}
	ctx, release, err := t.only(ctx)
	if err != nil {
		return err
	}
	defer release()
	t.look(ctx)
	switch {
	case len(t.out.Problems) > 0:
		t.out.Status = AdoptRefused
		return nil
	case t.already:
		t.out.Status = AdoptAlready
		return t.nowKnown(ctx) // an adoption that was killed may not have come to it
	}
	return t.take(ctx)
}

// only makes this the only adoption in its vendor account, among the secrets of
// this configuration: two that look at once see nothing of each other, and
// record two secrets for one key, or two keys for one version.
func (t *takeover) only(ctx context.Context) (alone context.Context, release func(), err error) {
	first := t.key.Secret // all choose the same one
	for _, k := range t.ask.All {
		if k.VendorAccount == t.key.VendorAccount {
			first = min(first, k.Secret)
		}
	}
	return t.alone(ctx, first, "adopt", "another key of this vendor account is being adopted")
}

// takeover is one adoption.
type takeover struct {
	*run

	ask     Adoption
	out     Adopted
	secret  store.Secret
	value   secret.Value // the current key; empty: it could not be read
	book    keyrecord.Book
	already bool // the key is ours
}

func (t *takeover) problem(err error) {
	t.out.Problems = append(t.out.Problems, problemOf(t.typed(err)))
}

func (t *takeover) warn(ty Type, what string, next ...string) {
	t.out.Warnings = append(t.out.Warnings, Problem{Type: ty, What: what, Next: next})
}

func (t *takeover) well(what string) { t.out.Well = append(t.out.Well, what) }

func (t *takeover) unknown(what string) { t.out.Unknown = append(t.out.Unknown, what) }

func problemOf(err *Error) Problem {
	var p Plan
	p.add(err)
	return p.Problems[0]
}

// look checks everything, and goes on after a problem as far as it can.
func (t *takeover) look(ctx context.Context) {
	s, err := t.Store.Describe(ctx, t.key.Secret)
	if err != nil {
		t.problem(t.stored("describe the secret", err))
		return
	}
	t.secret, t.out.VersionID = s, s.VersionAt(store.Current)
	if err = t.takeable(); err != nil {
		t.problem(err)
		return // it is somebody else's, so its value is not read
	}
	t.lookAtValue(ctx)
	if t.book, err = t.Records.Load(ctx, t.key.Secret); err != nil {
		t.problem(t.stored("read the keys' records", err))
	}
	st, err := t.open(ctx)
	if err != nil {
		t.problem(err)
		return
	}
	switch st := st.(type) {
	case provider.Overlap:
		t.overlap(ctx, st)
	case provider.DualSlot:
		t.dualSlot(ctx, st)
	case provider.RollInPlace:
		t.inPlace(ctx, st)
	case provider.RollWithGrace:
		t.rolled(st.ID)
		t.unknown("whether the admin credential may replace the key, and whether the key is the one that the settings name: this vendor shows neither before")
	}
	if t.out.KeyID != "" && !t.already {
		t.ending()
		t.claims(ctx)
	}
}

// takeable says why somebody else rotates the secret, or nobody can.
func (t *takeover) takeable() error {
	s := t.secret
	if err := t.ours(s.Name); err != nil {
		return err
	}
	wayOut := []string{
		"leave it to AWS, and take it out of Keyturn's configuration",
		"or store the key in a new, ordinary secret, put that one into the configuration and adopt it, and delete this one when nobody reads it any more",
	}
	switch {
	case !s.Deleted.IsZero():
		return t.err(NotOurs, "the secret is scheduled for deletion", nil, "restore it: aws secretsmanager restore-secret --secret-id "+t.key.Secret)
	case s.OwningService != "":
		return t.err(NotOurs, "the secret is managed by "+s.OwningService+", which rotates it", nil, wayOut...)
	case s.External || s.Type != "" || s.RotationEnabled && s.RotationLambda == "":
		kind := ""
		if s.Type != "" {
			kind = " of type " + bounded(s.Type)
		}
		return t.err(NotOurs, "it is a managed external secret"+kind+": AWS itself rotates it at its vendor, and two that rotate one key end each other's", nil, wayOut...)
	}
	if lambda := s.RotationLambda; s.RotationEnabled {
		switch {
		case t.ask.Function == "":
			t.unknown("whether the function that rotates the secret now, " + lambda + ", is this one")
		case function(lambda) != function(t.ask.Function):
			t.problem(t.err(NotOurs, "another function rotates the secret: "+lambda, nil,
				"turn that off first: aws secretsmanager cancel-rotate-secret --secret-id "+t.key.Secret, "then adopt the key, and deploy Keyturn's rotation"))
		}
	}
	if v := s.VersionAt(store.Pending); v != "" && v != t.out.VersionID {
		t.problem(t.err(InProgress, "a rotation is in progress, or one was left unfinished", nil, "see it: keyturn status "+t.key.Secret))
	}
	return nil
}

// lookAtValue tries the current value. It stays as it is.
func (t *takeover) lookAtValue(ctx context.Context) {
	if t.out.VersionID == "" {
		t.problem(t.err(NoCurrent, "the secret has no value, so there is no key to take over", nil, "make its first key: keyturn init "+t.key.Secret))
		return
	}
	cur, err := t.Store.Get(ctx, t.key.Secret, t.out.VersionID, "")
	if err != nil {
		t.problem(t.stored("read the current version", err))
		return
	}
	key, err := t.keyIn(cur)
	if err == nil {
		err = t.buildable(cur.Value)
	}
	if err != nil {
		t.problem(t.err(WrongShape, "the current value is not what the configuration says", err,
			"describe it in the configuration as it is: \"value\": {\"field\": ...}, {\"plain\": true} or {\"strict\": true}"))
		return
	}
	t.value = key
	t.well("the value has the configured shape, and stays as it is")
	switch err = t.accepts(ctx, cur); {
	case errors.Is(err, provider.ErrRejected):
		t.problem(t.err(KeyRejected, "the vendor does not accept the current key", nil,
			"consumers are failing already: store a key that works, or check the key's settings and its vendor account"))
	case err != nil:
		t.problem(err)
	default:
		t.well("the vendor accepts the current key")
	}
}

// claims refuses a key that another secret has, as far as that can be seen.
func (t *takeover) claims(ctx context.Context) {
	for _, k := range t.ask.All {
		if k.Secret == t.key.Secret || k.VendorAccount != t.key.VendorAccount {
			continue
		}
		book, err := t.Records.Load(ctx, k.Secret)
		if err != nil {
			t.problem(t.stored("read the records of "+k.Secret+", which may have the same key", err))
			return
		}
		claimed := slices.ContainsFunc(book.Keys, func(rec keyrecord.Record) bool { return rec.State.Alive() && t.sameKey(rec) })
		if claimed || t.sameValue(ctx, k) {
			t.problem(t.err(KeyClaimed, "the secret "+k.Secret+" has this key too", nil,
				"let one secret hold the key: have all its consumers read that one, and take the other out of the configuration",
				"or give this secret a key of its own: make one at the vendor, store it here, and adopt it"))
			return
		}
	}
	t.unknown("whether a secret outside of this function's configuration has the same key")
}

// sameValue reports whether another secret, which may not be recorded yet, holds
// the same key now.
func (t *takeover) sameValue(ctx context.Context, k config.Key) bool {
	v, err := t.Store.Get(ctx, k.Secret, "", store.Current)
	if err != nil {
		if store.KindOf(err) != store.KindNotFound {
			t.unknown("whether the secret " + k.Secret + " holds the same key: it could not be read")
		}
		return false
	}
	key, err := payload.Key(v.Value, k.Value)
	return err == nil && !t.value.Empty() && key.Equal(t.value)
}

// ending refuses a key whose end has begun, which says who is faster.
func (t *takeover) ending() {
	rec, ok := t.book.Key(t.recordID())
	switch {
	case !ok:
	case rec.IsEnding(t.Now()):
		t.problem(t.err(InProgress, "the key is being ended at this moment: it was replaced before", nil, "see it: keyturn status "+t.key.Secret, "then try again"))
	case !rec.Revoked.IsZero() || rec.State == keyrecord.Dead:
		t.problem(t.err(KeyEnded, "Keyturn has ended this key; that the vendor still accepts it may be over at any time", nil,
			"store another key, and adopt that one"))
	}
}
