package directory_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/directory"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// Writers with a store each append to one directory; it verifies, and does not any
// more when a byte of it is changed.
func TestWritersAndTamper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := ledgertest.NewKey("keyturn.example/ledger", "seed")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*directory.Store, *ledger.Log) {
		s, err := directory.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, ledger.New(ledger.Config{Objects: s, Head: s, Signer: k, Verifier: k.Verifier, Attempts: 1000})
	}
	s, l := open()
	if err := l.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		_, l := open()
		wg.Go(func() {
			for n := range 5 {
				e := ledger.Entry{ID: strconv.Itoa(n), Writer: strconv.Itoa(w), Time: time.Unix(1e9, 0), Act: json.RawMessage(`{"act":"x"}`)}
				if _, err := l.Append(t.Context(), []ledger.Entry{e}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	report, err := ledger.Verify(t.Context(), s, k.Verifier, ledger.Check{})
	if err != nil || report.Tree.N != 20 {
		t.Fatalf("%d entries: %v", report.Tree.N, err)
	}
	path := filepath.Join(dir, "tile", "entries", "000.p", "20")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[40] ^= 1
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ledger.Verify(t.Context(), s, k.Verifier, ledger.Check{})
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
		t.Errorf("changed, and verify says %v", err)
	}
}

func TestPathOutside(t *testing.T) {
	t.Parallel()
	s, err := directory.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(t.Context(), "../x", nil); err == nil {
		t.Error("left the directory")
	}
}

// A head is found among many, by a store that knows none of them, too.
func TestManyHeads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *directory.Store {
		s, err := directory.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	writer, reader := open(), open()
	if _, err := writer.Load(t.Context()); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("a head of none: %v", err)
	}
	var old []byte
	for n := range 70 {
		next := []byte(strconv.Itoa(n))
		if err := writer.Swap(t.Context(), old, next); err != nil {
			t.Fatal(err)
		}
		if err := writer.Swap(t.Context(), old, []byte("other")); !errors.Is(err, ledger.ErrConflict) {
			t.Errorf("swap of an old head: %v", err)
		}
		for _, s := range []*directory.Store{reader, open()} {
			if got, err := s.Load(t.Context()); err != nil || string(got) != string(next) {
				t.Fatalf("head %q, %v; want %q", got, err, next)
			}
			if n%7 != 0 { // the reader falls behind
				break
			}
		}
		old = next
	}
}

// A copy of a bucket has its partial tiles elsewhere, and is read as it is.
func TestCopyOfBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "passing", "tile", "0", "000.p"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "passing", "tile", "0", "000.p", "1"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := directory.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Read(t.Context(), "tile/0/000.p/1"); err != nil || string(got) != "x" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := s.Walk(t.Context(), func(path string, n int) error {
		if path != "tile/0/000.p/1" || n != 1 {
			t.Errorf("walked to %q, %d", path, n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// What is no plain file of a ledger's size is refused before it is read.
func TestNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := directory.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	large, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(large.Truncate(1<<40), large.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), "large")
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
		t.Errorf("a file that is too large: %v", err)
	}
	if err := os.Symlink("large", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), "link"); err == nil || !strings.Contains(err.Error(), "link is no file") {
		t.Errorf("a link: %v", err)
	}
	if err := s.Walk(t.Context(), func(string, int) error { return nil }); err == nil || !strings.Contains(err.Error(), "link is no file") {
		t.Errorf("walk: %v", err)
	}
}
