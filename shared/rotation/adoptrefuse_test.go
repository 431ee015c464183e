package rotation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// Everything that is in the way is told at once, and nothing is done.
func TestAdopt_refuses(t *testing.T) {
	t.Parallel()
	say := func(change func(*store.Secret)) func(*world, *rotation.Adoption) {
		return func(w *world, _ *rotation.Adoption) { w.engine.Store = described{w.engine.Store, change} }
	}
	for _, tt := range []struct {
		name string
		do   func(*world, *rotation.Adoption)
		want []string
		says string
	}{
		{"all at once", func(w *world, _ *rotation.Adoption) {
			w.byHand(`{"token":"x"}`)
			w.replace(admin, `{"hosts":["api.acme.test"],"apiKey":"revoked"}`)
			w.putPending("33333333-3333-4333-8333-333333333333", handMade)
		}, []string{"InProgress", "WrongShape", "AdminRefused"}, ""},
		{"no room, and refused by the vendor", func(w *world, _ *rotation.Adoption) {
			w.vendor.max = 1
			w.byHand(`{"apiKey":"acme-5-eeeeeeeeeeeeeeeeeeeeeeee"}`)
		}, []string{"KeyRejected", "VendorFull"}, ""},
		{"scheduled for deletion", func(w *world, _ *rotation.Adoption) {
			if _, err := w.sm.DeleteSecret(w.t.Context(), &sm.DeleteSecretInput{SecretId: aws.String(name)}); err != nil {
				w.t.Error(err)
			}
		}, []string{"NotOurs"}, "deletion"},
		{"another service's", say(func(s *store.Secret) { s.OwningService = "rds" }), []string{"NotOurs"}, "rds"},
		{"managed external", say(func(s *store.Secret) { s.External, s.Type = true, "DatadogApiKey" }), []string{"NotOurs"}, "managed external secret of type DatadogApiKey"},
		{"rotated without a function", say(func(s *store.Secret) { s.RotationEnabled = true }), []string{"NotOurs"}, "managed external secret"},
		{"another function's", func(w *world, a *rotation.Adoption) {
			w.enable()
			a.Function = "arn:aws:lambda:us-east-1:123456789012:function:another:live"
		}, []string{"NotOurs"}, "keyturn-rotate"},
		{"another account's key", func(w *world, _ *rotation.Adoption) {
			w.vendor.keys[0].value = "acme-9-zzzzzzzzzzzzzzzzzzzzzzzz"
			w.engine.Vendors = alien{knowing{w.vendor}}
		}, []string{"KeyUnknown"}, "does not hold it"},
		{"another id", func(w *world, a *rotation.Adoption) { w.engine.Vendors, a.KeyID = knowing{w.vendor}, "else" }, []string{"KeyUnknown"}, `"hand"`},
		{"a key of another secret by its name", func(w *world, _ *rotation.Adoption) {
			w.engine.Vendors = knowing{w.vendor}
			w.vendor.keys[0].Name = keyname.New("0123456789", "0123456789abcdef", w.now(), 0).String()
		}, []string{"KeyClaimed"}, "another secret"},
		{"a key of another secret by its record", func(w *world, a *rotation.Adoption) {
			w.engine.Vendors = knowing{w.vendor}
			w.engine.Records = shelf{w.records, map[string]keyrecord.Book{
				"prod/shop": {Keys: []keyrecord.Record{{KeyID: "hand", Vendor: "acme", State: keyrecord.Current}}},
				"prod/gone": {Keys: []keyrecord.Record{{KeyID: "hand", Vendor: "acme", State: keyrecord.Dead}}},
			}}
			a.All = []config.Key{w.key, {Secret: "prod/gone", VendorAccount: "acme-main"}, {Secret: "prod/shop", VendorAccount: "acme-main"}}
		}, []string{"KeyClaimed"}, "prod/shop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.byHand(handMade)
				var a rotation.Adoption
				tt.do(w, &a)
				mark := len(w.audit.records)
				out := w.adopt(a)
				if out.Status != rotation.AdoptRefused {
					t.Errorf("status %s", out.Status)
				}
				if diff := cmp.Diff(tt.want, types(out.Problems)); diff != "" {
					t.Errorf("problems (-want +got):\n%s\n%+v", diff, out.Problems)
				}
				for _, p := range out.Problems {
					if p.What == "" || len(p.Next) == 0 || len(out.Problems) == 1 && !strings.Contains(p.What, tt.says) {
						t.Errorf("%+v, want %q and what to do", p, tt.says)
					}
				}
				if len(w.records.book.Keys)+len(w.inbox.messages)+len(w.audit.records)-mark > 0 {
					t.Error("something was done all the same")
				}
			})
		})
	}
}

func TestAdopt_errors(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for name, tt := range map[string]struct {
		do   func(*world)
		want string
	}{
		"not audited":         {func(w *world) { w.audit.refuse = func(audit.Record) error { return gone } }, "AuditUnavailable"},
		"somebody was faster": {func(w *world) { w.engine.Records = late{w.records, keyrecord.ErrConflict} }, "InProgress"},
		"not stored":          {func(w *world) { w.engine.Records = late{w.records, gone} }, "StoreUnavailable"},
		"AWSCURRENT has moved": {func(w *world) {
			n := 0
			w.engine.Store = described{w.engine.Store, func(s *store.Secret) {
				if n++; n == 2 {
					s.Stages = map[string][]string{"another": {store.Current}}
				}
			}}
		}, "InProgress"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.engine.Vendors = knowing{w.vendor}
				w.byHand(handMade)
				tt.do(w)
				_, err := w.engine.Adopt(t.Context(), rotation.Adoption{Secret: "prod/mailer"})
				if errorTypeOf(err) != tt.want || len(w.inbox.messages) > 0 {
					t.Errorf("%v, want %s; told %v", err, tt.want, w.inbox.messages)
				}
			})
		})
	}
	bubble(t, func(t *testing.T, w *world) {
		if _, err := w.engine.Adopt(t.Context(), rotation.Adoption{Secret: "prod/other"}); errorTypeOf(err) != "NotOurs" {
			t.Errorf("%v, want NotOurs", err)
		}
	})
}
