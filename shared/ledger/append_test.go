package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// What a writer left that died after its head was in place is published only if
// it makes that head's tree: else entries would be signed that nobody appended.
func TestStagedChanged(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 5)
	swapped := false
	m.Fault = func(op, _ string) ledgertest.Fault {
		if swapped {
			return ledgertest.Before
		}
		swapped = strings.EqualFold(op, "swap")
		return ledgertest.None
	}
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 5, 10)); !errors.Is(err, ledgertest.ErrFault) {
		t.Fatal(err)
	}
	m.Fault = nil
	signed, changed := len(k.Signed()), 0
	for _, path := range m.Paths() {
		if strings.HasPrefix(path, "staging/5-") {
			changed++
			m.Tamper(path, []byte(strings.Replace(string(object(t, m, path)), `"k6"`, `"k9"`, 1)))
		}
	}
	_, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 10, 12))
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok || changed != 1 {
		t.Errorf("%d objects changed, and the next append: %v", changed, err)
	}
	if now := len(k.Signed()); now != signed {
		t.Errorf("%d checkpoints were signed of it", now-signed)
	}
}

// An id's object that names another's entry keeps no entry out of the ledger.
func TestIndexOfAnother(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 3)
	before := m.Paths()
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("other", 0, 1)); err != nil {
		t.Fatal(err)
	}
	changed := 0
	old := map[string]bool{}
	for _, path := range before {
		old[path] = true
	}
	for _, path := range m.Paths() {
		if strings.HasPrefix(path, "id/") && !old[path] {
			changed++
			m.Tamper(path, []byte("0"))
		}
	}
	_, err := ledgertest.Log(m, k).Append(t.Context(), entries("other", 0, 1))
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok || changed != 1 {
		t.Errorf("%d objects changed, and the next append: %v", changed, err)
	}
}
