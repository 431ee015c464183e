package payload_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

var (
	object = config.Value{Field: "apiKey"}
	strict = config.Value{Field: "apiKey", Strict: true}
	plain  = config.Value{Plain: true}
	meta   = payload.Meta{Provider: "acme", KeyID: "id1", KeyName: "keyturn-x", CreatedAt: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC)}
)

const note = `"keyturn":{"provider":"acme","keyId":"id1","keyName":"keyturn-x","createdAt":"2026-11-23T04:05:06Z"}`

// Promise: shape-kept
func TestBuild(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		previous string
		shape    config.Value
		want     string
	}{
		{"first", "", object, `{"apiKey":"new&<",` + note + `}`},
		{"first, strict", "", strict, `{"apiKey":"new&<"}`},
		{"first, plain", "", plain, `new&<`},
		{"plain", "old", plain, `new&<`},
		{"other fields keep order and bytes", `{ "z" : 1.0e2, "apiKey":"old" , "a":{"x": [1,2]}, "caf\u00e9":null }`, object, `{"z":1.0e2,"apiKey":"new&<","a":{"x": [1,2]},"caf\u00e9":null,` + note + `}`},
		{"the note stays in its place", `{"keyturn":{"keyId":"old"},"apiKey":"old"}`, object, `{` + note + `,"apiKey":"new&<"}`},
		{"a strict value loses an earlier note", `{"keyturn":{"keyId":"old"},"apiKey":"old"}`, strict, `{"apiKey":"new&<"}`},
		{"a strict value keeps what is not ours", `{"keyturn":7,"apiKey":"old"}`, strict, `{"keyturn":7,"apiKey":"new&<"}`},
		{"the key is still to come", `{"apiKey":""}`, strict, `{"apiKey":"new&<"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := payload.Build(secret.New(tt.previous), tt.shape, secret.New("new&<"), meta)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Reveal()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if m, ok := payload.Metadata(got, tt.shape); ok != (!tt.shape.Plain && !tt.shape.Strict) || ok && m != meta {
				t.Errorf("Metadata = %+v, %v", m, ok)
			}
		})
	}
}

const marked = "hunter2-hunter2"

func TestKey_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		value string
		shape config.Value
		want  string
	}{
		{"empty", "", object, "empty or binary"},
		{"empty, plain", "", plain, "empty or binary"},
		{"not JSON", marked, object, "not JSON"},
		{"trailing bytes", `{"apiKey":"` + marked + `"} x`, object, "not JSON"},
		{"not UTF-8", "{\"apiKey\":\"" + marked + "\xff\"}", object, "not JSON"},
		{"not an object", `"` + marked + `"`, object, "not an object"},
		{"a list", `["` + marked + `"]`, object, "not an object"},
		{"no field", `{"apikey":"` + marked + `"}`, object, `no field "apiKey"`},
		{"not a string", `{"apiKey":{"k":"` + marked + `"}}`, object, "not a string"},
		{"null", `{"apiKey":null}`, object, "not a string"},
		{"empty string", `{"apiKey":""}`, object, "is empty"},
		{"twice", `{"apiKey":"` + marked + `","apiKey":"x"}`, object, "twice"},
		{"too large", `{"apiKey":"` + strings.Repeat(marked, 5000) + `"}`, object, "65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := payload.Key(secret.New(tt.value), tt.shape)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Key: %v, want an error with %q and without the value", err, tt.want)
			}
			if tt.name == "empty" || tt.name == "empty string" || tt.name == "too large" || tt.shape.Plain {
				return // Build makes something good of these
			}
			if v, err := payload.Build(secret.New(tt.value), tt.shape, secret.New("new"), meta); err == nil || !v.Empty() || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Build over it: %v", err)
			}
		})
	}
}

func TestBuild_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, previous, key string
		shape               config.Value
	}{
		{"no key", "", "", object},
		{"a key that JSON cannot hold", "", "\xff", object},
		{"the reserved field is the consumer's", `{"apiKey":"old","keyturn":"` + marked + `"}`, "new", object},
		{"too large with the new key", `{"apiKey":"old","blob":"` + strings.Repeat("x", payload.MaxSize-40) + `"}`, marked, object},
		{"too large, plain", "", strings.Repeat("x", payload.MaxSize+1), plain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := payload.Build(secret.New(tt.previous), tt.shape, secret.New(tt.key), meta)
			if err == nil || !v.Empty() || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Build = (%d bytes), %v; want an error without the value", len(v.Reveal()), err)
			}
		})
	}
}

func TestParseAdmin(t *testing.T) {
	t.Parallel()
	fields := []provider.Field{{Name: "user", Doc: "the bot's name"}, {Name: "password", Doc: "the bot's password"}}
	a, err := payload.ParseAdmin(secret.New(`{"hosts":["Git.example.com","[::1]:3000"],"user":"bot","password":"`+marked+`","note":1}`), fields)
	if err != nil || a.Field("password").Reveal() != marked || a.Field("note").Reveal() != "" {
		t.Errorf("ParseAdmin = %v, %v", a, err)
	}
	if diff := cmp.Diff([]string{"git.example.com", "[::1]:3000"}, a.Hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name, value string
		want        []string
	}{
		{"everything at once", `{"user":7,"hosts":["https://` + marked + `"]}`, []string{`"user"`, `"password"`, "entry 1"}},
		{"empty", `{"user":" ","password":"","hosts":[]}`, []string{`"user" of the admin credential is empty`, `"password" of the admin credential is empty`, "hosts"}},
		{"no hosts", `{"user":"a","password":"` + marked + `"}`, []string{"hosts"}},
		{"hosts is a string", `{"user":"a","password":"b","hosts":"` + marked + `"}`, []string{"hosts"}},
		{"twice", `{"user":"a","user":"b","password":"c","hosts":["h"]}`, []string{"twice"}},
		{"not an object", `"` + marked + `"`, []string{"not an object"}},
		{"nothing", ``, []string{"empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := payload.ParseAdmin(secret.New(tt.value), fields)
			if err == nil || strings.Contains(err.Error(), "hunter2") || a.Fields != nil {
				t.Fatalf("ParseAdmin = %v, %v; want an error without the value", a, err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"", "{}", `{"apiKey":"k"}`, `{"apiKey":"\ud800"}`, `{"a":{"apiKey":1},"apiKey":"x"}`, `[]`, "{\"apiKey\":\"\xff\"}", `{"apiKey":"a","apiKey":"b"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := payload.Key(secret.New(s), object)
		if err != nil {
			return
		}
		var all map[string]any
		if json.Unmarshal([]byte(s), &all) != nil || all["apiKey"] != key.Reveal() {
			t.Errorf("Key of %q = %q", s, key.Reveal())
		}
	})
}

