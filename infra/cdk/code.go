package cdk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is where the functions' source is.
const Module = "github.com/keyturn/keyturn"

// Code finds the code of the functions "rotate", "retire", "rotatenow", "audit",
// "review" and "chat".
type Code interface {
	// Asset returns a directory that holds a linux/arm64 "bootstrap", or a zip
	// file of one.
	Asset(function string) (path string, err error)
}

// Built is a directory with FUNCTION/bootstrap, as "make build" leaves it in
// dist. What is not there is built by Otherwise; nil: that is an error.
type Built struct {
	Dir       string
	Otherwise Code
}

// Asset implements [Code].
func (b Built) Asset(function string) (string, error) {
	path := filepath.Join(b.Dir, function)
	if _, err := os.Stat(filepath.Join(path, "bootstrap")); err == nil {
		return path, nil
	}
	if b.Otherwise == nil {
		return "", fmt.Errorf("find the code of %s: there is no %s: run make build", function, filepath.Join(path, "bootstrap"))
	}
	return b.Otherwise.Asset(function)
}

// Source builds the functions with the go command, without Docker, into
// Dir/FUNCTION/bootstrap. It builds the version of [Module] that the module in
// the current directory requires, with that version's own dependencies.
type Source struct{ Dir string }

// Asset implements [Code].
func (s Source) Asset(function string) (string, error) {
	module, err := command(exec.Command("go", "list", "-m", "-f", "{{.Dir}}", Module)) //nolint:noctx // synthesis has no context
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w", function, err)
	}
	out, err := filepath.Abs(filepath.Join(s.Dir, function))
	if err != nil {
		return "", fmt.Errorf("build %s: %w", function, err)
	}
	//nolint:noctx,gosec // synthesis has no context; the names are the program's own
	build := exec.Command("go", "build", "-tags=lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", filepath.Join(out, "bootstrap"), "./functions/"+function)
	build.Dir = strings.TrimSpace(module)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if _, err = command(build); err != nil {
		return "", fmt.Errorf("build %s: %w", function, err)
	}
	return out, nil
}

func command(c *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", c.Args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Release is the zip files of a release, by function.
type Release map[string]Zip

// Zip is one file, and the SHA-256 that it must have, in hexadecimal.
type Zip struct{ Path, SHA256 string }

// Asset implements [Code]. A file of another SHA-256 is an error.
func (r Release) Asset(function string) (string, error) {
	z, ok := r[function]
	if !ok {
		return "", fmt.Errorf("find the code of %s: the release has no such function", function)
	}
	f, err := os.Open(z.Path)
	if err != nil {
		return "", fmt.Errorf("find the code of %s: %w", function, err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the code of %s: %w", function, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, z.SHA256) {
		return "", fmt.Errorf("the code of %s is not what was released: %s has the SHA-256 %s, not %s", function, z.Path, got, z.SHA256)
	}
	return z.Path, nil
}
