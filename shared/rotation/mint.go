package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// mint is one key to be made and stored.
type mint struct {
	o        provider.Overlap
	lineage  string
	like     string       // the id of the key whose rights are copied; "": the settings say them
	old      []string     // rights that the new key must have; nil: not compared
	template secret.Value // the value whose other fields are kept; empty: none
	name     string       // that the vendor is asked to give it
	put      store.Put    // without its value
	// prove, if set, must accept the key before it is stored.
	prove func(context.Context, secret.Value) error
}

// mint makes a key and stores it. Whatever happens, the key is stored, or
// revoked by the invocation that made it, or carries a name by which the sweep
// finds it.
func (r *run) mint(ctx context.Context, m mint) (Outcome, error) {
	name := keyname.New(m.lineage, keyname.Rotation(r.token), r.Now(), r.Random()).String()
	m.name = name
	rec := audit.Record{ID: "create-" + name, Act: audit.Create, KeyName: name}
	rec.Phase = audit.Intent
	if err := r.record(ctx, rec); err != nil {
		return "", err
	}
	issued, err := m.make(ctx)
	if err == nil && issued.ID == "" { // without it the key cannot be revoked, but by its name
		err = &provider.Error{Op: "create", Err: errors.New("the vendor returned a key without an id")}
	}
	if err != nil {
		return "", r.notMinted(ctx, m.o, rec, err)
	}
	rec.KeyID, rec.Fingerprint, rec.Phase = issued.ID, r.print(issued.Value), audit.Outcome
	value, err := r.fit(ctx, m, issued)
	if err != nil {
		return "", r.discard(ctx, m.o, rec, err)
	}
	m.put.Value = value
	return r.keep(ctx, m, rec)
}

func (m mint) make(ctx context.Context) (provider.Issued, error) {
	if m.like != "" {
		return m.o.Copy.Copy(ctx, m.name, m.like)
	}
	return m.o.Keys.Create(ctx, m.name)
}

// fit checks that a minted key is what it should be, and builds the value to
// store.
func (r *run) fit(ctx context.Context, m mint, issued provider.Issued) (secret.Value, error) {
	if issued.Name != m.name {
		return secret.Value{}, r.err(UnexpectedValue, "the vendor gave the key another name than it was asked for, so nothing would prove that it is ours", nil,
			"tell the Keyturn project: this vendor's names are shorter or spelled otherwise")
	}
	if err := r.shaped(issued.Value); err != nil {
		return secret.Value{}, err
	}
	if m.old != nil {
		fresh, err := m.o.Scope.Scopes(ctx, issued.ID)
		if err != nil {
			return secret.Value{}, r.vendor("read the new key's rights", err)
		}
		if lacks, extra := diff(m.old, fresh); len(lacks)+len(extra) > 0 {
			return secret.Value{}, r.err(ScopesDiffer, "the new key's rights differ from the current key's"+listed("; it lacks ", lacks)+listed("; it has besides ", extra), nil,
				"correct the scopes in the key's settings, or give the current key the rights it should have")
		}
	}
	if m.prove != nil {
		if err := m.prove(ctx, issued.Value); err != nil {
			return secret.Value{}, err
		}
	}
	v, err := payload.Build(m.template, r.key.Value, issued.Value, payload.Meta{
		Provider: r.key.Vendor, KeyID: issued.ID, KeyName: issued.Name, CreatedAt: r.Now(),
	})
	if err != nil {
		return secret.Value{}, r.err(WrongShape, "the new value cannot be built", err)
	}
	return v, nil
}

func diff(old, fresh []string) (lacks, extra []string) {
	for _, s := range old {
		if !slices.Contains(fresh, s) {
			lacks = append(lacks, s)
		}
	}
	for _, s := range fresh {
		if !slices.Contains(old, s) {
			extra = append(extra, s)
		}
	}
	return lacks, extra
}

func listed(intro string, s []string) string {
	if len(s) == 0 {
		return ""
	}
	// The vendor's words: a few of them, and escaped.
	const most = 10
	rest := ""
	if len(s) > most {
		rest = fmt.Sprintf(" and %d more", len(s)-most)
		s = s[:most]
	}
	out := make([]string, len(s))
	for i, word := range s {
		out[i] = strconv.QuoteToASCII(bounded(word))
	}
	return intro + strings.Join(out, ", ") + rest
}

