// Package payload reads and builds the values of secrets: the string, or the
// fields of a JSON object, that are the key, and beside it what the consumer
// keeps there.
//
// No error of this package holds a part of a value.
package payload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// MaxSize is the most that Secrets Manager stores, in bytes.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MaxSize = 65536

// reserved is the name of the one object that is ours in a value.
const reserved = "keyturn"

// Meta is what a value says about its key. It is a hint, never proof.
type Meta struct {
	Provider  string    `json:"provider"`
	KeyID     string    `json:"keyId"` // "": the vendor had none for it when it was stored
	KeyName   string    `json:"keyName"`
	CreatedAt time.Time `json:"createdAt"`
}

// Error is everything that is wrong with a value.
type Error struct{ Problems []provider.Problem }

// Error returns the problems and what to do, without a part of the value.
func (e *Error) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.What + ": " + p.Hint
	}
	return strings.Join(parts, "; ")
}

// ErrorType is what an alarm matches.
func (*Error) ErrorType() string { return "WrongShape" }

func problem(field, what, hint string) error {
	return &Error{Problems: []provider.Problem{{Field: field, What: what, Hint: hint}}}
}

// Key returns the key in a value of this shape.
func Key(v secret.Value, shape config.Value) (secret.Value, error) {
	if err := sized(v); err != nil {
		return secret.Value{}, err
	}
	if shape.Plain {
		return v, nil
	}
	ms, err := parse(v)
	if err != nil {
		return secret.Value{}, err
	}
	if shape.Fields != nil {
		return join(ms, shape.Fields)
	}
	return filled(ms, shape.Field)
}

// filled returns the text in the one field of that name, which is not empty.
func filled(ms []member, name string) (secret.Value, error) {
	v, err := field(ms, name)
	if err == nil && v.Empty() {
		err = problem(name, fmt.Sprintf("the field %q of the value is empty", name), "make a first key with keyturn init")
	}
	return v, err
}

// Metadata returns what a value says about its key, and whether it does.
func Metadata(v secret.Value, shape config.Value) (Meta, bool) {
	if shape.Plain || shape.Strict || sized(v) != nil {
		return Meta{}, false
	}
	ms, err := parse(v)
	if err != nil {
		return Meta{}, false
	}
	i := find(ms, reserved)
	if i < 0 || !ms[i].isObject() {
		return Meta{}, false
	}
	var m Meta
	if err := json.Unmarshal(ms[i].raw, &m); err != nil {
		return Meta{}, false
	}
	return m, true
}

// Build returns the value that comes after previous: key in its place, the
// consumer's other fields as they are and in their order, and m unless the
// shape is plain or strict. previous is empty for a secret's first value; any
// other must have this shape, though its key may still be empty.
func Build(previous secret.Value, shape config.Value, key secret.Value, m Meta) (secret.Value, error) {
	if key.Empty() {
		return secret.Value{}, problem("", "there is no key to store", "this is a defect of Keyturn or of the vendor's adapter: report it")
	}
	if !utf8.ValidString(key.Reveal()) {
		return secret.Value{}, problem("", "the key is not text", "the vendor's answer was not what its documentation says: ask the vendor")
	}
	if shape.Plain {
		return checked(key)
	}
	names, texts := []string{shape.Field}, []string{key.Reveal()}
	if shape.Fields != nil {
		names = shape.Fields
		var err error
		if texts, err = split(key, names); err != nil {
			return secret.Value{}, err
		}
	}
	ms, err := place(previous, names, texts)
	if err != nil {
		return secret.Value{}, err
	}
	if ms, err = describe(ms, shape, m); err != nil {
		return secret.Value{}, err
	}
	return checked(secret.New(render(ms)))
}

// place puts texts into the fields of previous, which must all be there unless
// there is no previous.
func place(previous secret.Value, names, texts []string) ([]member, error) {
	var ms []member
	if !previous.Empty() {
		var err error
		if ms, err = parse(previous); err != nil {
			return nil, err
		}
	}
	for i, name := range names {
		if previous.Empty() {
			ms = append(ms, member{name: name})
		} else if _, err := field(ms, name); err != nil {
			return nil, err
		}
		ms[find(ms, name)].raw = text(texts[i])
	}
	return ms, nil
}

func checked(v secret.Value) (secret.Value, error) {
	if err := sized(v); err != nil {
		return secret.Value{}, err
	}
	return v, nil
}

// describe puts m where the last one was, or at the end; a strict value loses
// what an earlier, less strict one had.
func describe(ms []member, shape config.Value, m Meta) ([]member, error) {
	i := find(ms, reserved)
	foreign := i >= 0 && !ms[i].isObject()
	if shape.Strict {
		if i >= 0 && !foreign {
			ms = slices.Delete(ms, i, i+1)
		}
		return ms, nil
	}
	if foreign {
		return nil, problem(reserved, `the value has a field "keyturn" that is not ours`, `rename it, for Keyturn keeps its own notes there, or set "strict"`)
	}
	m.CreatedAt = m.CreatedAt.UTC()
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, problem(reserved, "the key's creation time cannot be written", "this is a defect of Keyturn: report it")
	}
	if i < 0 {
		ms = append(ms, member{name: reserved, rawName: text(reserved)})
		i = len(ms) - 1
	}
	ms[i].raw = raw
	return ms, nil
}

// field returns the string in the one field of that name.
func field(ms []member, name string) (secret.Value, error) {
	i := find(ms, name)
	if i < 0 {
		return secret.Value{}, problem(name, fmt.Sprintf("the value has no field %q", name), `add it, with "" if there is no key yet, or name the right one under "value" in the configuration`)
	}
	if find(ms[i+1:], name) >= 0 {
		return secret.Value{}, problem(name, fmt.Sprintf("the value has the field %q twice", name), "keep the right one of the two")
	}
	var s secret.Value
	if ms[i].raw[0] != '"' || json.Unmarshal(ms[i].raw, &s) != nil {
		return secret.Value{}, problem(name, fmt.Sprintf("the field %q of the value is not a string", name), `put the key there as a JSON string, or name the right field under value in the configuration`)
	}
	return s, nil
}

func sized(v secret.Value) error {
	switch n := len(v.Reveal()); {
	case n == 0:
		return problem("", "the value is empty or binary", "store it as SecretString, in the shape that the configuration says")
	case n > MaxSize:
		return problem("", fmt.Sprintf("the value has %d bytes, and Secrets Manager stores %d", n, MaxSize), "take out of it what does not belong to this key")
	}
	return nil
}
