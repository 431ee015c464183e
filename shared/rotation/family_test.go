package rotation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// Which keys in the vendor's list hold a rotation back.
func TestHeld_by(t *testing.T) {
	t.Parallel()
	const firstToken, longAgo = "11111111-1111-4111-8111-111111111111", "a-rotation-of-a-long-time-ago-0001"
	for _, tt := range []struct {
		name   string
		secret string // whose name the other key carries; "": a foreign name
		record *keyrecord.Record
		mode   string
		minted bool
	}{
		{name: "an orphan", secret: name, minted: true},
		{name: "replaced, in its grace", secret: name, record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo}},
		{name: "held", secret: name, record: &keyrecord.Record{State: keyrecord.Held, Version: longAgo}},
		{name: "dead, and still listed", secret: name, record: &keyrecord.Record{State: keyrecord.Dead, Version: longAgo}, minted: true},
		{name: "lost", secret: name, record: &keyrecord.Record{State: keyrecord.Lost}, minted: true},
		{name: "of another secret", secret: "prod/other", record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo}, minted: true},
		{name: "foreign", record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo}, minted: true},
		{name: "adopted", record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo, Origin: keyrecord.Adopted}},
		{name: "adopted, and current", record: &keyrecord.Record{State: keyrecord.Current, Version: firstToken, Origin: keyrecord.Adopted}, minted: true},
		{name: "a person asked", secret: name, record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo}, mode: "rotate"},
		{name: "an emergency", secret: name, record: &keyrecord.Record{State: keyrecord.Grace, Version: longAgo}, mode: "emergency", minted: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.first()
				w.enable()
				token := w.stuck()
				w.vendor.keys = append(w.vendor.keys, &vendorKey{Key: provider.Key{ID: "other", Name: "by hand"}, scopes: w.vendor.scopes})
				if tt.secret != "" {
					w.vendor.keys = w.vendor.keys[:2]
					w.attempt("other", tt.secret, longAgo, time.Hour)
				}
				if tt.record != nil {
					tt.record.KeyID, tt.record.Secret = "other", name
					w.records.book.Keys = []keyrecord.Record{*tt.record}
				}
				if tt.mode != "" {
					w.records.book.Requests = []keyrecord.Request{{Rotation: keyname.Rotation(token), Mode: tt.mode}}
				}
				out, err := w.step(rotation.CreateSecret, token)
				if minted := out == rotation.Minted; minted != tt.minted || !minted && errorType(err) != "Held" {
					t.Errorf("%q, %v; want minted: %v", out, err, tt.minted)
				}
			})
		})
	}
}

// Whose rights the new key's are compared with: the current key's, by its name
// or our record, and nobody's where that is not certain.
func TestScopes_ofCurrent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(w *world)
		want rotation.Type
	}{
		{"by its name", func(*world) {}, rotation.ScopesDiffer},
		{"by our record", func(w *world) {
			w.vendor.keys[1].Name = "adopted"
			w.records.book.Keys = []keyrecord.Record{{KeyID: "id1", Version: "11111111-1111-4111-8111-111111111111", Origin: keyrecord.Adopted, State: keyrecord.Current}}
		}, rotation.ScopesDiffer},
		{"two have a claim", func(w *world) { w.attempt("two", name, "11111111-1111-4111-8111-111111111111", time.Hour) }, ""},
		{"another secret's has its rotation", func(w *world) {
			w.attempt("two", "prod/other", "11111111-1111-4111-8111-111111111111", time.Hour)
		}, rotation.ScopesDiffer},
		{"nobody knows", func(w *world) { w.vendor.keys[1].Name = "renamed" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.first()
				w.enable()
				token := w.stuck()
				w.vendor.scopes = []string{"admin"}
				tt.do(w)
				if _, err := w.step(rotation.CreateSecret, token); tt.want == "" && err != nil || tt.want != "" && errorType(err) != string(tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		})
	}
}

// Rights that are copied are the current key's, whatever the settings would give;
// where its id is not known nothing is made.
func TestCopy(t *testing.T) {
	t.Parallel()
	for renamed, want := range map[bool]string{false: "", true: "KeyUnknown"} {
		bubble(t, func(t *testing.T, w *world) {
			w.first()
			w.enable()
			token := w.stuck()
			w.vendor.copies, w.vendor.keys[1].scopes = true, []string{"mail.read"}
			if renamed {
				w.vendor.keys[1].Name = "renamed"
			}
			creates := len(w.vendor.creates)
			_, err := w.step(rotation.CreateSecret, token)
			made := len(w.vendor.creates) - creates
			if want != "" && (errorType(err) != want || made != 0) || want == "" && (err != nil || made != 1) {
				t.Errorf("renamed: %v: %v, %d made", renamed, err, made)
			}
		})
	}
}

// Unknown is not absent: each read that fails alone stops what rests on it.
func TestReads_unknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.stuck()
		creates, untouched := len(w.vendor.creates), w.engine.Store
		w.engine.Store = &unreadable{Store: untouched, version: token}
		if out, err := w.step(rotation.CreateSecret, token); errorType(err) != "StoreUnavailable" || len(w.vendor.creates) != creates {
			t.Errorf("createSecret: %s, %v, %d creates", out, err, len(w.vendor.creates)-creates)
		}
		if out, err := w.step(rotation.TestSecret, token); errorType(err) != "StoreUnavailable" {
			t.Errorf("testSecret: %s, %v", out, err)
		}
		w.engine.Store = untouched
		if out, err := w.step(rotation.FinishSecret, token); errorType(err) != "EmptyPending" {
			t.Errorf("finishSecret of an empty version: %s, %v", out, err)
		}
	})
}

// unreadable does not answer for the value of one version.
type unreadable struct {
	rotation.Store

	version string
}

func (u *unreadable) Get(ctx context.Context, id, version, stage string) (store.Version, error) {
	if version == u.version {
		return store.Version{}, &store.Error{Op: "GetSecretValue"}
	}
	return u.Store.Get(ctx, id, version, stage)
}

// The consumer's other fields outlive a rotation, and the RotationToken goes
// where Secrets Manager wants it.
func TestCreate_puts(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		first := w.value(store.Current)
		w.putValue(`{"host":"smtp.acme.test","apiKey":"` + first + `"}`)
		w.vendor.keys[1].Name = "kept by hand" // so that nothing holds the rotation
		token := w.stuck()
		s := &puts{Store: w.engine.Store}
		w.engine.Store = s
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		_, err := w.engine.Rotate(ctx, rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: token, RotationToken: secret.New("from-AWS-0123456789-0123456789-0123456789")})
		if err != nil || len(s.all) != 1 {
			t.Fatalf("%v, %d puts", err, len(s.all))
		}
		p := s.all[0]
		if !strings.Contains(p.Value.Reveal(), `"host":"smtp.acme.test"`) || strings.Contains(p.Value.Reveal(), first) {
			t.Error("the new value is not the old one with another key")
		}
		if p.RotationToken.Reveal() != "from-AWS-0123456789-0123456789-0123456789" || !slices.Equal(p.Stages, []string{store.Pending}) {
			t.Errorf("token given: %v, stages %v", !p.RotationToken.Empty(), p.Stages)
		}
	})
}

type puts struct {
	rotation.Store

	all []store.Put
}

func (s *puts) Put(ctx context.Context, p store.Put) ([]string, error) {
	s.all = append(s.all, p)
	return s.Store.Put(ctx, p)
}
