package rotation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
)

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
