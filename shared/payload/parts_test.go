package payload_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/secret"
)

var (
	pair       = config.Value{Fields: []string{"id", "AWS_SECRET"}}
	strictPair = config.Value{Fields: []string{"id", "AWS_SECRET"}, Strict: true}
)

func TestBuild_parts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		previous string
		shape    config.Value
		want     string
	}{
		{"first", "", pair, `{"id":"AKIA2","AWS_SECRET":"s:2","keyturn":{"provider":"acme","keyId":"id1","keyName":"keyturn-x","createdAt":"2026-11-23T04:05:06Z"}}`},
		{"first, strict", "", strictPair, `{"id":"AKIA2","AWS_SECRET":"s:2"}`},
		{"in their places", `{"AWS_SECRET":"old","region":"eu-west-1","id":"AKIA1"}`, strictPair, `{"AWS_SECRET":"s:2","region":"eu-west-1","id":"AKIA2"}`},
		{"still to come", `{"id":"","AWS_SECRET":""}`, strictPair, `{"id":"AKIA2","AWS_SECRET":"s:2"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := payload.Build(secret.New(tt.previous), tt.shape, secret.New("AKIA2:s:2"), meta)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, v.Reveal()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if key, err := payload.Key(v, tt.shape); err != nil || key.Reveal() != "AKIA2:s:2" {
				t.Errorf("Key = %q, %v", key.Reveal(), err)
			}
			if m, ok := payload.Metadata(v, tt.shape); ok == tt.shape.Strict || ok && m != meta {
				t.Errorf("Metadata = %+v, %v", m, ok)
			}
		})
	}
}

func TestParts_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value, want string
		buildToo          bool // Build over it is refused as well
	}{
		{"the first is missing", `{"AWS_SECRET":"` + marked + `"}`, `no field "id"`, true},
		{"the last is missing", `{"id":"` + marked + `"}`, `no field "AWS_SECRET"`, true},
		{"the first is empty", `{"id":"","AWS_SECRET":"` + marked + `"}`, `"id" of the value is empty`, false},
		{"the last is empty", `{"id":"` + marked + `","AWS_SECRET":""}`, `"AWS_SECRET" of the value is empty`, false},
		{"not a string", `{"id":"` + marked + `","AWS_SECRET":["x"]}`, "not a string", true},
		{"a name twice", `{"id":"` + marked + `","id":"b","AWS_SECRET":"x"}`, "twice", true},
		{"a colon in the first", `{"id":"` + marked + `:x","AWS_SECRET":"x"}`, "colon", false},
		{"one string", `"` + marked + `:x"`, "not an object", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := payload.Key(secret.New(tt.value), pair)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Key: %v, want an error with %q and without the value", err, tt.want)
			}
			v, err := payload.Build(secret.New(tt.value), pair, secret.New("a:b"), meta)
			if (err != nil) != tt.buildToo || err != nil && (!v.Empty() || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("Build over it: %v, want an error: %v", err, tt.buildToo)
			}
		})
	}
	for _, key := range []string{marked, marked + ":", ":" + marked, ":"} {
		if v, err := payload.Build(secret.Value{}, pair, secret.New(key), meta); err == nil || !v.Empty() || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Build of %q: %v, want an error without the key", key, err)
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add("", "a:b")
	f.Add(`{"id":"a","x":{"AWS_SECRET":1},"AWS_SECRET":"b"}`, "a:b:c")
	f.Add(`{"id":"\ud800","AWS_SECRET":""}`, "a\n:\"")
	f.Fuzz(func(t *testing.T, previous, key string) {
		v, err := payload.Build(secret.New(previous), pair, secret.New(key), meta)
		if err != nil {
			return
		}
		if got, err := payload.Key(v, pair); err != nil || got.Reveal() != key {
			t.Fatalf("Key after Build(%q, %q) = %q, %v", previous, key, got.Reveal(), err)
		}
		var all map[string]any
		if err := json.Unmarshal([]byte(v.Reveal()), &all); err != nil {
			t.Fatal(err)
		}
		if id, _, _ := strings.Cut(key, ":"); all["id"] != id {
			t.Errorf("id = %q, want %q", all["id"], id)
		}
	})
}
