package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxText bounds what Parse reads: a resource policy has 20,480 characters at
// most, a key policy 32,768.
const maxText = 256 << 10

// Parse reads a policy. It is stricter than AWS about spelling: an element that
// it does not know, in another case, or given twice is an error, since whoever
// drops it silently may drop a Deny.
func Parse(text []byte) (Document, error) {
	if len(text) > maxText {
		return Document{}, fmt.Errorf("policy has %d bytes, the most is %d", len(text), maxText)
	}
	top, err := readObject(text)
	if err != nil {
		return Document{}, fmt.Errorf("read a policy: %w", err)
	}
	var d Document
	for _, m := range top {
		switch m.name {
		case "Version":
			err = readString(m.value, &d.Version)
		case "Id":
			err = readString(m.value, &d.ID)
		case "Statement":
			d.Statement, err = readStatements(m.value)
		default:
			err = errors.New("no such element of a policy")
		}
		if err != nil {
			return Document{}, fmt.Errorf("read a policy: %q: %w", m.name, err)
		}
	}
	if err := d.Check(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// UnmarshalJSON is [Parse].
func (d *Document) UnmarshalJSON(text []byte) error {
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Check says what AWS would refuse in the document's shape. Operators, keys and
// patterns are looked at by [Evaluate].
func (d Document) Check() error {
	if d.Version != "" && d.Version != Version && d.Version != "2008-10-17" {
		return fmt.Errorf("policy has version %q: use %s", d.Version, Version)
	}
	if len(d.Statement) == 0 {
		return errors.New("policy has no statement")
	}
	sids := map[string]bool{}
	for i, s := range d.Statement {
		if err := s.check(); err != nil {
			return fmt.Errorf("statement %s: %w", s.name(i), err)
		}
		if s.Sid != "" && sids[s.Sid] {
			return fmt.Errorf("statement %s: the Sid is used twice", s.name(i))
		}
		sids[s.Sid] = true
	}
	return nil
}

func (s Statement) check() error {
	switch {
	case s.Effect != Allow && s.Effect != Deny:
		return fmt.Errorf("effect %q is neither Allow nor Deny", s.Effect)
	case s.Principal != nil && s.NotPrincipal != nil:
		return errors.New("both Principal and NotPrincipal")
	case (s.Action == nil) == (s.NotAction == nil):
		return errors.New("needs one of Action and NotAction")
	case s.Resource != nil && s.NotResource != nil:
		return errors.New("both Resource and NotResource")
	}
	if err := s.checkLists(); err != nil {
		return err
	}
	for operator, keys := range s.Condition {
		if len(keys) == 0 {
			return fmt.Errorf("condition %s has no key", operator)
		}
		for key, values := range keys {
			if len(values) == 0 {
				return fmt.Errorf("condition %s of %s has no value", operator, key)
			}
		}
	}
	return nil
}

// checkLists refuses lists that are there and have nothing in them.
func (s Statement) checkLists() error {
	for name, list := range map[string]Strings{"Action": s.Action, "NotAction": s.NotAction, "Resource": s.Resource, "NotResource": s.NotResource} {
		if list != nil && (len(list) == 0 || slices.Contains(list, "")) {
			return fmt.Errorf("%s is empty", name)
		}
	}
	for _, p := range []*Principals{s.Principal, s.NotPrincipal} {
		if p != nil && !p.Everyone && len(p.AWS)+len(p.Service)+len(p.Federated)+len(p.CanonicalUser) == 0 {
			return errors.New("the principal is empty")
		}
	}
	return nil
}

// name is the Sid, or the number in its policy.
func (s Statement) name(i int) string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("#%d", i+1)
}

func readStatements(value json.RawMessage) ([]Statement, error) {
	items, err := readList(value)
	if err != nil {
		return nil, err
	}
	statements := make([]Statement, 0, len(items))
	for i, item := range items {
		s, err := readStatement(item)
		if err != nil {
			return nil, fmt.Errorf("#%d: %w", i+1, err)
		}
		statements = append(statements, s)
	}
	return statements, nil
}

func readStatement(value json.RawMessage) (Statement, error) {
	members, err := readObject(value)
	if err != nil {
		return Statement{}, err
	}
	var s Statement
	for _, m := range members {
		switch m.name {
		case "Sid":
			err = readString(m.value, &s.Sid)
		case "Effect":
			err = readString(m.value, &s.Effect)
		case "Principal":
			s.Principal, err = readPrincipals(m.value)
		case "NotPrincipal":
			s.NotPrincipal, err = readPrincipals(m.value)
		case "Action":
			s.Action, err = readStrings(m.value)
		case "NotAction":
			s.NotAction, err = readStrings(m.value)
		case "Resource":
			s.Resource, err = readStrings(m.value)
		case "NotResource":
			s.NotResource, err = readStrings(m.value)
		case "Condition":
			s.Condition, err = readConditions(m.value)
		default:
			err = errors.New("no such element of a statement")
		}
		if err != nil {
			return Statement{}, fmt.Errorf("%q: %w", m.name, err)
		}
	}
	return s, nil
}

func readPrincipals(value json.RawMessage) (*Principals, error) {
	if bytes.HasPrefix(value, []byte(`"`)) {
		var s string
		if err := readString(value, &s); err != nil || s != "*" {
			return nil, errors.New(`a principal without its kind must be "*"`)
		}
		return &Principals{Everyone: true}, nil
	}
	members, err := readObject(value)
	if err != nil {
		return nil, err
	}
	p := &Principals{}
	for _, m := range members {
		list, err := readStrings(m.value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", m.name, err)
		}
		switch m.name {
		case "AWS":
			p.AWS = list
		case "Service":
			p.Service = list
		case "Federated":
			p.Federated = list
		case "CanonicalUser":
			p.CanonicalUser = list
		default:
			return nil, fmt.Errorf("no such kind of principal: %q", m.name)
		}
	}
	return p, nil
}

func readConditions(value json.RawMessage) (Conditions, error) {
	operators, err := readObject(value)
	if err != nil || len(operators) == 0 {
		return nil, err
	}
	conditions := Conditions{}
	for _, operator := range operators {
		keys, err := readObject(operator.value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", operator.name, err)
		}
		conditions[operator.name] = map[string]Strings{}
		for _, key := range keys {
			values, err := readStrings(key.value)
			if err != nil {
				return nil, fmt.Errorf("%q: %q: %w", operator.name, key.name, err)
			}
			conditions[operator.name][key.name] = values
		}
	}
	return conditions, nil
}

// readStrings reads a string, number or boolean, or a list of them.
func readStrings(value json.RawMessage) (Strings, error) {
	items, err := readList(value)
	if err != nil {
		return nil, err
	}
	list := make(Strings, 0, len(items))
	for _, item := range items {
		var v any
		decoder := json.NewDecoder(bytes.NewReader(item))
		decoder.UseNumber()
		if err := decoder.Decode(&v); err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case string:
			list = append(list, v)
		case bool, json.Number:
			list = append(list, fmt.Sprint(v))
		default:
			return nil, errors.New("must be a string or a list of strings")
		}
	}
	return list, nil
}

func readString(value json.RawMessage, to *string) error {
	if !bytes.HasPrefix(value, []byte(`"`)) {
		return errors.New("must be a string")
	}
	return json.Unmarshal(value, to)
}

// readList reads a list; anything else is a list of one.
func readList(value json.RawMessage) ([]json.RawMessage, error) {
	if !bytes.HasPrefix(value, []byte("[")) {
		return []json.RawMessage{value}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, err
	}
	return items, nil
}

type member struct {
	name  string
	value json.RawMessage
}

// readObject keeps what encoding/json drops: the case of a name, and that it
// was given twice.
func readObject(value []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("must be a JSON object")
	}
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{}
		m.name, _ = name.(string) // the decoder has nothing else here
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		// IAM compares condition keys without regard to case.
		if slices.ContainsFunc(members, func(o member) bool { return strings.EqualFold(o.name, m.name) }) {
			return nil, fmt.Errorf("%q is given twice", m.name)
		}
		members = append(members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}
