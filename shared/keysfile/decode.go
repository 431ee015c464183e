package keysfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// beside are the fields that a further file may have.
func beside() []string { return []string{"keys", "vendorAccounts"} }

// decode reads one file into f, adding its keys and vendor accounts to those
// that are there.
func (ps *problems) decode(doc document, isMain bool, f *File) {
	d := &decoder{problems: ps, file: doc.file}
	var part File
	first := len(f.Keys)
	d.first, d.isMain = first, isMain
	d.value(doc.root, "", reflect.ValueOf(&part).Elem())
	for i := range part.Keys {
		part.Keys[i].At = ps.at[item("keys", first+i)]
	}
	keys, accounts := append(f.Keys, part.Keys...), f.VendorAccounts
	if isMain {
		*f = part
	}
	if accounts == nil {
		accounts = map[string]VendorAccount{}
	}
	for name, a := range part.VendorAccounts {
		if _, twice := accounts[name]; !twice { // told by the decoder
			accounts[name] = a
		}
	}
	f.Keys, f.VendorAccounts = keys, accounts
}

// decoder reads the values of one file, strictly, and notes where each is.
type decoder struct {
	*problems
	file   string
	isMain bool
	first  int // keys of the files before
}

func (d *decoder) pos(n *yaml.Node) Position {
	return Position{File: d.file, Line: n.Line, Column: n.Column}
}

// value reads n into v. What cannot be read is told and left as it is.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	if _, before := d.at[path]; path != "" && !before { // keys are in several files
		d.at[path] = d.pos(n)
	}
	if !d.plain(n, path) {
		return
	}
	switch v.Addr().Interface().(type) {
	case *Duration, *Date:
		d.time(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, path, v.Elem())
	case reflect.Struct:
		d.object(n, path, v)
	case reflect.Map:
		d.mapping(n, path, v)
	case reflect.Slice:
		d.list(n, path, v)
	default:
		d.scalar(n, path, v)
	}
}

// plain refuses what makes a file mean more than it shows.
func (d *decoder) plain(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.wrong(n, path, "an alias", "write the value again: aliases are not read")
	case n.Anchor != "":
		d.wrong(n, path, "an anchor, &"+n.Anchor, "leave it out: anchors and aliases are not read")
	case n.ShortTag() == "!!null":
		d.wrong(n, path, "no value", "write one, or leave the field out")
	case n.Style&yaml.TaggedStyle != 0:
		d.wrong(n, path, "a tag, "+n.Tag, "leave the tag out")
	default:
		return true
	}
	return false
}

// wrong tells of n, at n rather than at the path.
func (d *decoder) wrong(n *yaml.Node, path, what, hint string) {
	d.put(d.pos(n), what, hint)
	d.bad[path] = true
}

func (d *decoder) typed(n *yaml.Node, path, want, like string) {
	d.wrong(n, path, "not "+want, "write "+like)
}

// pair is one field of a mapping.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns a mapping's fields. It tells of those given twice and of keys
// that are no names.
func (d *decoder) pairs(n *yaml.Node, path, like string) []pair {
	if n.Kind != yaml.MappingNode {
		d.typed(n, path, "a mapping", like)
		return nil
	}
	var out []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.ShortTag() == "!!merge":
			d.put(d.pos(k), "a merge key", "write the fields out: merging is not done")
		case k.Kind != yaml.ScalarNode || k.Anchor != "" || k.ShortTag() == "!!null":
			d.put(d.pos(k), "not a name", "write name: value")
		case seen[k.Value]:
			d.put(d.pos(k), fmt.Sprintf("%q is given twice", k.Value), "keep one of the two")
		default:
			seen[k.Value] = true
			out = append(out, pair{k.Value, k, n.Content[i+1]})
		}
	}
	return out
}

