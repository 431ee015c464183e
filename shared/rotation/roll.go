package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// withGrace is createSecret where the vendor keeps the replaced value alive.
func (r *run) withGrace(ctx context.Context, st provider.RollWithGrace, b basis) (Outcome, error) {
	g := st.Grace(r.key.Grace.Max)
	if until := b.current.Created.Add(g); b.secret.VersionAt(store.Previous) != "" && r.Now().Before(until) && !emergency(b.book, r.token) {
		begun, err := r.begun(ctx) // then it must come to its end, whatever the configuration says by now
		if err != nil {
			return "", err
		}
		if !begun {
			return "", r.err(Held, fmt.Sprintf("skipped: the value before the current one may be in use until %s, and replacing the current one now would leave three", stamp(until)), nil,
				"rotate after "+stamp(until))
		}
	}
	if found, err := r.rolledBefore(ctx); found || err != nil {
		return Found, err
	}
	if emergency(b.book, r.token) {
		g = st.Grace(r.key.Grace.Min)
	}
	is, rec, err := r.roll(ctx, st.Key, st.ID, g, b.lineage)
	if err != nil {
		return "", err
	}
	return r.keepRolled(ctx, rolled{issued: is, key: st.Key, template: b.current.Value, grace: g}, rec)
}

// roll has the vendor replace a key's value, between its intent and, if it
// fails, its outcome.
func (r *run) roll(ctx context.Context, roller provider.Roller, id string, grace time.Duration, lineage string) (provider.Issued, audit.Record, error) {
	name := keyname.New(lineage, keyname.Rotation(r.token), r.Now(), r.Random()).String()
	rec := audit.Record{ID: "roll-" + name, Act: audit.Roll, Phase: audit.Intent, KeyID: id, KeyName: name}
	if err := r.record(ctx, rec); err != nil {
		return provider.Issued{}, rec, err
	}
	rec.Phase = audit.Outcome
	is, err := roller.Roll(ctx, id, grace)
	if err != nil {
		rec.Result, rec.Error = result(err), err.Error()
		r.note(ctx, rec)
		return is, rec, r.notRolled(ctx, err, grace)
	}
	is.Name, rec.Fingerprint = name, r.print(is.Value)
	if err = r.shaped(is.Value); err != nil {
		rec.Result, rec.Error = audit.Done, err.Error()
		r.note(ctx, rec)
		return is, rec, r.ends(err, grace)
	}
	return is, rec, nil
}

// notRolled explains a roll that returned no value.
func (r *run) notRolled(ctx context.Context, cause error, grace time.Duration) error {
	if provider.KindOf(cause) == provider.KindUnknown {
		return r.ends(cause, grace)
	}
	tidy, cancel := r.tidy(ctx)
	defer cancel()
	_ = r.Records.Forget(tidy, r.key.Secret, rollMark+r.token) // nothing was begun
	return r.vendor("replace the key's value", cause)
}

// rolled is a value that the vendor has just put in place of another.
type rolled struct {
	issued   provider.Issued
	key      provider.Verifier
	template secret.Value
	grace    time.Duration // of the value before it; 0: it is dead
}

func (r *run) value(x rolled) (secret.Value, error) {
	v, err := payload.Build(x.template, r.key.Value, x.issued.Value, payload.Meta{
		Provider: r.key.Vendor, KeyID: x.issued.ID, KeyName: x.issued.Name, CreatedAt: r.Now(),
	})
	if err != nil {
		return v, r.err(WrongShape, "the new value cannot be built", err)
	}
	return v, nil
}

