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

// Checkpoint is a signed tree. Its zero value is none.
type Checkpoint struct {
	Signed []byte // the note
	Tree   tlog.Tree

	head head // from which partial tiles that are gone are computed
}

// Latest returns the newest checkpoint, after it finished what the last writer may
// not have finished. It reads three objects at most if there is nothing to finish.
func (l *Log) Latest(ctx context.Context) (Checkpoint, error) {
	h, _, err := l.settle(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	signed, err := l.cfg.Objects.Read(ctx, checkpointPath(h.Size))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read %s: %w", checkpointPath(h.Size), err)
	}
	tree, err := OpenCheckpoint(signed, l.cfg.Verifier)
	if err != nil {
		return Checkpoint{}, &TamperError{Path: checkpointPath(h.Size), Index: -1, Why: err.Error()}
	}
	return Checkpoint{Signed: signed, Tree: tree, head: h}, nil
}

// Latest returns the newest checkpoint of the log in a, which v signed. It lists the
// whole log, for who has no head, and proves nothing about it.
func Latest(ctx context.Context, a Archive, v note.Verifier) (Checkpoint, error) {
	size, before, err := newest(ctx, a)
	if err != nil {
		return Checkpoint{}, err
	}
	path := checkpointPath(size)
	signed, err := a.Read(ctx, path)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read %s: %w", path, err)
	}
	tree, err := OpenCheckpoint(signed, v)
	switch {
	case err != nil:
		return Checkpoint{}, &TamperError{Path: path, Index: -1, Why: err.Error()}
	case tree.N != size:
		return Checkpoint{}, &TamperError{Path: path, Index: size, Why: fmt.Sprintf("is of %d entries", tree.N)}
	}
	c := Checkpoint{Signed: signed, Tree: tree, head: head{Size: tree.N, Root: tree.Hash}}
	if before >= 0 { // without it, partial tiles must be there
		data, err := a.Read(ctx, nextPath(before))
		if err != nil {
			return Checkpoint{}, fmt.Errorf("read %s: %w", nextPath(before), err)
		}
		if h, err := parseHead(data); err == nil && h.tree() == tree {
			c.head = h
		}
	}
	return c, nil
}

// newest returns the size of the newest checkpoint, and that of the one before, or -1.
func newest(ctx context.Context, a Archive) (size, before int64, err error) {
	size, before = -1, -1
	var noted []int64
	err = a.Walk(ctx, func(path string, _ int) error {
		dir, name, _ := strings.Cut(path, "/")
		n, parsed := strconv.ParseInt(name, 10, 64)
		if parsed == nil && dir+"/" == checkpointDir {
			size = max(size, n)
		}
		if parsed == nil && dir+"/" == nextDir {
			noted = append(noted, n)
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("list objects: %w", err)
	}
	if size < 0 {
		return 0, 0, ErrNoLog
	}
	for _, n := range noted {
		if n < size {
			before = max(before, n)
		}
	}
	return size, before, nil
}

// ErrNoEntry says that the log does not have as many entries.
var ErrNoEntry = errors.New("the log has no entry of this index")

// Prove returns a proof (https://c2sp.org/tlog-proof) that the entry at index is in
// the log of c. The entry is in it, as its extra data. Few objects are read. An object that
// does not fit the checkpoint is a *TamperError.
func Prove(ctx context.Context, o Objects, c Checkpoint, index int64) ([]byte, error) {
	return NewProver(o, c).Prove(ctx, index)
}

// Prover makes many proofs of entries of one log, in rising order best: what it reads it
// reads once, and it holds 32 bytes for each entry, with one bundle of entries. It is not
// for several goroutines at once.
type Prover struct {
	checkpoint Checkpoint
	reader     *reader
	number     int64 // of the bundle
	leaves     [][]byte
	hashes     overlay // with those of the bundle
}

// NewProver returns a Prover of the log of c in o. It reads nothing.
func NewProver(o Objects, c Checkpoint) *Prover {
	return &Prover{checkpoint: c, reader: newReader(o.Read, c.head)}
}

// Prove is as the function of this name.
func (p *Prover) Prove(ctx context.Context, index int64) ([]byte, error) {
	size := p.checkpoint.Tree.N
	if index < 0 || index >= size {
		return nil, ErrNoEntry
	}
	p.reader.unread = false
	if n := index / torchwood.TileWidth; p.leaves == nil || n != p.number {
		leaves, err := p.reader.bundle(ctx, n)
		if err != nil {
			return nil, p.reader.blame(err, index)
		}
		delete(p.reader.got, bundlePath(size, n))
		p.number, p.leaves, p.hashes = n, leaves, overlay{old: p.reader.hashes(ctx), fresh: bundleHashes(n, leaves)}
	}
	path, err := tlog.ProveRecord(size, index, p.hashes)
	if err != nil {
		return nil, p.reader.blame(err, index)
	}
	leaf := p.leaves[index%torchwood.TileWidth]
	return torchwood.FormatProofWithExtraData(index, leaf, path, p.checkpoint.Signed), nil
}

// bundleHashes returns the hashes that are stored for bundle n, whose leaves are proven.
func bundleHashes(n int64, leaves [][]byte) map[int64]tlog.Hash {
	out := make(map[int64]tlog.Hash, 2*len(leaves))
	level := make([]tlog.Hash, len(leaves))
	for i, leaf := range leaves {
		level[i] = tlog.RecordHash(leaf)
	}
	for l := 0; len(level) > 0; l++ {
		first := n << (torchwood.TileHeight - l)
		for i, h := range level {
			out[tlog.StoredHashIndex(l, first+int64(i))] = h
		}
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return out
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
