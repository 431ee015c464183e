package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/keysfile/schema"
)

//go:generate go test -run=^TestWrite -count=1 . -args -update

var update = flag.Bool("update", false, "write what is published in docs")

const published = "../../../docs/keyturn.schema.json"

func TestWrite(t *testing.T) {
	t.Parallel()
	got, err := schema.Write(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	current(t, published, got)
}

// TestWrite_page: the page for people says the same.
func TestWrite_page(t *testing.T) {
	t.Parallel()
	current(t, "../../../docs/configuration.md", schema.Page(catalog.All()))
}

func current(t *testing.T, published string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(published, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s is not current: make generate (-want +got):\n%s", published, d)
	}
}

// compiled returns the schema as an editor reads it, and a judge of YAML.
func compiled(t *testing.T) func(text string) error {
	t.Helper()
	data, err := schema.Write(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schema.ID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schema.ID)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var v any
		if err := yaml.Load([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
}

func TestWrite_judges(t *testing.T) {
	t.Parallel()
	validate := compiled(t)
	for name, text := range map[string]string{
		"the starter file": keysfile.Example(),
		"a further file":   "keys: [{name: a, vendorAccount: b, settings: {scopes: [x]}}]",
		"durations":        "{version: 1, defaults: {owner: a, grace: {quiet: 0s, max: 3d}}, freeze: [{from: '2027-01-01', to: '2027-01-02', reason: x}]}",
	} {
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"version":            "version: 2",
		"unknown field":      "{version: 1, key: []}",
		"unknown vendor":     "{version: 1, vendorAccounts: {a: {provider: sendgird, admin: x}}}",
		"no admin":           "{version: 1, vendorAccounts: {a: {provider: sendgrid}}}",
		"unknown setting":    "keys: [{name: a, vendorAccount: b, settings: {scope: [x]}}]",
		"type of a setting":  "keys: [{name: a, vendorAccount: b, settings: {scopes: x}}]",
		"tier":               "keys: [{name: a, vendorAccount: b, tier: 5}]",
		"duration":           "keys: [{name: a, vendorAccount: b, grace: {max: 3 days}}]",
		"action":             "defaults: {grace: {onMax: stop}}",
		"severity":           "notifications: {subscriptions: [{email: a@b.c, severities: [bad]}]}",
		"day":                "freeze: [{from: soon, to: '2027-01-01', reason: x}]",
		"tier of the policy": "policy: {maxAge: {'5': 30d}}",
		"endpoint":           "notifications: {subscriptions: [{pager: x}]}",
	} {
		if err := validate(text); err == nil {
			t.Errorf("%s is accepted: %s", name, text)
		}
	}
}
