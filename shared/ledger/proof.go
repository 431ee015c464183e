package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Latest returns the newest checkpoint of the log in a, which v signed. It lists the
// whole log, and proves nothing about it.
func Latest(ctx context.Context, a Archive, v note.Verifier) ([]byte, error) {
	size := int64(-1)
	err := a.Walk(ctx, func(path string, _ int) error {
		if name, ok := strings.CutPrefix(path, checkpointDir); ok {
			if n, err := strconv.ParseInt(name, 10, 64); err == nil {
				size = max(size, n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	if size < 0 {
		return nil, ErrNoLog
	}
	path := checkpointPath(size)
	signed, err := a.Read(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	switch tree, err := OpenCheckpoint(signed, v); {
	case err != nil:
		return nil, &TamperError{Path: path, Index: -1, Why: err.Error()}
	case tree.N != size:
		return nil, &TamperError{Path: path, Index: size, Why: fmt.Sprintf("is of %d entries", tree.N)}
	}
	return signed, nil
}

// ErrNoEntry says that the log does not have as many entries.
var ErrNoEntry = errors.New("the log has no entry of this index")

// Prove returns a proof (https://c2sp.org/tlog-proof) that the entry at index is in
// the log of checkpoint, which is its latest: the partial tiles of older ones may be
// gone. The entry is in it, as its extra data. Few objects are read. An object that
// does not fit the checkpoint is a *TamperError.
func Prove(ctx context.Context, o Objects, v note.Verifier, checkpoint []byte, index int64) ([]byte, error) {
	tree, err := OpenCheckpoint(checkpoint, v)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= tree.N {
		return nil, ErrNoEntry
	}
	r := newReader(o.Read, tree)
	leaf, err := r.entry(ctx, index)
	if err != nil {
		return nil, r.blame(err, index)
	}
	p, err := tlog.ProveRecord(tree.N, index, r.hashes(ctx))
	if err != nil {
		return nil, r.blame(err, index)
	}
	return torchwood.FormatProofWithExtraData(index, leaf, p, checkpoint), nil
}

// blame returns err as a *TamperError if all was read: what tlog finds are hashes that
// do not make the root.
func (r *reader) blame(err error, index int64) error {
	if _, ok := errors.AsType[*TamperError](err); ok || r.unread {
		return err
	}
	return &TamperError{Path: fmt.Sprintf("the tiles above entry %d", index), Index: index, Why: err.Error()}
}

// Proven is what a proof shows.
type Proven struct {
	Index int64
	Line  []byte    // the entry
	Tree  tlog.Tree // that it is in
}

// CheckProof returns what proof, as Prove made it, shows about the log of v. It needs
// nothing else.
func CheckProof(proof []byte, v note.Verifier) (Proven, error) {
	line, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return Proven{}, fmt.Errorf("read proof: %w", err)
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(line), proof); err != nil {
		return Proven{}, fmt.Errorf("check proof: %w", err)
	}
	// What was verified has these parts, in this order.
	head, checkpoint, _ := strings.Cut(string(proof), "\n\n")
	_, rest, _ := strings.Cut(head, "\nindex ")
	digits, _, _ := strings.Cut(rest, "\n")
	index, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Proven{}, errors.New("read proof: no index")
	}
	tree, err := OpenCheckpoint([]byte(checkpoint), v)
	if err != nil {
		return Proven{}, err
	}
	return Proven{Index: index, Line: line, Tree: tree}, nil
}
