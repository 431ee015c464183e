package expr

import (
	"fmt"
	"strconv"
	"strings"
)

// parser reads one expression. The first error sticks, and every token after it
// is the end, so that the grammar needs no error handling.
type parser struct {
	scope  *Scope
	text   string
	at     int    // where the rest begins
	token  string // "" at the end
	quoted string // the token with what is around it, for messages
	err    error
}

func newParser(scope *Scope, text string) *parser {
	p := &parser{scope: scope, text: text}
	switch {
	case strings.TrimSpace(text) == "":
		p.fail("The expression can not be empty;")
	case len(text) > MaxLength:
		p.fail("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	p.next()
	return p
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.token, p.at = "", len(p.text)
}

func (p *parser) syntax() {
	token := p.token
	if token == "" {
		token = "<EOF>"
	}
	p.fail(`Syntax error; token: "%s", near: "%s"`, token, p.quoted)
}

// next moves to the next token.
func (p *parser) next() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	start := p.at
	if start >= len(p.text) {
		p.token = ""
		return
	}
	p.at++
	switch c := p.text[start]; {
	case inWord(c) || c == '#' || c == ':':
		for p.at < len(p.text) && inWord(p.text[p.at]) {
			p.at++
		}
	case c == '<' && p.at < len(p.text) && (p.text[p.at] == '>' || p.text[p.at] == '='), c == '>' && p.at < len(p.text) && p.text[p.at] == '=':
		p.at++
	}
	p.token = p.text[start:p.at]
	p.quoted = strings.ToValidUTF8(p.text[max(0, start-10):min(len(p.text), p.at+10)], "?")
	if len(p.token) == 1 && !inWord(p.token[0]) && !strings.Contains("=<>()[],.+-", p.token) {
		p.syntax()
	}
}

// is reports whether the token is the word, in any case.
func (p *parser) is(word string) bool { return p.token != "" && strings.EqualFold(p.token, word) }

// accept moves past the token if it is the word.
func (p *parser) accept(word string) bool {
	if !p.is(word) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(word string) {
	if !p.accept(word) {
		p.syntax()
	}
}

// peek returns the first byte after the token, which tells a function.
func (p *parser) peek() byte {
	rest := strings.TrimLeft(p.text[p.at:], " \t\r\n")
	if rest == "" {
		return 0
	}
	return rest[0]
}

// end requires that nothing is left.
func (p *parser) end() error {
	if p.token != "" {
		p.syntax()
	}
	return p.err
}

func (p *parser) path() Path {
	out := Path{{Name: p.name()}}
	for p.err == nil {
		switch {
		case p.accept("."):
			out = append(out, Step{Name: p.name()})
		case p.accept("["):
			i, err := strconv.Atoi(p.token)
			if err != nil || i < 0 {
				p.syntax()
			}
			p.next()
			p.expect("]")
			out = append(out, Step{Index: i})
		default:
			return out
		}
	}
	return out
}

func (p *parser) name() string {
	t := p.token
	switch {
	case t == "" || t[0] != '#' && (!word(t) || t[0] >= '0' && t[0] <= '9'):
		p.syntax()
	case t[0] == '#':
		name, ok := p.scope.names[t]
		if !ok || name == "" {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", t)
		}
		p.scope.usedNames[t] = true
		p.next()
		return name
	case reserved(t):
		p.fail("Attribute name is a reserved keyword; reserved keyword: %s", t)
	default:
		p.next()
	}
	return t
}

// Projection parses a ProjectionExpression.
func Projection(scope *Scope, text string) ([]Path, error) {
	p := newParser(scope, text)
	var out []Path
	for p.err == nil {
		out = append(out, p.path())
		if !p.accept(",") {
			break
		}
	}
	if a, b, found := overlap(out); found && p.err == nil {
		p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", a, b)
	}
	return out, p.end()
}
