// Package attr is DynamoDB's attribute values: their JSON form, order, equality
// and size.
package attr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is the type of a value, as it is spelled on the wire.
type Kind string

// The kinds.
const (
	String    Kind = "S"
	Number    Kind = "N"
	Binary    Kind = "B"
	Bool      Kind = "BOOL"
	Null      Kind = "NULL"
	Map       Kind = "M"
	List      Kind = "L"
	StringSet Kind = "SS"
	NumberSet Kind = "NS"
	BinarySet Kind = "BS"
)

// Value is one attribute value. Only the field that its Kind names is set. A
// Value is not changed after it was made.
type Value struct {
	Kind Kind
	Text string   // String, Number (canonical) and Binary (raw bytes)
	Bool bool     // Bool
	Map  Item     // Map
	List []Value  // List
	Set  []string // the sets, sorted, elements as in Text
}

// Item is a map of attribute values: an item, a key or a Map.
type Item map[string]Value

// ErrInvalid is the cause of every error of this package.
var ErrInvalid = errors.New("invalid attribute value")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Value) UnmarshalJSON(b []byte) error {
	var in map[Kind]json.RawMessage
	if err := json.Unmarshal(b, &in); err != nil {
		return invalid("not an object")
	}
	if len(in) != 1 {
		return invalid("Supplied AttributeValue has more than one datatypes set, or none: must contain exactly one of the supported datatypes")
	}
	for kind, raw := range in {
		out, err := decode(kind, raw)
		if err != nil {
			return err
		}
		*v = out
	}
	return nil
}

func decode(kind Kind, raw []byte) (Value, error) {
	v := Value{Kind: kind}
	var err error
	switch kind {
	case String:
		err = json.Unmarshal(raw, &v.Text)
	case Number:
		if err = json.Unmarshal(raw, &v.Text); err == nil {
			v.Text, err = canonical(v.Text)
		}
	case Binary:
		var b []byte
		err = json.Unmarshal(raw, &b)
		v.Text = string(b)
	case Bool:
		err = json.Unmarshal(raw, &v.Bool)
	case Null:
		var null bool
		if err = json.Unmarshal(raw, &null); err == nil && !null {
			err = invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case Map:
		v.Map = Item{}
		err = json.Unmarshal(raw, &v.Map)
	case List:
		err = json.Unmarshal(raw, &v.List)
	case StringSet, NumberSet, BinarySet:
		v.Set, err = decodeSet(kind, raw)
	default:
		err = invalid("unknown type %q", kind)
	}
	if err != nil && !errors.Is(err, ErrInvalid) {
		err = invalid("a %s of the wrong form", kind)
	}
	return v, err
}

func decodeSet(kind Kind, raw []byte) ([]string, error) {
	var in []string
	if kind == BinarySet {
		var bytes [][]byte
		if err := json.Unmarshal(raw, &bytes); err != nil {
			return nil, err
		}
		for _, b := range bytes {
			in = append(in, string(b))
		}
	} else if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, invalid("One or more parameter values were invalid: An %s may not be empty", kind)
	}
	if kind == NumberSet {
		for i := range in {
			n, err := canonical(in[i])
			if err != nil {
				return nil, err
			}
			in[i] = n
		}
	}
	slices.Sort(in)
	if len(slices.Compact(slices.Clone(in))) != len(in) {
		return nil, invalid("One or more parameter values were invalid: Input collection contains duplicates.")
	}
	return in, nil
}

// MarshalJSON implements [json.Marshaler].
func (v Value) MarshalJSON() ([]byte, error) {
	var out any
	switch v.Kind {
	case String, Number:
		out = v.Text
	case Binary:
		out = []byte(v.Text)
	case Bool:
		out = v.Bool
	case Null:
		out = true
	case Map:
		out = v.Map
		if v.Map == nil {
			out = Item{}
		}
	case List:
		out = append([]Value{}, v.List...)
	case StringSet, NumberSet:
		out = v.Set
	case BinarySet:
		var b [][]byte
		for _, s := range v.Set {
			b = append(b, []byte(s))
		}
		out = b
	default:
		return nil, invalid("unknown type %q", v.Kind)
	}
	return json.Marshal(map[Kind]any{v.Kind: out})
}

// Equal reports whether a and b are the same value of the same kind.
func Equal(a, b Value) bool {
	return a.Kind == b.Kind && a.Text == b.Text && a.Bool == b.Bool &&
		maps.EqualFunc(a.Map, b.Map, Equal) && slices.EqualFunc(a.List, b.List, Equal) && slices.Equal(a.Set, b.Set)
}

// Compare orders two strings, numbers or binaries. ok is false if they are of
// different kinds or of a kind without an order.
func Compare(a, b Value) (order int, ok bool) {
	if a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case String, Binary:
		return cmp.Compare(a.Text, b.Text), true
	case Number:
		return rat(a.Text).Cmp(rat(b.Text)), true
	case Bool, Null, Map, List, StringSet, NumberSet, BinarySet:
		return 0, false
	default:
		return 0, false
	}
}

// Size returns how many bytes DynamoDB counts for the item. The size of a
// number is an approximation, as theirs is.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (i Item) Size() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.size()
	}
	return n
}

func (v Value) size() int {
	switch v.Kind {
	case String, Binary:
		return len(v.Text)
	case Number:
		return numberSize(v.Text)
	case Bool, Null:
		return 1
	case Map:
		return 3 + len(v.Map) + v.Map.Size()
	case List:
		n := 3 + len(v.List)
		for _, e := range v.List {
			n += e.size()
		}
		return n
	case StringSet, NumberSet, BinarySet:
		n := 3
		for _, s := range v.Set {
			if v.Kind == NumberSet {
				n += numberSize(s)
			} else {
				n += len(s)
			}
		}
		return n
	default:
		return 0
	}
}

func numberSize(text string) int { return (len(strings.Trim(text, "-0."))+1)/2 + 1 }

// Length is what the function size() returns for v; ok is false for kinds
// without a length.
func (v Value) Length() (n int, ok bool) {
	switch v.Kind {
	case String, Binary:
		return len(v.Text), true
	case Map:
		return len(v.Map), true
	case List:
		return len(v.List), true
	case StringSet, NumberSet, BinarySet:
		return len(v.Set), true
	case Number, Bool, Null:
		return 0, false
	default:
		return 0, false
	}
}