// keep stores a minted key. PutSecretValue is the arbiter: if it says that the
// token's version has another value, somebody else has won.
func (r *run) keep(ctx context.Context, m mint, rec audit.Record) (Outcome, error) {
	_, err := r.Store.Put(ctx, m.put)
	if err == nil {
		rec.Result = audit.Done
		return Minted, r.record(ctx, rec)
	}
	ctx, cancel := r.tidy(ctx)
	defer cancel()
	if k := store.KindOf(err); k != store.KindExists && k != store.KindUnknown {
		return "", r.discard(ctx, m.o, rec, r.stored("store the new key", err))
	}
	// Exists, or nobody knows: what is stored now decides.
	switch got, e := r.Store.Get(ctx, r.id, r.token, ""); {
	case e != nil:
		rec.Result, rec.Error = audit.Unknown, err.Error()
		r.note(ctx, rec)
		return "", r.unsure("store the new key: it is kept at the vendor, for it may be stored", err)
	case got.Value.Equal(m.put.Value):
		rec.Result = audit.Done
		return Minted, r.record(ctx, rec)
	default:
		_ = r.discard(ctx, m.o, rec, r.err(Superseded, "another run stored its key first", nil))
		return Found, nil
	}
}

// discard revokes a key that this invocation minted and did not store, and
// returns why.
func (r *run) discard(ctx context.Context, o provider.Overlap, rec audit.Record, why error) error {
	ctx, cancel := r.tidy(ctx)
	defer cancel()
	rec.Result, rec.Error, rec.Detail = audit.Done, why.Error(), map[string]string{"kept": "no"}
	r.note(ctx, rec)
	if err := r.revoke(ctx, o, rec.KeyID, rec.KeyName, "minted by this invocation and not stored"); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "a minted key could not be revoked: the sweep will",
			slog.String("secret", r.key.Secret), slog.String("key_id", rec.KeyID), slog.String("error", err.Error()))
	}
	return why
}

// revoke ends a key, with an intent before and an outcome after.
func (r *run) revoke(ctx context.Context, o provider.Overlap, id, name, why string) error {
	rec := audit.Record{ID: "revoke-" + name, Act: audit.Revoke, Phase: audit.Intent, KeyID: id, KeyName: name, Detail: map[string]string{"why": why}}
	if err := r.record(ctx, rec); err != nil {
		return err
	}
	err := o.Keys.Revoke(ctx, id)
	rec.Phase, rec.Result = audit.Outcome, audit.Done
	if err != nil {
		rec.Result, rec.Error = result(err), err.Error()
	}
	r.note(ctx, rec)
	return err
}

// notMinted explains a create that did not return a key. Where one may have
// been made, it is looked for by its name, which only this invocation knows,
// and revoked, for its value is lost. The create itself is never sent again.
func (r *run) notMinted(ctx context.Context, o provider.Overlap, rec audit.Record, cause error) error {
	ctx, cancel := r.tidy(ctx)
	defer cancel()
	rec.Phase, rec.Result, rec.Error = audit.Outcome, result(cause), cause.Error()
	r.note(ctx, rec)
	if provider.KindOf(cause) != provider.KindUnknown {
		return r.vendor("create a key", cause)
	}
	lost := r.err(CreateOutcomeUnknown, "the vendor did not say whether it made a key", cause,
		"nothing: it is not asked twice under one name; a key that it made after all is found by its name and revoked")
	keys, err := o.Keys.List(ctx)
	if err != nil {
		return lost
	}
	for _, k := range keys {
		if k.Name != rec.KeyName {
			continue
		}
		if err = r.revoke(ctx, o, k.ID, k.Name, "its value was lost on the way"); err != nil {
			r.Log.LogAttrs(ctx, slog.LevelError, "a key whose value was lost could not be revoked: the sweep will",
				slog.String("secret", r.key.Secret), slog.String("key_id", k.ID), slog.String("error", err.Error()))
		}
	}
	return lost
}

// note records an outcome where there is nothing left to stop.
func (r *run) note(ctx context.Context, rec audit.Record) {
	if err := r.record(ctx, rec); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "an outcome was not recorded", slog.String("secret", r.key.Secret),
			slog.String("audit_id", rec.ID), slog.String("error", err.Error()))
	}
}

func result(err error) string {
	if provider.KindOf(err) == provider.KindUnknown {
		return audit.Unknown
	}
	return audit.Failed
}

// tidy returns a context for what must still happen when time is up.
func (r *run) tidy(ctx context.Context) (context.Context, context.CancelFunc) {
	d := time.Now().Add(30 * time.Second)
	if !r.end.IsZero() && r.end.Before(d) {
		d = r.end
	}
	return context.WithDeadline(context.WithoutCancel(ctx), d)
}

// wait reports whether it waited; it does not begin a wait that the deadline
// forbids.
func wait(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
