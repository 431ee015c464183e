package expr

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

// Update is a parsed UpdateExpression.
type Update struct{ actions []action }

type action struct {
	clause string // SET, REMOVE, ADD, DELETE
	path   Path
	value  term // of all but REMOVE
}

// term is what SET assigns: an operand, a function, or a sum.
type term struct {
	op   string // "" (an operand), if_not_exists, list_append, + or -
	arg  operand
	args []term
}

// ParseUpdate parses an UpdateExpression.
func ParseUpdate(scope *Scope, text string) (*Update, error) {
	p := newParser(scope, text)
	u := &Update{}
	seen := map[string]bool{}
	for p.token != "" {
		clause := strings.ToUpper(p.token)
		if !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, clause) {
			p.syntax()
			break
		}
		if seen[clause] {
			p.fail("The %q section can only be used once in an update expression;", clause)
		}
		seen[clause] = true
		p.next()
		u.actions = append(u.actions, p.action(clause))
		for p.accept(",") {
			u.actions = append(u.actions, p.action(clause))
		}
	}
	if a, b, found := overlap(u.Paths()); found && p.err == nil {
		p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", a, b)
	}
	return u, p.end()
}

// Paths returns what the update changes.
func (u *Update) Paths() []Path {
	out := make([]Path, len(u.actions))
	for i, a := range u.actions {
		out[i] = a.path
	}
	return out
}

func (p *parser) action(clause string) action {
	a := action{clause: clause, path: p.path()}
	switch clause {
	case "SET":
		p.expect("=")
		a.value = p.sum()
	case "ADD", "DELETE":
		if !strings.HasPrefix(p.token, ":") {
			p.syntax()
			break
		}
		a.value = term{arg: operand{value: p.value()}}
		kind := a.value.arg.value.Kind
		set := kind == attr.StringSet || kind == attr.NumberSet || kind == attr.BinarySet
		if p.err == nil && !set && (clause == "DELETE" || kind != attr.Number) {
			p.fail("Incorrect operand type for operator or function; operator: %s, operand type: %s", clause, kind)
		}
	}
	return a
}

func (p *parser) sum() term {
	left := p.term()
	if op := p.token; op == "+" || op == "-" {
		p.next()
		return term{op: op, args: []term{left, p.term()}}
	}
	return left
}

func (p *parser) term() term {
	if name := p.token; word(name) && p.peek() == '(' {
		if name != "if_not_exists" && name != "list_append" {
			p.fail("Invalid function name; function: %s", name)
		}
		p.next()
		p.expect("(")
		first := p.term()
		if name == "if_not_exists" && p.err == nil && (first.op != "" || first.arg.path == nil) {
			p.fail("Operator or function requires a document path; operator or function: %s", name)
		}
		p.expect(",")
		out := term{op: name, args: []term{first, p.term()}}
		p.expect(")")
		return out
	}
	if strings.HasPrefix(p.token, ":") {
		return term{arg: operand{value: p.value()}}
	}
	return term{arg: operand{path: p.path()}}
}

// Apply returns item as the update leaves it; item itself stays. All values are
// taken from the item as it was.
func (u *Update) Apply(item attr.Item) (attr.Item, error) {
	out := attr.Value{Kind: attr.Map, Map: item}
	if item == nil {
		out.Map = attr.Item{}
	}
	// Elements leave a list last and from its end, so that indexes keep their meaning.
	actions := slices.SortedStableFunc(slices.Values(u.actions), func(a, b action) int { return a.order() - b.order() })
	for _, a := range actions {
		value, err := a.value.eval(item)
		if a.clause == "REMOVE" {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		var failed error
		out, err = change(out, a.path, func(old attr.Value, had bool) (attr.Value, bool) {
			v, keep, err := a.result(value, old, had)
			failed = err
			return v, keep
		})
		if err := errors.Join(err, failed); err != nil {
			return nil, err
		}
	}
	return out.Map, nil
}

func (a action) order() int {
	if a.clause != "REMOVE" {
		return math.MinInt / 2
	}
	return -a.path[len(a.path)-1].Index
}

func (a action) result(value, old attr.Value, had bool) (v attr.Value, keep bool, err error) {
	switch {
	case a.clause == "REMOVE":
		return attr.Value{}, false, nil
	case a.clause == "DELETE" && !had:
		return attr.Value{}, false, nil
	case a.clause == "SET" || !had:
		return value, true, nil
	case old.Kind != value.Kind:
		return old, true, errOperand()
	case old.Kind == attr.Number:
		v, err = attr.Add(old, value, false)
		return v, true, err
	}
	set := slices.DeleteFunc(slices.Clone(old.Set), func(e string) bool { return slices.Contains(value.Set, e) })
	if a.clause == "ADD" {
		set = append(set, value.Set...)
		slices.Sort(set)
	}
	old.Set = set
	return old, len(set) > 0, nil
}

func errOperand() error {
	return errors.New("An operand in the update expression has an incorrect data type") //nolint:staticcheck // AWS's words
}

func (t term) eval(item attr.Item) (attr.Value, error) {
	if t.op == "" {
		v, ok := t.arg.get(item)
		if !ok {
			return v, errors.New("The provided expression refers to an attribute that does not exist in the item") //nolint:staticcheck // AWS's words
		}
		return v, nil
	}
	if t.op == "if_not_exists" {
		if v, ok := t.args[0].arg.get(item); ok {
			return v, nil
		}
		return t.args[1].eval(item)
	}
	a, err := t.args[0].eval(item)
	if err != nil {
		return a, err
	}
	b, err := t.args[1].eval(item)
	if err != nil {
		return b, err
	}
	if t.op == "list_append" {
		if a.Kind != attr.List || b.Kind != attr.List {
			return a, errOperand()
		}
		return attr.Value{Kind: attr.List, List: slices.Concat(a.List, b.List)}, nil
	}
	if a.Kind != attr.Number || b.Kind != attr.Number {
		return a, errOperand()
	}
	return attr.Add(a, b, t.op == "-")
}
