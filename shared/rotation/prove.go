package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// test is testSecret. One GetSecretValue answers both questions: which labels
// the token's version carries, and what is in it.
//
// Secrets Manager calls it alone, on a version that stays empty or holds a copy
// of the current value, when rotation
// is configured without rotating: then the current key and the admin credential
// are tried instead.
func (r *run) test(ctx context.Context) (Outcome, error) {
	v, done, err := r.pending(ctx)
	switch {
	case err != nil:
		return "", err
	case done:
		return Already, nil
	case v.ID == "" || r.copied(v):
		r.holds = false
		return Checked, r.testAlone(ctx)
	}
	if err = r.accepts(ctx, v); err != nil {
		return "", err
	}
	return Verified, nil
}

// copied reports whether the token's version says that another rotation made its
// key: a copy of the current value, there to be tried and taken away again.
// Where that is forged, finishSecret still tries what is pending.
func (r *run) copied(v store.Version) bool {
	meta, _ := payload.Metadata(v.Value, r.key.Value)
	n, ok := keyname.Parse(meta.KeyName)
	return ok && n.Rotation != keyname.Rotation(r.token)
}

// pending reads the token's version. An empty ID means that it is staged and
// has no value.
func (r *run) pending(ctx context.Context) (v store.Version, done bool, err error) {
	v, err = r.Store.Get(ctx, r.id, r.token, "")
	if err == nil {
		if err = r.ours(v.Name); err != nil {
			return v, false, err
		}
		done, err = r.staged(v.Has(store.Pending), v.Has(store.Current))
		r.holds = err == nil && !done
		return v, done, err
	}
	if store.KindOf(err) != store.KindNotFound {
		return v, false, r.stored("read the pending version", err)
	}
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return v, false, r.stored("describe the secret", err)
	}
	if err = r.ours(s.Name); err != nil {
		return v, false, err
	}
	done, err = r.staged(s.Has(r.token, store.Pending), s.Has(r.token, store.Current))
	return store.Version{}, done, err
}

func (r *run) testAlone(ctx context.Context) error {
	cur, err := r.Store.Get(ctx, r.id, "", store.Current)
	if store.KindOf(err) == store.KindNotFound && err != nil {
		return r.err(NoCurrent, "the secret has no current value", err, "make its first key: keyturn init "+r.key.Secret)
	}
	if err != nil {
		return r.stored("read the current version", err)
	}
	if err = r.accepts(ctx, cur); errors.Is(err, provider.ErrRejected) {
		return r.err(KeyRejected, "the vendor does not accept the current key", err, "make a new one: keyturn rotate-now "+r.key.Secret)
	}
	if err != nil {
		return err
	}
	st, err := r.open(ctx)
	if err != nil {
		return err
	}
	return r.reaches(ctx, st)
}

// reaches makes a harmless call with the admin credential, where the vendor has
// one.
func (r *run) reaches(ctx context.Context, st provider.Strategy) (err error) {
	switch s := st.(type) {
	case provider.Overlap:
		_, err = s.Keys.List(ctx)
	case provider.DualSlot:
		_, err = s.Slots.Slots(ctx)
	case provider.RollInPlace:
		if s.Read != nil {
			_, err = s.Read.Read(ctx, s.ID)
		}
	case provider.RollWithGrace:
	}
	if err != nil {
		return r.vendor("try the admin credential", err)
	}
	return nil
}

// accepts asks the vendor whether it accepts the key in v.
func (r *run) accepts(ctx context.Context, v store.Version) error {
	key, err := payload.Key(v.Value, r.key.Value)
	if err != nil {
		return r.err(WrongShape, "the version's value is not what the configuration says", err)
	}
	// The admin credential is not needed to try a key, so it is not read.
	st, err := r.Vendors.Open(r.key, provider.Admin{Hosts: r.key.Hosts})
	if err != nil {
		return r.vendor("open "+r.info.Title, err)
	}
	return r.settle(ctx, verifier(st), key)
}

func verifier(st provider.Strategy) provider.Verifier {
	switch s := st.(type) {
	case provider.Overlap:
		return s.Keys
	case provider.DualSlot:
		return s.Slots
	case provider.RollInPlace:
		return s.Key
	case provider.RollWithGrace:
		return s.Key
	}
	return nil
}

