// Package directory keeps a ledger in a local directory: for a copy that is verified
// offline, and for a demonstration. Each head is a file that stays.
package directory

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/keyturn/keyturn/shared/ledger"
)

const (
	headDir = "head"
	tempDir = "temp"
)

// Store is the objects, the head and the archive of a ledger below one directory.
// It is used by several goroutines and processes at once. A path that would leave
// the directory is an error. A copy of a ledger in S3 is read as it is there.
type Store struct {
	root *os.Root
	last atomic.Int64 // a head that there is: where the search for the newest begins
}

// Open returns the store in dir, which must exist.
func Open(dir string) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Store{root: root}, nil
}

// Close ends the use of the directory.
func (s *Store) Close() error { return s.root.Close() }

// Create stores data at name if there is nothing. A link makes the whole file appear
// at once, and fails if there is one.
func (s *Store) Create(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, dir := range []string{tempDir, path.Dir(name)} {
		if err := s.root.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	temp := path.Join(tempDir, rand.Text())
	defer s.root.Remove(temp) //nolint:errcheck // what is left there is never read
	if err := s.write(temp, data); err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	err := s.root.Link(temp, name)
	if errors.Is(err, fs.ErrExist) {
		return ledger.ErrExists
	}
	if err != nil {
		return fmt.Errorf("create object: %w", err)
	}
	return nil
}

func (s *Store) write(name string, data []byte) error {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o440)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Read returns what is at name.
func (s *Store) Read(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) && ledger.Passing(name) {
		data, err = s.read(ledger.PassingDir + name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ledger.ErrNotFound
	}
	return data, err
}

// read returns what is in a file. It looks before it opens: a pipe would never answer.
func (s *Store) read(name string) ([]byte, error) {
	info, err := s.root.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, notFile(name)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, ledger.MaxObject+1))
	if len(data) > ledger.MaxObject {
		return nil, ledger.TooLarge(name)
	}
	return data, err
}

func notFile(name string) error {
	return fmt.Errorf("%s is no file; a copy of a ledger has no links", name)
}

// Load returns the head.
func (s *Store) Load(ctx context.Context) ([]byte, error) {
	_, head, err := s.newest(ctx)
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ledger.ErrNotFound
	}
	return head, nil
}

// Swap replaces the head if it is old: only one writer can create its successor.
func (s *Store) Swap(ctx context.Context, old, next []byte) error {
	n, head, err := s.newest(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(head, old) {
		return ledger.ErrConflict
	}
	err = s.Create(ctx, headPath(n+1), next)
	if errors.Is(err, ledger.ErrExists) {
		return ledger.ErrConflict
	}
	return err
}

// newest returns the last head and its number, or nil and zero if there is none.
func (s *Store) newest(ctx context.Context) (int, []byte, error) {
	// They are numbered without a gap, so that few of them are looked at.
	n, step := int(s.last.Load()), 1
	for ; s.has(n + step); step *= 2 {
		n += step
	}
	for ; step > 0; step /= 2 {
		if s.has(n + step) {
			n += step
		}
	}
	if n == 0 {
		return 0, nil, nil
	}
	s.last.Store(int64(n))
	head, err := s.Read(ctx, headPath(n))
	return n, head, err
}

func headPath(n int) string { return path.Join(headDir, strconv.Itoa(n)) }

func (s *Store) has(n int) bool {
	_, err := s.root.Stat(headPath(n))
	return err == nil
}

// Walk calls f for each object. A directory keeps one version of each. A link or a
// device among them is an error: what is behind it may not be the same the next time.
func (s *Store) Walk(ctx context.Context, f func(name string, versions int) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch dir, _, _ := strings.Cut(name, "/"); {
		case err != nil:
			return err
		case dir == headDir || dir == tempDir || d.IsDir():
			return ctx.Err()
		case !d.Type().IsRegular():
			return notFile(name)
		}
		if rest, ok := strings.CutPrefix(name, ledger.PassingDir); ok && ledger.Passing(rest) {
			name = rest
		}
		return f(name, 1)
	})
}
