package ledgertest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/ledger"
)

// Key is an Ed25519 key made from its name, and remembers what it signed. It is
// used by several goroutines at once.
type Key struct {
	Verifier note.Verifier
	Text     string // the verifier key, for note.NewVerifier

	private ed25519.PrivateKey
	mu      sync.Mutex
	signed  map[string]bool
}

// NewKey returns the key of a log. seed tells keys of one name apart.
func NewKey(name, seed string) (*Key, error) {
	sum := sha256.Sum256([]byte(seed))
	private := ed25519.NewKeyFromSeed(sum[:])
	vkey, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey)) //nolint:errcheck // its type
	if err != nil {
		return nil, fmt.Errorf("name key: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	return &Key{Verifier: v, Text: vkey, private: private, signed: map[string]bool{}}, nil
}

// Sign signs message.
func (k *Key) Sign(_ context.Context, message []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signed[string(message)] = true
	return ed25519.Sign(k.private, message), nil
}

// Signed returns the different messages that were signed, in no order.
func (k *Key) Signed() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]string, 0, len(k.signed))
	for m := range k.signed {
		out = append(out, m)
	}
	return out
}

// Log returns a Log over m that signs with k.
func Log(m *Memory, k *Key) *ledger.Log {
	return ledger.New(ledger.Config{Objects: m, Head: m, Signer: k, Verifier: k.Verifier, Attempts: 1000})
}
