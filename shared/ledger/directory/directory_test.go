package directory_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
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
