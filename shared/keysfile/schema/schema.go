// Package schema makes the JSON Schema of keyturn.yaml from the Go types, for
// editors: it completes and explains fields. It is weaker than keysfile.Load,
// which knows the rules that a schema cannot say.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
)

// ID is where the schema is published.
const ID = "https://raw.githubusercontent.com/keyturn/keyturn/main/docs/keyturn.schema.json"

// Write returns the schema, as the file in docs has it. vendors are those that
// there are; their settings are described too.
func Write(vendors []provider.Definition) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(of(vendors)); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return out.Bytes(), nil
}

// of is the schema.
func of(vendors []provider.Definition) *jsonschema.Schema {
	s := reflector().Reflect(keysfile.File{})
	s.ID = ID
	s.Title = "keyturn.yaml"
	s.Description = "The keys that Keyturn rotates. Further files have keys and vendorAccounts only."
	s.Required = nil // a further file has no version
	defaults(s, s.Definitions, reflect.TypeFor[keysfile.File]())
	enums(s, vendors)
	settings(s, vendors)
	return s
}

func reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		Anonymous:      true,
		ExpandedStruct: true,
		LookupComment: func(t reflect.Type, field string) string {
			if t.Kind() != reflect.Struct {
				return ""
			}
			f, _ := t.FieldByName(field)
			return f.Tag.Get("doc")
		},
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[keysfile.Duration]():
				return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]{1,5}d)?([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?$`, Examples: []any{"36h", "90m", "30d"}}
			case reflect.TypeFor[keysfile.Date]():
				return &jsonschema.Schema{Type: "string", Format: "date", Examples: []any{"2027-03-31"}}
			}
			return nil
		},
	}
}

// defaults writes the defaults of the types' tags into their definitions.
func defaults(s *jsonschema.Schema, all jsonschema.Definitions, t reflect.Type) {
	for f := range t.Fields() {
		p, ok := s.Properties.Get(f.Tag.Get("yaml"))
		if !ok {
			continue
		}
		if text, ok := f.Tag.Lookup("default"); ok {
			p.Default = value(text, f.Type)
		}
		inner := element(f.Type)
		if d, ok := all[inner.Name()]; ok && inner.Kind() == reflect.Struct {
			defaults(d, all, inner)
		}
	}
}

func value(text string, t reflect.Type) any {
	if n, err := strconv.Atoi(text); err == nil && t.Kind() == reflect.Int {
		return n
	}
	return text
}

// element returns what a pointer, list or map is of.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

// enums writes what a field may hold, where that is a few words or numbers.
func enums(s *jsonschema.Schema, vendors []provider.Definition) {
	var names, titles []any
	for _, d := range vendors {
		names, titles = append(names, d.Name), append(titles, d.Title)
	}
	tiers := []any{1, 2, 3, 4}
	actions := []any{config.Hold, config.Revoke}
	for _, e := range []struct {
		of, field string
		values    []any
	}{
		{"VendorAccount", "provider", names},
		{"Key", "tier", tiers},
		{"Defaults", "tier", tiers},
		{"Grace", "onMax", actions},
		{"Grace", "noUsage", actions},
	} {
		property(s, e.of, e.field).Enum = e.values
	}
	property(s, "VendorAccount", "provider").Examples = titles
	property(s, "Freeze", "tiers").Items.Enum = tiers
	property(s, "Subscription", "vendors").Items.Enum = names
	property(s, "Subscription", "severities").Items.Enum = []any{notify.Info, notify.Warning, notify.Critical}
	version, _ := s.Properties.Get("version")
	version.Const = keysfile.Version
	age := property(s, "Policy", "maxAge").PatternProperties
	age["^[1-4]$"] = age["^[0-9]+$"]
	delete(age, "^[0-9]+$")
}

// property returns a field's schema; of what is not there, one that nobody
// reads, which the test of the whole would show.
func property(s *jsonschema.Schema, of, field string) *jsonschema.Schema {
	if d, ok := s.Definitions[of]; ok {
		if p, ok := d.Properties.Get(field); ok {
			return p
		}
	}
	return &jsonschema.Schema{Items: &jsonschema.Schema{}}
}

// settings describes each vendor's own settings. Any one of them will do: which
// vendor's they have to be is for Load to say.
func settings(s *jsonschema.Schema, vendors []provider.Definition) {
	of := property(s, "Key", "settings")
	for _, d := range vendors {
		r := reflector()
		r.DoNotReference = true
		v := r.Reflect(d.Example())
		v.Version, v.Title = "", "settings of "+d.Title
		optional(v)
		name := "settings-" + d.Name
		s.Definitions[name] = v
		of.AnyOf = append(of.AnyOf, &jsonschema.Schema{Ref: "#/$defs/" + name})
	}
}

// optional requires nothing: vendors say in words what they need.
func optional(s *jsonschema.Schema) {
	s.Required = nil
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		if p.Value.Properties != nil {
			optional(p.Value)
		}
	}
}
