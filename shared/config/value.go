package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
)

// value reads the shape of a secret's value. def is nil if the vendor is not
// known; then nothing is said about parts.
func (ps *problems) value(path string, raw json.RawMessage, def *provider.Definition) Value {
	v := Value{Field: defaultField}
	if def != nil && len(def.Parts) > 0 {
		v = Value{Fields: slices.Clone(def.Parts)}
	}
	if raw == nil {
		return v
	}
	f := ps.fields(path, raw, "plain", "field", "fields", "strict")
	ps.into(path+".plain", f["plain"], &v.Plain, "true or false")
	ps.into(path+".strict", f["strict"], &v.Strict, "true or false")
	if v.Fields != nil {
		ps.parts(path, f, &v, def)
		return v
	}
	if f["fields"] != nil && def != nil {
		ps.add(path+".fields", "this vendor's keys are one text", `name its field as "field"`)
	}
	if ps.into(path+".field", f["field"], &v.Field, "a string") && (v.Field == "" || v.Field == reserved) {
		ps.add(path+".field", fmt.Sprintf("%q cannot be the key's field", v.Field), fmt.Sprintf("choose another name, or leave it out for %q", defaultField))
	}
	if v.Plain {
		if f["field"] != nil || f["strict"] != nil {
			ps.add(path, "a plain value has neither field nor strict", `keep "plain" alone, or leave it out`)
		}
		v.Field = ""
	}
	return v
}

// parts reads what the operator calls the fields of a key of several parts.
func (ps *problems) parts(path string, f map[string]json.RawMessage, v *Value, def *provider.Definition) {
	names := strings.Join(def.Parts, " and ")
	if v.Plain {
		ps.add(path+".plain", "this vendor's keys have several parts: "+names, "leave it out: each part has a field of its own")
		v.Plain = false
	}
	if f["field"] != nil {
		ps.add(path+".field", "this vendor's keys have several parts: "+names, fmt.Sprintf(`name their fields as "fields": {%q: ...}`, def.Parts[0]))
	}
	if f["fields"] == nil {
		return
	}
	given := ps.fields(path+".fields", f["fields"], def.Parts...)
	taken := map[string]string{}
	for i, part := range def.Parts {
		where := path + ".fields." + part
		if !ps.into(where, given[part], &v.Fields[i], "a string") {
			continue
		}
		name := v.Fields[i]
		switch other, twice := taken[name]; {
		case name == "" || name == reserved:
			ps.add(where, fmt.Sprintf("%q cannot be the field of a part", name), fmt.Sprintf("choose another name, or leave it out for %q", part))
		case twice:
			ps.add(where, fmt.Sprintf("%q is the field of %s too", name, other), "give each part a field of its own")
		}
		taken[name] = part
	}
}