// keepRolled stores a value that the vendor has put in place of the current one.
func (r *run) keepRolled(ctx context.Context, x rolled, rec audit.Record) (Outcome, error) {
	v, err := r.value(x)
	if err != nil {
		return "", r.ends(err, x.grace)
	}
	put := r.pendingPut()
	put.Value = v
	_, err = r.Store.Put(ctx, put)
	rec.Result = audit.Done
	if err == nil {
		return Minted, r.record(ctx, rec)
	}
	tidy, cancel := r.tidy(ctx)
	defer cancel()
	if k := store.KindOf(err); k == store.KindExists || k == store.KindUnknown {
		switch got, e := r.Store.Get(tidy, r.id, r.token, ""); {
		case e == nil && got.Value.Equal(v):
			return Minted, r.record(tidy, rec)
		case e == nil && !r.leased.IsZero() && !time.Now().Before(r.leased):
			// Whoever came after us has replaced this value: it must not go live.
		case e == nil:
			r.note(tidy, rec)
			return "", r.supersede(tidy, x)
		}
	}
	rec.Error = err.Error()
	r.note(tidy, rec)
	return "", r.ends(r.unsure("store the new value", err), x.grace)
}

// supersede is for a value that works at the vendor and that the token's version
// can never hold. It goes live under a token of its own.
func (r *run) supersede(ctx context.Context, x rolled) error {
	if err := r.settle(ctx, x.key, x.issued.Value); err != nil {
		return r.ends(err, x.grace)
	}
	v, err := r.value(x)
	if err != nil {
		return r.ends(err, x.grace)
	}
	fresh, err := r.live(ctx, x, v, "the value at the vendor and the pending version could not be reconciled")
	if err != nil {
		return r.ends(err, x.grace)
	}
	return r.err(Superseded, "the pending version holds a value that the vendor has replaced since; the one that works went live under version "+fresh, nil,
		"nothing: the next rotation is an ordinary one")
}

// live stores a value as AWSCURRENT, under a token of its own.
func (r *run) live(ctx context.Context, x rolled, value secret.Value, why string) (fresh string, err error) {
	if fresh, err = r.freshToken(); err != nil {
		return "", err
	}
	if _, err = r.Store.Put(ctx, store.Put{SecretID: r.id, Token: fresh, Value: value, Stages: []string{store.Current}, RotationToken: r.rotationToken}); err != nil {
		return "", r.unsure("store the value that works", err)
	}
	r.note(ctx, audit.Record{
		ID: "promote-" + fresh, Act: audit.Promote, Phase: audit.Fact, Result: audit.Done, KeyID: x.issued.ID, KeyName: x.issued.Name,
		Fingerprint: r.print(x.issued.Value), Detail: map[string]string{"version": fresh, "why": why},
	})
	return fresh, nil
}

