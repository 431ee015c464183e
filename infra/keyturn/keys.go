package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/config"
)

// configuration reads the keys' file, or the functions' configuration that was
// made of one.
func (a *app) configuration() (*config.Config, error) {
	path := a.source()
	if !isJSON(path) {
		f, err := a.keysFile()
		if err != nil {
			return nil, err
		}
		c, err := config.Parse(f.Config(""), a.vendors)
		if err != nil { // loading has looked at this
			return nil, failed(typeConfig, err.Error(), "correct "+path)
		}
		return c, nil
	}
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator says which file
	if err != nil {
		return nil, unread(path, err)
	}
	c, err := config.Parse(data, a.vendors)
	if bad, ok := errors.AsType[*config.Error](err); ok {
		return nil, badConfig(path, bad)
	}
	if err != nil {
		return nil, failed(typeConfig, err.Error(), "correct "+path)
	}
	return c, nil
}

// installation begins the names of the functions, and is that of the table: the
// name in the keys' file.
func (a *app) installation() string {
	if a.file != nil && a.file.Name != "" {
		return a.file.Name
	}
	return "keyturn"
}

// key finds the key that is meant by a name or an ARN.
func (a *app) key(c *config.Config, id string) (config.Key, error) {
	if k, ok := c.Key(id); ok {
		return k, nil
	}
	f := usage(fmt.Sprintf("there is no key %q in the configuration", id), "list the keys: keyturn status")
	f.Type = typeKey
	if near := nearest(config.Name(id), c.Keys()); near != "" {
		f.Next = []string{fmt.Sprintf("did you mean %s?", near)}
	}
	return config.Key{}, f
}

// completeKeys offers the configured names to a shell.
func (a *app) completeKeys(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := a.configuration()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, k := range c.Keys() {
		names = append(names, k.Secret)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// nearest returns the name that was probably meant: the only one that has what
// was typed in it, or else the one with the fewest typing mistakes.
func nearest(typed string, keys []config.Key) string {
	typed = strings.ToLower(typed)
	best, least, within := "", 2+len(typed)/5, []string(nil)
	for _, k := range keys {
		name := strings.ToLower(k.Secret)
		if typed != "" && strings.Contains(name, typed) {
			within = append(within, k.Secret)
		}
		if d := edits(typed, name); d <= least {
			best, least = k.Secret, d-1
		}
	}
	if len(within) == 1 {
		return within[0]
	}
	return best
}

// edits is Levenshtein's distance.
func edits(from, to string) int {
	a, b := []rune(from), []rune(to)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, replace)
		}
	}
	return row[len(b)]
}
