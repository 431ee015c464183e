package ledger

import (
	"context"
	"errors"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// sign returns tree as a signed note (https://c2sp.org/tlog-checkpoint) whose
// origin is the name of the key. A signature by another key is an error.
func sign(ctx context.Context, s Signer, v note.Verifier, tree tlog.Tree) ([]byte, error) {
	text := torchwood.Checkpoint{Origin: v.Name(), Tree: tree}.String()
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{v, func(msg []byte) ([]byte, error) { return s.Sign(ctx, msg) }})
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %d entries: %w", tree.N, err)
	}
	if _, err := OpenCheckpoint(signed, v); err != nil {
		return nil, fmt.Errorf("sign checkpoint of %d entries: %w", tree.N, err)
	}
	return signed, nil
}

// OpenCheckpoint returns the tree of a signed checkpoint, or an error if it is not
// one that the log of v signed. Signatures of others, such as witnesses, are ignored.
func OpenCheckpoint(signed []byte, v note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return tlog.Tree{}, fmt.Errorf("open checkpoint: it has no signature of the key %s+%08x", v.Name(), v.KeyHash())
	}
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("open checkpoint: %w", err)
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("open checkpoint: %w", err)
	}
	if c.Origin != v.Name() {
		return tlog.Tree{}, errors.New("open checkpoint: the origin is another log")
	}
	return c.Tree, nil
}

// noteSigner is a note.Signer with the name and the hash of a verifier's key.
type noteSigner struct {
	key  note.Verifier
	sign func(msg []byte) ([]byte, error)
}

func (s noteSigner) Name() string                    { return s.key.Name() }
func (s noteSigner) KeyHash() uint32                 { return s.key.KeyHash() }
func (s noteSigner) Sign(msg []byte) ([]byte, error) { return s.sign(msg) }