// freshToken returns a new ClientRequestToken: a random UUID.
func (r *run) freshToken() (string, error) {
	var b [16]byte
	if _, err := r.Entropy.Read(b[:]); err != nil {
		return "", r.err(StoreUnavailable, "there is no randomness for a token", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// ends explains an error after which the current key may have an end.
func (r *run) ends(cause error, grace time.Duration) error {
	what := "the current one may be dead already"
	if grace > 0 {
		what = "the vendor ends the current one at " + stamp(r.Now().Add(grace)) + " then"
	}
	return r.err(CurrentEnds, "the vendor may have replaced the key's value, and the new one was not stored; "+what, cause,
		"nothing: Secrets Manager tries again, and each try replaces the value once more",
		"if it goes on failing, rotate at once when its cause is mended: keyturn rotate-now "+r.key.Secret)
}

// inPlace is createSecret where a new value ends the old one at once.
func (r *run) inPlace(ctx context.Context, st provider.RollInPlace, b basis) (Outcome, error) {
	if st.Set != nil {
		return r.choose(ctx, st.Set, st.ID, b)
	}
	if !r.key.AcceptDowntime {
		return "", r.err(DowntimeRefused, "this vendor ends the current value the moment it makes a new one, before the new one can be stored", nil,
			"write \"acceptDowntime\": true in the key's configuration if its consumers can live with failing until they read the secret again")
	}
	if found, err := r.rolledBefore(ctx); found || err != nil {
		return Found, err
	}
	from := r.Now()
	x, rec, err := r.present(ctx, st, b)
	if err != nil {
		return "", err
	}
	if out, err := r.keepRolled(ctx, x, rec); err != nil {
		return out, err
	}
	// Consumers fail until it is current: finishSecret would be later.
	if err = r.settle(ctx, st.Key, x.issued.Value); err != nil {
		return "", err
	}
	if err = r.promote(ctx, b.current.ID, audit.Record{KeyID: st.ID, KeyName: x.issued.Name, Fingerprint: rec.Fingerprint}); err != nil {
		return "", err
	}
	r.window(ctx, from)
	return Promoted, nil
}

// present returns the value that the vendor has for the key now, if it can be
// read and is not the current version's, and has it replaced otherwise.
func (r *run) present(ctx context.Context, st provider.RollInPlace, b basis) (rolled, audit.Record, error) {
	x := rolled{key: st.Key, template: b.current.Value}
	if st.Read != nil {
		v, err := st.Read.Read(ctx, st.ID)
		if err != nil {
			return x, audit.Record{}, r.vendor("read the key's value", err)
		}
		if cur, err := payload.Key(b.current.Value, r.key.Value); err == nil && !v.Equal(cur) {
			name := keyname.New(b.lineage, keyname.Rotation(r.token), r.Now(), r.Random()).String()
			x.issued = provider.Issued{Key: provider.Key{ID: st.ID, Name: name}, Value: v}
			return x, audit.Record{
				ID: "roll-" + name, Act: audit.Roll, Phase: audit.Fact, KeyID: st.ID, KeyName: name, Fingerprint: r.print(v),
				Detail: map[string]string{"found": "the vendor has another value than the current version"},
			}, nil
		}
	}
	is, rec, err := r.roll(ctx, st.Roll, st.ID, 0, b.lineage)
	if err != nil {
		return x, rec, err
	}
	x.issued = is
	return x, rec, nil
}

// setInPlace brings the stored value to the vendor, tries it and makes it
// current, all in one invocation: from the vendor's change to the label's move
// consumers fail.
func (r *run) setInPlace(ctx context.Context) (Outcome, error) {
	ctx, release, err := r.lease(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	p, done, err := r.chosen(ctx)
	if done || err != nil {
		return Already, err
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
	st, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	in, ok := st.(provider.RollInPlace)
	if !ok || in.Set == nil {
		return "", r.err(ConfigInvalid, "the vendor does not take a value of our own choosing", nil)
	}
	rec := r.intent(audit.Roll, p)
	rec.KeyID = in.ID
	if err = r.record(ctx, rec); err != nil {
		return "", err
	}
	began := r.Now()
	if err = r.replace(ctx, in, p, rec); err != nil {
		return "", err
	}
	if err = r.promote(ctx, from, audit.Record{KeyID: in.ID, KeyName: p.name, Fingerprint: r.print(p.key)}); err != nil {
		return "", err
	}
	r.window(ctx, began)
	return Promoted, nil
}

// replace sets the value and waits until it is accepted.
func (r *run) replace(ctx context.Context, in provider.RollInPlace, p pendingKey, rec audit.Record) error {
	err := in.Set.Set(ctx, in.ID, p.key)
	rec.Phase, rec.Result = audit.Outcome, audit.Done
	if err != nil {
		rec.Result, rec.Error = result(err), err.Error()
	}
	r.note(ctx, rec)
	if err != nil && provider.KindOf(err) != provider.KindUnknown {
		return r.vendor("set the new value", err)
	}
	// Nobody knows, or it is set: whether it is accepted tells.
	if tried := r.settle(ctx, in.Key, p.key); tried != nil {
		if err == nil {
			err = tried
		}
		return r.err(CurrentEnds, "the vendor may have replaced the key's value and does not accept the new one yet: consumers may be failing", err,
			"nothing: Secrets Manager tries again, and setting the same value twice does no harm",
			"if it goes on failing, look at the vendor's status page and at the key's settings there")
	}
	return nil
}

// window says how long consumers could fail, from began on: until the label has
// moved, and as long as the vendor may still take one value here and the other
// there.
func (r *run) window(ctx context.Context, began time.Time) {
	most := max(r.Now().Sub(began), r.info.Settle.Within)
	r.Log.LogAttrs(ctx, slog.LevelInfo, "value replaced in place", slog.String("secret", r.key.Secret), slog.String("vendor", r.key.Vendor),
		slog.String("version", r.token), slog.Time("began", began.UTC()), slog.Int64("window_ms", most.Milliseconds()))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
