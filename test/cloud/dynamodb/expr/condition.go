package expr

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

// Condition is a parsed condition or filter.
type Condition struct{ root node }

// ParseCondition parses a ConditionExpression or FilterExpression.
func ParseCondition(scope *Scope, text string) (*Condition, error) {
	p := newParser(scope, text)
	c := &Condition{p.or()}
	return c, p.end()
}

// Match reports whether item meets the condition. A missing item is an empty one.
func (c *Condition) Match(item attr.Item) bool { return c.root.match(item) }

// Attributes returns the top-level attributes that the condition names.
func (c *Condition) Attributes() []string {
	var out []string
	c.root.walk(func(o operand) {
		if len(o.path) > 0 {
			out = append(out, o.path[0].Name)
		}
	})
	return out
}

// node is one part of a condition.
type node interface {
	match(item attr.Item) bool
	walk(f func(operand))
}

// operand is a path, a value, or the size of one of them.
type operand struct {
	path  Path
	value attr.Value
	size  bool
}

func (o operand) get(item attr.Item) (attr.Value, bool) {
	v, ok := o.value, true
	if o.path != nil {
		v, ok = o.path.Get(item)
	}
	if !ok || !o.size {
		return v, ok
	}
	n, ok := v.Length()
	return attr.Int(n), ok
}

type (
	logic struct {
		word string // AND, OR, NOT
		args []node
	}
	test struct {
		op   string // =, <>, <, <=, >, >=, BETWEEN, IN or a function
		args []operand
	}
)

func (l logic) match(item attr.Item) bool {
	switch l.word {
	case "NOT":
		return !l.args[0].match(item)
	case "AND":
		return l.args[0].match(item) && l.args[1].match(item)
	default:
		return l.args[0].match(item) || l.args[1].match(item)
	}
}

func (l logic) walk(f func(operand)) {
	for _, n := range l.args {
		n.walk(f)
	}
}

func (t test) walk(f func(operand)) {
	for _, o := range t.args {
		f(o)
	}
}

func (t test) match(item attr.Item) bool {
	values := make([]attr.Value, len(t.args))
	for i, o := range t.args {
		v, ok := o.get(item)
		if i == 0 && (t.op == "attribute_exists" || t.op == "attribute_not_exists") {
			return ok == (t.op == "attribute_exists")
		}
		if !ok {
			return t.op == "<>"
		}
		values[i] = v
	}
	a := values[0]
	switch t.op {
	case "BETWEEN":
		return compare(">=", a, values[1]) && compare("<=", a, values[2])
	case "IN":
		return slices.ContainsFunc(values[1:], func(v attr.Value) bool { return attr.Equal(a, v) })
	case "begins_with":
		b := values[1]
		return a.Kind == b.Kind && (a.Kind == attr.String || a.Kind == attr.Binary) && strings.HasPrefix(a.Text, b.Text)
	case "contains":
		return contains(a, values[1])
	case "attribute_type":
		return string(a.Kind) == values[1].Text
	default:
		return compare(t.op, a, values[1])
	}
}

func compare(op string, a, b attr.Value) bool {
	switch op {
	case "=":
		return attr.Equal(a, b)
	case "<>":
		return !attr.Equal(a, b)
	}
	order, ok := attr.Compare(a, b)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func contains(a, b attr.Value) bool {
	switch {
	case a.Kind == b.Kind && (a.Kind == attr.String || a.Kind == attr.Binary):
		return strings.Contains(a.Text, b.Text)
	case a.Kind == attr.List:
		return slices.ContainsFunc(a.List, func(e attr.Value) bool { return attr.Equal(e, b) })
	case a.Kind == b.Kind+"S": // SS has S
		return slices.Contains(a.Set, b.Text)
	default:
		return false
	}
}

func (p *parser) or() node {
	left := p.and()
	for p.accept("OR") {
		left = logic{"OR", []node{left, p.and()}}
	}
	return left
}

func (p *parser) and() node {
	left := p.not()
	for p.accept("AND") {
		left = logic{"AND", []node{left, p.not()}}
	}
	return left
}

func (p *parser) not() node {
	if p.accept("NOT") {
		return logic{"NOT", []node{p.not()}}
	}
	if p.accept("(") {
		inner := p.or()
		p.expect(")")
		return inner
	}
	return p.test()
}

// functions are the conditions that are functions, with how many arguments they take.
func functions(name string) (arguments int) {
	switch name {
	case "attribute_exists", "attribute_not_exists":
		return 1
	case "attribute_type", "begins_with", "contains":
		return 2
	default:
		return 0
	}
}

func (p *parser) test() node {
	if p.peek() == '(' && word(p.token) && p.token != "size" {
		return p.function()
	}
	left := p.operand()
	switch op := p.token; {
	case op == "=" || op == "<>" || op == "<" || op == "<=" || op == ">" || op == ">=":
		p.next()
		return test{op, []operand{left, p.operand()}}
	case p.accept("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return test{"BETWEEN", []operand{left, low, p.operand()}}
	case p.accept("IN"):
		p.expect("(")
		args := []operand{left, p.operand()}
		for p.accept(",") {
			args = append(args, p.operand())
		}
		p.expect(")")
		if len(args) > 101 {
			p.fail("Invalid operand count for operator or function; operator or function: IN, number of operands: %d", len(args))
		}
		return test{"IN", args}
	default:
		p.syntax()
		return test{"=", []operand{left, left}}
	}
}

func (p *parser) function() node {
	name := p.token
	want := functions(name)
	if want == 0 {
		p.fail("Invalid function name; function: %s", name)
	}
	p.next()
	p.expect("(")
	args := []operand{p.operand()}
	for p.accept(",") {
		args = append(args, p.operand())
	}
	p.expect(")")
	if p.err == nil && len(args) != want {
		p.fail("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, len(args))
	}
	if want == 1 && p.err == nil && args[0].path == nil {
		p.fail("Operator or function requires a document path; operator or function: %s", name)
	}
	return test{name, args}
}

func (p *parser) operand() operand {
	if p.token == "size" && p.peek() == '(' {
		p.next()
		p.expect("(")
		o := operand{path: p.path(), size: true}
		p.expect(")")
		return o
	}
	if strings.HasPrefix(p.token, ":") {
		return operand{value: p.value()}
	}
	return operand{path: p.path()}
}

func (p *parser) value() attr.Value {
	v, ok := p.scope.values[p.token]
	if !ok {
		p.fail("An expression attribute value used in expression is not defined; attribute value: %s", p.token)
		return v
	}
	p.scope.usedValues[p.token] = true
	p.next()
	return v
}
