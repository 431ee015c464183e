package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// What the configuration is called where nobody says otherwise.
const (
	keysName   = "keyturn.yaml"
	configName = "keyturn.json"
)

// source returns the path of the configuration.
func (a *app) source() string {
	if path := a.setting(a.flags.config, "KEYTURN_CONFIG", ""); path != "" {
		return path
	}
	if _, err := os.Stat(keysName); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(configName); err == nil {
			return configName
		}
	}
	return keysName
}

// declaration returns the path of the keys' file, for commands that read no
// other.
func (a *app) declaration() string {
	if path := a.setting("", "KEYTURN_CONFIG", keysName); !isJSON(path) {
		return path
	}
	return keysName
}

func isJSON(path string) bool { return strings.EqualFold(filepath.Ext(path), ".json") }

// keysFile reads the keys' file, once.
func (a *app) keysFile() (*keysfile.File, error) {
	if a.file != nil {
		return a.file, nil
	}
	path := a.source()
	if isJSON(path) {
		return nil, failed(typeConfig, path+" is the functions' configuration, which says too little here",
			"say where the keys' file is: --config "+keysName, "begin one: keyturn new")
	}
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: a.vendors}, path)
	if err != nil {
		return nil, unloaded(path, err)
	}
	a.file = f
	return f, nil
}

// unloaded explains why a keys' file cannot be used.
func unloaded(path string, err error) *failure {
	bad, ok := errors.AsType[*keysfile.Error](err)
	if !ok {
		return unread(path, err)
	}
	f := failed(typeConfig, fmt.Sprintf("%s has %s", path, count(len(bad.Problems), "problem")))
	f.Next = []string{}
	for _, p := range bad.Problems {
		f.Problems = append(f.Problems, problem{Path: p.At.String(), What: p.What, Hint: p.Hint})
	}
	return f
}

// unread explains why a file cannot be read.
func unread(path string, err error) *failure {
	if errors.Is(err, fs.ErrNotExist) {
		return failed(typeConfig, "there is no configuration file "+path, "say where it is: --config FILE, or KEYTURN_CONFIG", "begin one: keyturn new")
	}
	return failed(typeConfig, err.Error(), "say where a readable configuration is: --config FILE, or KEYTURN_CONFIG")
}

// count returns "1 key", "2 keys".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
