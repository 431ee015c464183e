package rotation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

func (r *records) Put(_ context.Context, rec keyrecord.Record) (keyrecord.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.book.Keys, func(k keyrecord.Record) bool { return k.KeyID == rec.KeyID })
	if i < 0 && rec.Revision != 0 || i >= 0 && r.book.Keys[i].Revision != rec.Revision {
		return rec, keyrecord.ErrConflict
	}
	rec.Revision++
	if i < 0 {
		r.book.Keys = append(r.book.Keys, rec)
	} else {
		r.book.Keys[i] = rec
	}
	return rec, nil
}

// shelf has the records of other secrets too.
type shelf struct {
	*records

	others map[string]keyrecord.Book
}

func (s shelf) Load(ctx context.Context, secretName string) (keyrecord.Book, error) {
	if b, ok := s.others[secretName]; ok {
		return b, nil
	}
	return s.records.Load(ctx, secretName)
}

// knowing is a vendor that knows its keys by their values.
type knowing struct{ *vendor }

func (k knowing) Open(c config.Key, a provider.Admin) (provider.Strategy, error) {
	st, err := k.vendor.Open(c, a)
	if o, ok := st.(provider.Overlap); ok {
		o.Identify = k
		st = o
	}
	return st, err
}

func (k knowing) Identify(_ context.Context, v secret.Value) (string, error) {
	for _, key := range k.keys {
		if key.value == v.Reveal() {
			return key.ID, nil
		}
	}
	return "", &provider.Error{Op: "identify", Kind: provider.KindNotFound}
}

// described changes what Secrets Manager says of a secret, where the local AWS
// cannot be brought to say it.
type described struct {
	rotation.Store

	change func(*store.Secret)
}

func (d described) Describe(ctx context.Context, id string) (store.Secret, error) {
	s, err := d.Store.Describe(ctx, id)
	d.change(&s)
	return s, err
}

const handMade = `{"user":"mail","apiKey":"acme-0-aaaaaaaaaaaaaaaaaaaaaaaa"}`

// byHand gives the secret a value that somebody made by hand.
func (w *world) byHand(value string) (version string) {
	w.t.Helper()
	out, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: &value})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}

func (w *world) adopt(a rotation.Adoption) rotation.Adopted {
	w.t.Helper()
	a.Secret = name
	out, err := w.engine.Adopt(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func types(ps []rotation.Problem) (out []string) {
	for _, p := range ps {
		out = append(out, string(p.Type))
	}
	return out
}

// The key that the vendor knows by its value is recorded as ours, the value
// stays as it is, nothing is made, and the next rotation replaces it.
// Promise: foreign-untouched
func TestAdopt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = knowing{w.vendor}
		version := w.byHand(handMade)
		mark := len(w.audit.records)
		out := w.adopt(rotation.Adoption{Reason: "moving in", Requester: "me"})
		if out.Status != rotation.AdoptDone || out.KeyID != "hand" || out.VersionID != version || len(out.Problems)+len(out.Warnings) > 0 {
			t.Fatalf("%+v", out)
		}
		want := []keyrecord.Record{{
			Secret: name, KeyID: "hand", KeyName: foreign, Vendor: "acme", VendorAccount: "acme-main", Origin: keyrecord.Adopted,
			State: keyrecord.Current, Version: version, Promoted: w.now(), Revision: 1,
		}}
		if diff := cmp.Diff(want, w.records.book.Keys); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"adopt intent", "adopt outcome"}, w.audit.acts()[mark:]); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
		if r := w.audit.records[mark]; r.KeyID != "hand" || r.Detail["reason"] != "moving in" || r.Fingerprint == "" {
			t.Errorf("intent %+v", r)
		}
		if len(w.inbox.messages) != 1 || w.inbox.messages[0].Kind != notify.Adopted || w.inbox.messages[0].Severity != notify.Info {
			t.Errorf("told %+v", w.inbox.messages)
		}
		if n := len(w.vendor.creates); n != 0 {
			t.Errorf("%d keys were made", n)
		}
		if out = w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptAlready || out.KeyID != "hand" || len(w.records.book.Keys) != 1 {
			t.Errorf("again: %+v", out)
		}
		w.enable()
		w.rotate()
		got, err := w.sm.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name)})
		if err != nil || !strings.HasPrefix(aws.ToString(got.SecretString), `{"user":"mail","apiKey":"acme-1-`) {
			t.Errorf("after a rotation: %q, %v", aws.ToString(got.SecretString), err)
		}
		if strings.Contains(w.log.String(), "aaaaaaaa") {
			t.Error("a value is in the log")
		}
	})
}

