package keysfile

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

// check holds the rules that a schema cannot say.
type check struct {
	*problems
	file    *File
	vendors []provider.Definition
	now     time.Time
}

func (c *check) all() {
	c.functions()
}

// functions lets the functions' own reader look at what it will be given. It
// knows the rules of vendors, settings, values and graces.
func (c *check) functions() {
	first := map[string]int{}
	part := *c.file
	part.Keys = nil
	for i, k := range c.file.Keys {
		if _, twice := first[k.Name]; twice || c.reported(item("keys", i)+".name") {
			continue
		}
		first[k.Name] = i
		part.Keys = append(part.Keys, k)
	}
	_, err := config.Parse(part.Config(""), c.vendors)
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		return
	}
	for _, p := range e.Problems {
		path, shown := ours(p.Path, first)
		what := p.What
		if shown != "" {
			what = shown + ": " + what
		}
		c.add(path, what, p.Hint)
	}
}

// ours turns a path of the functions' configuration into one of the files, and
// what of it to show to somebody who is led to the line.
func ours(path string, keys map[string]int) (mine, shown string) {
	rest, ok := strings.CutPrefix(path, "keys[")
	if !ok {
		_, shown, _ = strings.Cut(path, "].")
		return path, shown
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return path, path
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return path, path
	}
	tail := strings.TrimPrefix(rest[len(quoted):], "]")
	return item("keys", keys[name]) + tail, strings.TrimPrefix(tail, ".")
}

// accounts returns the vendor accounts' names, sorted.
func (c *check) accounts() []string { return slices.Sorted(maps.Keys(c.file.VendorAccounts)) }
