package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/keyturn/keyturn/shared/keysfile"
)

const guardrailsName = "guardrails.yaml"

// declared is a keys' file and the guardrails beside it; nil: there are none.
type declared struct {
	file  *keysfile.File
	rails *keysfile.Guardrails
}

// declared reads the keys' file at the first path, holds it to the guardrails
// beside it, and returns everything that is wrong with either.
func (a *app) declared(paths ...string) (declared, error) {
	rails, err := a.guardrails(paths[0])
	bad, wrong := errors.AsType[*keysfile.Error](err)
	if err != nil && !wrong {
		return declared{}, err
	}
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: a.vendors, Guardrails: rails}, paths...)
	if more, ok := errors.AsType[*keysfile.Error](err); ok && wrong {
		return declared{}, &keysfile.Error{Problems: append(bad.Problems, more.Problems...)}
	}
	if err == nil && wrong {
		err = bad
	}
	return declared{f, rails}, err
}

// guardrails reads the guardrails beside a file; nil: there are none.
func (a *app) guardrails(beside string) (*keysfile.Guardrails, error) {
	name := filepath.Join(filepath.Dir(beside), guardrailsName)
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is none
	}
	return keysfile.LoadGuardrailsFile(name)
}

// unguarded is declared for what a file is compared with: it is held to no
// guardrails, for the change may be to keep to them.
func (a *app) unguarded(fsys fs.FS, name string) (declared, error) {
	f, err := keysfile.Load(fsys, keysfile.Options{Vendors: a.vendors}, name)
	if err != nil {
		return declared{}, err
	}
	rails, err := keysfile.LoadGuardrails(fsys, path.Join(path.Dir(name), guardrailsName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return declared{f, rails}, err
}