// Promise: shape-kept
func FuzzBuild(f *testing.F) {
	for _, s := range []string{"", `{"apiKey":"k"}`, `{"apiKey":"k","b":[1,{"c":"\u2028"}],"keyturn":{}}`, `{"b":1e400,"apiKey":""}`} {
		f.Add(s, "new\n\"key\"", true)
		f.Add(s, "new", false)
	}
	f.Fuzz(func(t *testing.T, previous, key string, isStrict bool) {
		shape := config.Value{Field: "apiKey", Strict: isStrict}
		v, err := payload.Build(secret.New(previous), shape, secret.New(key), meta)
		if err != nil {
			return
		}
		got, err := payload.Key(v, shape)
		if err != nil || got.Reveal() != key {
			t.Fatalf("Key after Build(%q, %q) = %q, %v", previous, key, got.Reveal(), err)
		}
		if m, ok := payload.Metadata(v, shape); ok == isStrict || ok && m != meta {
			t.Errorf("Metadata = %+v, %v", m, ok)
		}
		before, after := others(t, previous), others(t, v.Reveal())
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the other fields changed (-before +after):\n%s", diff)
		}
	})
}

// others returns the members that are the consumer's.
func others(t *testing.T, s string) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	if s != "" {
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			t.Fatal(err)
		}
	}
	delete(all, "apiKey")
	if raw := all["keyturn"]; len(raw) > 0 && raw[0] == '{' {
		delete(all, "keyturn")
	}
	return all
}