func (d *decoder) object(n *yaml.Node, path string, v reflect.Value) {
	fields := fieldsOf(v.Type())
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	given := d.pairs(n, path, known[0]+": ..., and so on")
	if given == nil && n.Kind != yaml.MappingNode {
		return
	}
	seen := map[string]bool{}
	for _, p := range given {
		seen[p.name] = true
		i := slices.Index(known, p.name)
		switch {
		case i < 0:
			d.put(d.pos(p.key), fmt.Sprintf("unknown field %q", p.name), suggest(p.name, known))
		case path == "" && !d.isMain && !slices.Contains(beside(), p.name):
			d.put(d.pos(p.key), fmt.Sprintf("%q belongs into the first file", p.name), "further files have "+strings.Join(beside(), " and ")+" only")
		default:
			d.value(p.value, join(path, p.name), v.Field(fields[i].index))
		}
	}
	for _, f := range fields {
		if f.required && !seen[f.name] && (path != "" || d.isMain) {
			d.put(d.pos(n), "no "+f.name, "write "+f.name+": "+f.doc)
			d.bad[join(path, f.name)] = true
		}
	}
}

// field is one of a struct.
type field struct {
	index     int
	name, doc string
	required  bool
}

func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("yaml"); name != "-" {
			out = append(out, field{index: i, name: name, doc: f.Tag.Get("doc"), required: !strings.Contains(f.Tag.Get("json"), ",")})
		}
	}
	return out
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	t := v.Type()
	out := reflect.MakeMap(t)
	for _, p := range d.pairs(n, path, "name: value, and so on") {
		if t.Elem().Kind() == reflect.Interface {
			d.setting(p, join(path, p.name), out)
			continue
		}
		k, where := reflect.ValueOf(p.name), entry(path, p.name)
		if t.Key().Kind() == reflect.Int {
			i, err := strconv.Atoi(p.name)
			if err != nil {
				d.put(d.pos(p.key), fmt.Sprintf("%q is no number", p.name), "write a number: value")
				continue
			}
			k, where = reflect.ValueOf(i), item(path, i)
		}
		if _, twice := d.at[where]; twice {
			d.put(d.pos(p.key), fmt.Sprintf("%q is declared in %s too", p.name, d.at[where]), "keep one of the two")
			continue
		}
		e := reflect.New(t.Elem()).Elem()
		d.value(p.value, where, e)
		if t.Elem().Kind() == reflect.Struct {
			d.at[where] = d.pos(p.key)
		}
		out.SetMapIndex(k, e)
	}
	v.Set(out)
}

// setting reads one of the vendor's own.
func (d *decoder) setting(p pair, path string, out reflect.Value) {
	d.at[path] = d.pos(p.value)
	x, ok := d.any(p.value, path)
	if !ok {
		d.bad[path] = true
		return
	}
	out.SetMapIndex(reflect.ValueOf(p.name), reflect.ValueOf(x))
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.typed(n, path, "a list", "[a, b]")
		return
	}
	base := 0
	if path == "keys" {
		base = d.first
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, e := range n.Content {
		d.value(e, item(path, base+i), out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		switch {
		case n.Kind == yaml.ScalarNode && tag == "!!str":
			v.SetString(n.Value)
		case n.Kind == yaml.ScalarNode:
			d.wrong(n, path, "not a text", "put it in quotes: "+strconv.Quote(n.Value))
		default:
			d.typed(n, path, "a text", "one text, without [] and {}")
		}
	case reflect.Bool:
		if tag != "!!bool" {
			d.typed(n, path, "true or false", "true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if tag != "!!int" || err != nil {
			d.typed(n, path, "a whole number", "a number such as 3")
			return
		}
		v.SetInt(int64(i))
	}
}

// time reads a Duration or a Date.
func (d *decoder) time(n *yaml.Node, path string, v reflect.Value) {
	isText := n.Kind == yaml.ScalarNode && slices.Contains([]string{"!!str", "!!timestamp", "!!int"}, n.ShortTag())
	switch p := v.Addr().Interface().(type) {
	case *Duration:
		t, err := ParseDuration(n.Value)
		if !isText || err != nil {
			d.typed(n, path, "a time", "a time such as 36h, 90m or 30d")
			return
		}
		*p = t
	case *Date:
		t, err := time.Parse(time.DateOnly, n.Value)
		if !isText || err != nil {
			d.typed(n, path, "a day", "a day such as 2027-03-31")
			return
		}
		p.Time = t
	}
}
