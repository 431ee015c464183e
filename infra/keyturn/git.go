package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gitRevision returns REVISION of git:REVISION.
func gitRevision(base string) (string, bool) { return strings.CutPrefix(base, "git:") }

// committed loads the keys' file, and the keys beside it, as they are in a
// revision.
func (a *app) committed(ctx context.Context, revision, file string) (_ declared, err error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return declared{}, usage(fmt.Sprintf("%q is no revision", revision), "keyturn diff --security git:HEAD")
	}
	dir, err := os.MkdirTemp("", "keyturn-diff-")
	if err != nil {
		return declared{}, failed("Git", err.Error(), "look at TMPDIR")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	where, name := filepath.Split(file)
	for _, path := range []string{name, "keys", guardrailsName} {
		if err := unpack(ctx, filepath.Join(".", where), revision, path, dir); err != nil && path == name {
			return declared{}, failed("Git", fmt.Sprintf("git has no %s at %s: %s", file, revision, err), "see what there is: git log -- "+file, "compare with a file: keyturn diff --security FILE-BEFORE")
		}
	}
	all, err := a.unguarded(os.DirFS(dir), name)
	if err != nil {
		return all, unloaded(file+" at "+revision, err)
	}
	return all, nil
}

// unpack writes a path of a revision, relative to the directory in, to the
// directory to.
func unpack(ctx context.Context, in, revision, path, to string) error {
	var out, said bytes.Buffer
	git := exec.CommandContext(ctx, "git", "archive", "--format=tar", revision, "--", path) //nolint:gosec // no shell, and revision is no flag
	git.Dir, git.Stdout, git.Stderr = in, &out, &said
	if err := git.Run(); err != nil {
		if first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n"); first != "" {
			return errors.New(first)
		}
		return err
	}
	root, err := os.OpenRoot(to) // nothing in the archive can lead out of it
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // of reading
	for t := tar.NewReader(&out); ; {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeDir:
			err = root.MkdirAll(strings.TrimSuffix(h.Name, "/"), 0o700)
		case h.Typeflag == tar.TypeReg:
			err = write(root, h.Name, t)
		}
		if err != nil {
			return err
		}
	}
}

func write(root *os.Root, name string, r io.Reader) (err error) {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, io.LimitReader(r, 16<<20))
	return err
}