// A vendor that does not know its keys by their values: the operator says which
// it is, or the key is recorded as one that we can never end.
func TestAdopt_withoutIdentifier(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		version := w.byHand(handMade)
		unknown := keyrecord.UnknownID(keyname.Rotation(version))
		out := w.adopt(rotation.Adoption{})
		if out.Status != rotation.AdoptNoID || out.KeyID != "" || len(out.Warnings) != 1 || len(out.Others) != 1 || out.Others[0].ID != "hand" {
			t.Fatalf("%+v", out)
		}
		rec := w.records.book.Keys[0]
		if rec.KeyID != unknown || !rec.IDUnknown() || rec.State != keyrecord.Held || rec.Why != keyrecord.WhyUnknownID || rec.Version != version {
			t.Errorf("%+v", rec)
		}
		if w.inbox.messages[0].Severity != notify.Warning {
			t.Errorf("told %+v", w.inbox.messages)
		}
		if out = w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptAlready || len(w.records.book.Keys) != 1 {
			t.Errorf("again: %+v", out)
		}
		if out = w.adopt(rotation.Adoption{KeyID: "nobody"}); out.Status != rotation.AdoptRefused || !slices.Equal(types(out.Problems), []string{"KeyUnknown"}) {
			t.Errorf("an id that is not in the list: %+v", out)
		}
		out = w.adopt(rotation.Adoption{KeyID: "hand"})
		if out.Status != rotation.AdoptDone || out.KeyID != "hand" {
			t.Fatalf("%+v", out)
		}
		// What was recorded without the id is closed, and its end is no news.
		old, fresh := w.records.book.Keys[0], w.records.book.Keys[1]
		if old.State != keyrecord.Gone || old.Version != "" || !slices.Contains(old.Told, "retired") || fresh.KeyID != "hand" || fresh.State != keyrecord.Current {
			t.Errorf("%+v, %+v", old, fresh)
		}
		if out = w.adopt(rotation.Adoption{KeyID: "nobody"}); !slices.Equal(types(out.Problems), []string{"KeyUnknown"}) {
			t.Errorf("another id than ours: %+v", out)
		}
	})
}

func TestAdopt_ours(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		out := w.adopt(rotation.Adoption{})
		if out.Status != rotation.AdoptAlready || out.KeyID != "id1" || len(w.records.book.Keys) != 0 {
			t.Errorf("%+v, records %+v", out, w.records.book.Keys)
		}
	})
}

// To observe is to check everything and to change nothing.
func TestAdopt_observe(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.max, w.vendor.keys[0].scopes = 2, []string{"mail.send"}
		w.byHand(handMade)
		mark, calls := len(w.audit.records), len(w.cloud.Calls())
		out := w.adopt(rotation.Adoption{Observe: true, KeyID: "hand"})
		if out.Status != rotation.AdoptObserved || out.KeyID != "hand" || out.Keys != 1 || out.Limit != 2 || !slices.Equal(out.Scopes, []string{"mail.send"}) {
			t.Errorf("%+v", out)
		}
		if len(out.Well) != 4 || len(out.Unknown) == 0 {
			t.Errorf("well %q, unknown %q", out.Well, out.Unknown)
		}
		if len(w.records.book.Keys)+len(w.inbox.messages)+len(w.audit.records)-mark+len(w.vendor.creates) > 0 {
			t.Error("something was changed or told")
		}
		for _, c := range w.cloud.Calls()[calls:] {
			if c.Operation != "DescribeSecret" && c.Operation != "GetSecretValue" {
				t.Errorf("it called %s", c.Operation)
			}
		}
	})
}

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

// replace puts another value into a secret.
func (w *world) replace(id, value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}

// alien is a vendor that accepts a key of another account.
type alien struct{ knowing }

func (a alien) Open(c config.Key, ad provider.Admin) (provider.Strategy, error) {
	st, err := a.knowing.Open(c, ad)
	if o, ok := st.(provider.Overlap); ok {
		o.Keys = generous{client{a.vendor, ad.Field("apiKey").Reveal()}}
		st = o
	}
	return st, err
}

