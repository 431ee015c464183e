package payload_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// planted returns s with a marked secret somewhere in it.
func planted(s string, at uint16) string {
	i := int(at) % (len(s) + 1)
	return s[:i] + marked + s[i:]
}

// quiet fails the test if an error holds the marked secret, or none is told.
func quiet(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[*payload.Error](err)
	if !ok || len(e.Problems) == 0 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error says %v", err)
	}
	for _, p := range e.Problems {
		if p.What == "" || p.Hint == "" || strings.Contains(p.Field+p.What+p.Hint, "hunter2") {
			t.Errorf("a problem says %+v", p)
		}
	}
}

// Wherever a secret stands in a value that is refused, the error does not
// repeat it, and what is said of the value agrees with what is read from it.
// Promise: nothing-printed
func FuzzErrors(f *testing.F) {
	for _, s := range []string{"", `{"apiKey":""}`, `{"apiKey":{"a":""}}`, `{"":1,"apiKey":"k"}`, `["", 1]`, `{"apiKey":"k","apiKey":""}`, `{"keyturn":"","apiKey":"k"}`, `{"apiKey":"k","keyturn":{"keyId":""}}`, "\xff"} {
		for at := range min(len(s)+1, 24) {
			f.Add(s, uint16(at))
		}
	}
	f.Fuzz(func(t *testing.T, s string, at uint16) {
		v := secret.New(planted(s, at))
		for _, shape := range []config.Value{object, strict, plain} {
			key, err := payload.Key(v, shape)
			quiet(t, err)
			if (err == nil) == key.Empty() {
				t.Errorf("Key of %q = %q, %v", v.Reveal(), key.Reveal(), err)
			}
			built, err := payload.Build(v, shape, secret.New("new"), meta)
			quiet(t, err)
			if (err == nil) == built.Empty() {
				t.Errorf("Build over %q = %q, %v", v.Reveal(), built.Reveal(), err)
			}
			if _, ok := payload.Metadata(v, shape); ok && (shape.Plain || shape.Strict) {
				t.Errorf("%q has metadata", v.Reveal())
			}
		}
	})
}

// What a value says of its key is told only if it is an object of ours, and
// Build then writes our own in its place.
func FuzzMetadata(f *testing.F) {
	f.Add(`{"apiKey":"k",` + note + `}`)
	f.Add(`{"apiKey":"k","keyturn":{"keyId":7}}`)
	f.Add(`{"apiKey":"k","keyturn":{"createdAt":"0000-00-00T00:00:00Z"}}`)
	f.Add(`{"apiKey":"k","keyturn":{"keyId":"a","keyId":"b"}}`)
	f.Add(`{"keyturn":{},"apiKey":"k","keyturn":{"keyId":"second"}}`)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := payload.Metadata(secret.New(s), object)
		if !ok {
			if got != (payload.Meta{}) {
				t.Errorf("no metadata in %q, and yet %+v", s, got)
			}
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &all); err != nil || !strings.HasPrefix(string(all["keyturn"]), "{") && strings.Count(s, `"keyturn"`) == 1 {
			t.Errorf("metadata of %q = %+v", s, got)
		}
		v, err := payload.Build(secret.New(s), object, secret.New("new"), meta)
		if err != nil {
			return
		}
		if again, ok := payload.Metadata(v, object); !ok || again != meta {
			t.Errorf("metadata after Build over %q = %+v, %v", s, again, ok)
		}
	})
}

// An admin credential is whole or refused, its hosts are hosts and nothing else,
// and no error repeats a part of it.
func FuzzParseAdmin(f *testing.F) {
	for _, s := range []string{
		`{"hosts":["api.example.com"],"user":"bot","password":"p"}`, `{"hosts":["https://x"],"user":1}`, `{"hosts":"x","user":"a","user":"b"}`,
		`{"hosts":[1],"user":"","password":" "}`, `{"hosts":["[::1]:3000","API.example.com:443","*.x",""],"user":"a","password":"b"}`, `[]`, ``,
	} {
		for at := range min(len(s)+1, 12) {
			f.Add(s, uint16(at*5), at%2 == 0)
		}
	}
	fields := []provider.Field{{Name: "user", Doc: "the bot's name"}, {Name: "password", Doc: "the bot's password"}}
	f.Fuzz(func(t *testing.T, s string, at uint16, plant bool) {
		if plant {
			s = planted(s, at)
		}
		a, err := payload.ParseAdmin(secret.New(s), fields)
		quiet(t, err)
		if err != nil {
			if a.Fields != nil || a.Hosts != nil {
				t.Errorf("%q is refused, and half of it returned", s)
			}
			return
		}
		var all struct {
			User, Password string
		}
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			t.Fatalf("%q is taken, and is not JSON: %v", s, err)
		}
		for _, field := range fields {
			if strings.TrimSpace(a.Field(field.Name).Reveal()) == "" {
				t.Errorf("%q has no %s", s, field.Name)
			}
		}
		if len(a.Hosts) == 0 {
			t.Errorf("%q has no hosts", s)
		}
		for _, h := range a.Hosts {
			if !config.ValidHost(h) || strings.ContainsAny(h, "/@*? ") {
				t.Errorf("%q admits the host %q", s, h)
			}
		}
	})
}
