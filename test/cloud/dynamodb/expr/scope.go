// Package expr parses and evaluates DynamoDB's expressions: conditions,
// filters, key conditions, updates and projections.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
//
// Nothing here panics on any input. Assumed, not recorded: a <> with a missing
// attribute holds, every other comparison with one does not; the text of syntax
// errors after "Syntax error".
package expr

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

// MaxLength is how many bytes an expression may have.
const MaxLength = 4096

// Scope is the names and values that the expressions of one request share.
type Scope struct {
	names      map[string]string
	values     map[string]attr.Value
	usedNames  map[string]bool
	usedValues map[string]bool
}

// NewScope returns a Scope of a request's ExpressionAttributeNames and
// ExpressionAttributeValues. It refuses ill-formed placeholders.
func NewScope(names map[string]string, values map[string]attr.Value) (*Scope, error) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasPrefix(name, "#") || !word(name[1:]) {
			return nil, fmt.Errorf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(name, ":") || !word(name[1:]) {
			return nil, fmt.Errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", name)
		}
	}
	return &Scope{names, values, map[string]bool{}, map[string]bool{}}, nil
}

// Unused returns an error if no expression used one of the placeholders.
func (s *Scope) Unused() error {
	if left := unused(s.names, s.usedNames); left != "" {
		return fmt.Errorf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", left) //nolint:staticcheck // AWS's words
	}
	if left := unused(s.values, s.usedValues); left != "" {
		return fmt.Errorf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", left) //nolint:staticcheck // AWS's words
	}
	return nil
}

func unused[V any](all map[string]V, used map[string]bool) string {
	var left []string
	for name := range all {
		if !used[name] {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return strings.Join(left, ", ")
}

func word(s string) bool {
	for i := range len(s) {
		if !inWord(s[i]) {
			return false
		}
	}
	return s != ""
}

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// reservedText has the words that may not be attribute names in an expression.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
//
//go:embed reserved.txt
var reservedText string

// reservedWords is a constant in all but form.
var reservedWords = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(reservedText) {
		out[w] = true
	}
	return out
})

func reserved(name string) bool { return reservedWords()[strings.ToUpper(name)] }