type generous struct{ client }

func (generous) Verify(context.Context, secret.Value) error { return nil }

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

// late is records that cannot be written.
type late struct {
	*records

	fail error
}

func (l late) Put(context.Context, keyrecord.Record) (keyrecord.Record, error) {
	return keyrecord.Record{}, l.fail
}

// Keys without names are known by their values.
func TestAdopt_dualSlot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		slots     int // that somebody else fills
		max       int
		exclusive bool
		warn      []string
		says      string
	}{
		"alone":                  {0, 2, false, nil, ""},
		"full":                   {1, 2, false, []string{"VendorFull"}, "will stop"},
		"room beside a stranger": {1, 3, false, []string{"KeyUnknown"}, "stay as they are"},
		"exclusive":              {1, 2, true, []string{"KeyUnknown"}, "will end them"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, "fill", func(t *testing.T, w *world, f *few) {
				f.max, w.key.Exclusive = tt.max, tt.exclusive
				k := f.add("")
				for range tt.slots {
					f.add("")
				}
				w.byHand(`{"apiKey":"` + k.value + `"}`)
				out := w.adopt(rotation.Adoption{})
				if out.Status != rotation.AdoptDone || out.KeyID != "slot1" || len(w.records.book.Keys) != 1 || w.records.book.Keys[0].KeyID != "slot1" {
					t.Fatalf("%+v, %+v", out, w.records.book.Keys)
				}
				if diff := cmp.Diff(tt.warn, types(out.Warnings)); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
				for _, p := range out.Warnings {
					if !strings.Contains(p.What, tt.says) || !strings.Contains(p.What, `"slot2"`) || len(p.Next) == 0 {
						t.Errorf("%+v, want %q", p, tt.says)
					}
				}
				if out = w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptAlready {
					t.Errorf("again: %s", out.Status)
				}
			})
		})
	}
}

// The settings name a key whose value is replaced.
func TestAdopt_rolled(t *testing.T) {
	t.Parallel()
	for kind, read := range map[string]bool{"grace": false, "roll": true, "set": false} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				f.read = read
				version := w.byHand(`{"apiKey":"` + f.keys[0].value + `"}`)
				out := w.adopt(rotation.Adoption{KeyID: "other"})
				if diff := cmp.Diff([]string{"KeyUnknown"}, types(out.Problems)); diff != "" {
					t.Errorf("another id (-want +got):\n%s", diff)
				}
				out = w.adopt(rotation.Adoption{})
				if out.Status != rotation.AdoptDone || out.KeyID != "the-key" || len(f.keys) != 1 {
					t.Fatalf("%+v", out)
				}
				if rec := w.records.book.Keys[0]; rec.KeyID != "the-key@"+keyname.Rotation(version) || rec.Version != version {
					t.Errorf("%+v", rec)
				}
				if out = w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptAlready {
					t.Errorf("again: %s", out.Status)
				}
			})
		})
	}
	fewBubble(t, "roll", func(t *testing.T, w *world, f *few) {
		f.read, w.key.AcceptDowntime = true, false
		f.keys = append([]*fewKey{{id: "another", value: "few-1-" + strings.Repeat("1", 24)}}, f.keys...)
		w.byHand(`{"apiKey":"` + f.keys[0].value + `"}`)
		out := w.adopt(rotation.Adoption{})
		if diff := cmp.Diff([]string{"KeyUnknown"}, types(out.Problems)); diff != "" {
			t.Errorf("another key's value (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"DowntimeRefused"}, types(out.Warnings)); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	})
}

func TestParseRequest_adopt(t *testing.T) {
	t.Parallel()
	q, err := rotation.ParseRequest([]byte(`{"version":1,"mode":"adopt","secret":"s","key_id":"k","observe":true,"reason":"why","requester":"me"}`))
	want := rotation.Request{Mode: rotation.ModeAdopt, Version: 1, Secret: "s", KeyID: "k", Observe: true, Reason: "why", Requester: "me"}
	if err != nil || q != want {
		t.Errorf("%+v, %v", q, err)
	}
	if _, err = rotation.ParseRequest([]byte(`{"version":1,"mode":"adopt","secret":"s","reason":"a\nb"}`)); errorTypeOf(err) != "BadEvent" {
		t.Errorf("a line break: %v", err)
	}
}
