// Package main writes the beginnings of a vendor's package: settings and facts,
// a client, a stateful stand-in and the contract's test, for an invented API of
// the strategy Overlap. It builds and passes as it is; what the vendor does
// otherwise is marked FILL, and no vendor with such a mark passes the tests of
// package catalog.
package main

import (
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed template/*.txt
var templates embed.FS

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{1,30}$`)

// files maps a template to where it goes in the vendor's folder.
func files(name string) map[string]string {
	return map[string]string{
		"definition.go":  "definition.go",
		"client.go":      name + ".go",
		"client_test.go": name + "_test.go",
		"fake.go":        filepath.Join(name+"test", name+"test.go"),
	}
}

// write makes the package called name for the vendor that people call title
// below dir, which must not have it.
func write(dir, name, title string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no package's name: write lower-case letters and digits", name)
	}
	if strings.TrimSpace(title) == "" || strings.ContainsAny(title, "\"\\\n`") {
		return fmt.Errorf("%q is no vendor's name", title)
	}
	folder := filepath.Join(dir, name)
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, or cannot be looked at", folder)
	}
	if err := os.MkdirAll(filepath.Join(folder, name+"test"), 0o750); err != nil {
		return err
	}
	for from, to := range files(name) {
		b, err := templates.ReadFile("template/" + from + ".txt")
		if err != nil {
			return err
		}
		b, err = format.Source([]byte(strings.NewReplacer("acme", name, "Acme", title).Replace(string(b))))
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if err := os.WriteFile(filepath.Join(folder, to), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
