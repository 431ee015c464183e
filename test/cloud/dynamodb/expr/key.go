package expr

import (
	"errors"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

// Key is a parsed key condition.
type Key struct {
	Hash attr.Value // what the partition key is
	sort *test      // nil: any sort key
}

// Match reports whether item has the key.
func (k Key) Match(item attr.Item, hash string) bool {
	v, ok := item[hash]
	return ok && attr.Equal(v, k.Hash) && (k.sort == nil || k.sort.match(item))
}

// ParseKey parses a KeyConditionExpression of a table or index with that
// partition key, and sort key or "".
func ParseKey(scope *Scope, text, hash, sort string) (Key, error) {
	p := newParser(scope, text)
	root := p.or()
	if err := p.end(); err != nil {
		return Key{}, err
	}
	tests, err := conjuncts(root)
	if err != nil {
		return Key{}, err
	}
	if len(tests) > 2 {
		return Key{}, errors.New("Conditions can be of length 1 or 2 only") //nolint:staticcheck // AWS's words
	}
	var key Key
	found := false
	for _, t := range tests {
		name := ""
		if path := t.args[0].path; len(path) == 1 && !t.args[0].size {
			name = path[0].Name
		}
		for _, o := range t.args[1:] {
			if o.path != nil {
				return Key{}, errors.New("Invalid condition in KeyConditionExpression: operands must be values") //nolint:staticcheck // AWS's words
			}
		}
		switch {
		case name == hash && t.op != "=":
			return Key{}, errors.New("Query key condition not supported") //nolint:staticcheck // AWS's words
		case name == hash && !found:
			key.Hash, found = t.args[1].value, true
		case name == sort && sort != "" && key.sort == nil && sortable(t.op):
			key.sort = &t
		default:
			return Key{}, errors.New("Query key condition not supported") //nolint:staticcheck // AWS's words
		}
	}
	if !found {
		return Key{}, errors.New("Query condition missed key schema element: " + hash)
	}
	return key, nil
}

func sortable(op string) bool {
	switch op {
	case "=", "<", "<=", ">", ">=", "BETWEEN", "begins_with":
		return true
	default:
		return false
	}
}

func conjuncts(n node) ([]test, error) {
	switch n := n.(type) {
	case test:
		return []test{n}, nil
	case logic:
		if n.word != "AND" {
			return nil, errors.New("Invalid operator used in KeyConditionExpression: " + n.word)
		}
		left, err := conjuncts(n.args[0])
		if err != nil {
			return nil, err
		}
		right, err := conjuncts(n.args[1])
		return append(left, right...), err
	default:
		return nil, errors.New("Query key condition not supported") //nolint:staticcheck // AWS's words
	}
}
