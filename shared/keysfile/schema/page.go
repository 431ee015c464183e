package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/keyturn/keyturn/shared/provider"
)

const intro = `<!-- Code generated from the types by go generate ./shared/keysfile/schema. DO NOT EDIT. -->

# keyturn.yaml, field by field

` + "`keyturn new`" + ` writes a file to begin with, ` + "`keyturn validate`" + ` tells what is wrong with
one, and ` + "`keyturn explain KEY`" + ` what an entry means. Editors read the same from the
[JSON Schema](keyturn.schema.json). Keys and vendor accounts may lie in ` + "`keys/*.yaml`" + `
beside the file too.

Times are written as ` + "`36h`, `90m` or `30d`" + `, days as ` + "`2027-03-31`" + `, all of them in UTC.
Fields in **bold** are needed, and in the first file ` + "`version` and `defaults.owner`" + `. YAML's anchors, aliases and tags are refused.
`

// Page returns the fields as a page for people, as docs/configuration.md has it.
func Page(vendors []provider.Definition) []byte {
	s := of(vendors)
	p := &page{all: s.Definitions, told: map[string]string{}}
	p.place(s, "")
	p.say("%s", intro)
	p.table(s, "", "The file")
	p.say("\n## Settings of each vendor\n\n`settings` of a key are those of its vendor account's vendor.\n")
	for _, d := range vendors {
		p.table(s.Definitions["settings-"+d.Name], "settings", "`"+d.Name+"`: "+d.Title)
	}
	return []byte(p.text.String())
}

// page is one that is being written.
type page struct {
	text strings.Builder

	all  jsonschema.Definitions
	told map[string]string // where a definition was told first
}

func (p *page) say(format string, args ...any) {
	_, _ = fmt.Fprintf(&p.text, format, args...)
}

// table writes a definition's fields, and then those of what is in it.
func (p *page) table(s *jsonschema.Schema, path, title string) {
	if s == nil || s.Properties == nil {
		return
	}
	level := "##"
	if path != "" {
		level = "###"
	}
	p.say("\n%s %s\n\n| field | what | holds | default |\n|---|---|---|---|\n", level, title)
	for f := s.Properties.Oldest(); f != nil; f = f.Next() {
		name := "`" + f.Key + "`"
		if slices.Contains(s.Required, f.Key) {
			name = "**" + name + "**"
		}
		def := ""
		if f.Value.Default != nil {
			def = fmt.Sprintf("`%v`", f.Value.Default)
		}
		p.say("| %s | %s | %s | %s |\n", name, cell(f.Value.Description), p.holds(f.Value), def)
	}
	for f := s.Properties.Oldest(); f != nil; f = f.Next() {
		if name, where := inside(f.Key, f.Value, path); p.told[name] == where {
			p.table(p.all[name], where, "`"+where+"`")
		}
	}
}

// place finds where each definition is told: there where it comes first.
func (p *page) place(s *jsonschema.Schema, path string) {
	for f := s.Properties.Oldest(); f != nil; f = f.Next() {
		name, where := inside(f.Key, f.Value, path)
		if d, ok := p.all[name]; ok && p.told[name] == "" {
			p.told[name] = where
			p.place(d, where)
		}
	}
}

// inside returns the definition that a field is of, "" if of none, and the
// field's path.
func inside(field string, s *jsonschema.Schema, path string) (name, where string) {
	inner, mark := within(s)
	return strings.TrimPrefix(inner.Ref, "#/$defs/"), strings.TrimPrefix(path+"."+field+mark, ".")
}

// within returns what a list or a map is of, and how its path is written.
func within(s *jsonschema.Schema) (inner *jsonschema.Schema, mark string) {
	switch {
	case s.Items != nil:
		return s.Items, "[]"
	case s.AdditionalProperties != nil && s.AdditionalProperties.Ref != "":
		return s.AdditionalProperties, ".NAME"
	}
	return s, ""
}

// holds says what may be written.
func (p *page) holds(s *jsonschema.Schema) string {
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", v)
		}
		return strings.Join(words, ", ")
	}
	inner, mark := within(s)
	if at := p.told[strings.TrimPrefix(inner.Ref, "#/$defs/")]; at != "" {
		return map[string]string{"": "", "[]": "list, ", ".NAME": "by name, "}[mark] + "see `" + at + "`"
	}
	switch {
	case mark == "[]":
		return "list of " + p.holds(inner)
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const)
	case len(s.AnyOf) > 0:
		return "see [below](#settings-of-each-vendor)"
	case s.Pattern != "":
		return "time"
	case s.Format == "date":
		return "day"
	}
	word := map[string]string{"string": "text", "integer": "number", "boolean": "`true` or `false`", "object": "`{name: value}`"}[s.Type]
	if word == "" {
		return "value"
	}
	return word
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