// settle tries a key until the vendor has accepted it as often in a row as its
// facts ask for, or its settle time or the invocation's is over.
func (r *run) settle(ctx context.Context, v provider.Verifier, key secret.Value) error {
	const usual = 2 * time.Second
	every, need := r.info.Settle.Every, max(1, r.info.Settle.Successes)
	if every <= 0 {
		every = usual
	}
	end := time.Now().Add(r.info.Settle.Within)
	for got := 0; ; {
		try, cancel := context.WithTimeout(ctx, verifyTimeout)
		err := v.Verify(try, key)
		cancel()
		if err == nil {
			if got++; got >= need {
				return nil
			}
		} else {
			got = 0
			if hopeless(err) {
				return r.vendor("try the key", err)
			}
		}
		if time.Until(end) < every || !wait(ctx, every) { // wait knows the invocation's end
			return r.unsettled(err)
		}
	}
}

const verifyTimeout = 10 * time.Second

func hopeless(err error) bool {
	if errors.Is(err, provider.ErrRejected) {
		return false // it may not have settled yet
	}
	k := provider.KindOf(err)
	return k == provider.KindPermanent || k == provider.KindBlocked
}

func (r *run) unsettled(err error) error {
	switch {
	case err == nil:
		return r.err(VendorUnavailable, "the vendor has not accepted the key often enough in a row yet", nil, "nothing: Secrets Manager tries again")
	case errors.Is(err, provider.ErrRejected):
		next := []string{"nothing now: the current key goes on working; if it happens again, compare the key's settings with the vendor's"}
		if r.holds {
			next = append(next, "if the pending key is dead for good, Secrets Manager would try it for ever: take the label off it (aws secretsmanager update-secret-version-stage --secret-id "+
				r.key.Secret+" --version-stage AWSPENDING --remove-from-version-id "+r.token+"), then rotate again (keyturn rotate-now "+r.key.Secret+")")
		}
		return r.err(KeyRejected, "the vendor does not accept the key; it has not gone live", err, next...)
	}
	return r.vendor("try the key", err)
}

// finish is finishSecret: nothing goes live that is empty or does not verify
// now.
func (r *run) finish(ctx context.Context) (Outcome, error) {
	v, done, err := r.pending(ctx)
	switch {
	case err != nil:
		return "", err
	case done:
		return Already, nil
	case v.ID == "":
		return "", r.err(EmptyPending, "nothing is stored under this ClientRequestToken", nil, "start a rotation with RotateSecret")
	}
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return "", r.stored("describe the secret", err)
	}
	if err = r.rotatable(s); err != nil {
		return "", err
	}
	if done, err = r.staged(s.Has(r.token, store.Pending), s.Has(r.token, store.Current)); done || err != nil {
		return Already, err
	}
	from := s.VersionAt(store.Current)
	if from == "" {
		return "", r.err(NoCurrent, "the secret has no current value to replace", nil, "make its first key: keyturn init "+r.key.Secret)
	}
	if err = r.accepts(ctx, v); err != nil {
		return "", err
	}
	key, _ := payload.Key(v.Value, r.key.Value)
	meta, _ := payload.Metadata(v.Value, r.key.Value)
	if err = r.promote(ctx, from, audit.Record{KeyID: meta.KeyID, KeyName: meta.KeyName, Fingerprint: r.print(key)}); err != nil {
		return "", err
	}
	return Promoted, nil
}

// promote moves AWSCURRENT to the token's version. rec says which key that is.
func (r *run) promote(ctx context.Context, from string, rec audit.Record) error {
	if err := r.Store.Promote(ctx, r.id, r.token, from); err != nil {
		if err = r.promoted(ctx, err); err != nil {
			return err
		}
	}
	rec.ID, rec.Act, rec.Phase, rec.Result = "promote-"+r.token, audit.Promote, audit.Fact, audit.Done
	rec.Detail = map[string]string{"from": from}
	r.note(ctx, rec)
	return nil
}

// promoted looks whether a label move that ended in an error happened all the
// same.
func (r *run) promoted(ctx context.Context, cause error) error {
	ctx, cancel := r.tidy(ctx)
	defer cancel()
	s, err := r.Store.Describe(ctx, r.id)
	switch {
	case err != nil:
		return r.unsure("move AWSCURRENT", cause)
	case s.Has(r.token, store.Current):
		return nil
	case store.KindOf(cause) == store.KindInvalid:
		return r.err(Superseded, "somebody else moved AWSCURRENT meanwhile", cause, "nothing: the value they stored is the current one")
	}
	if store.Definite(cause) {
		return r.stored("move AWSCURRENT", cause)
	}
	return r.unsure("move AWSCURRENT", cause)
}
