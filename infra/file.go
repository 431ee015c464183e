package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// load reads the keys' file, and holds it to the guardrails.yaml beside it, if
// there is one. A link that leads nowhere is one.
func load(path string) (*keysfile.File, error) {
	o := keysfile.Options{Vendors: catalog.All()}
	beside := filepath.Join(filepath.Dir(path), "guardrails.yaml")
	if _, err := os.Lstat(beside); !errors.Is(err, fs.ErrNotExist) {
		if o.Guardrails, err = keysfile.LoadGuardrailsFile(beside); err != nil {
			return nil, err
		}
	}
	return keysfile.LoadFiles(o, path)
}
