package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// simulated is a log whose first entries nobody appended: each of its full bundles is
// the same 256 entries, so that any tile of any size is computed when it is read.
// What is appended after them is real.
type simulated struct {
	ledgertest.Memory

	lines  [][]byte    // of every bundle
	leaves []tlog.Hash // of the lines
	above  []tlog.Hash // by level, from 8 up: the hash of a whole subtree
}

// levels is enough for 2^40 entries.
const levels = 40

func newSimulated(k *ledgertest.Key, size int64) (*simulated, error) {
	s := &simulated{above: make([]tlog.Hash, levels)}
	for i := range torchwood.TileWidth {
		line, err := entryOf("past", int64(i)).Encode()
		if err != nil {
			return nil, err
		}
		s.lines, s.leaves = append(s.lines, line), append(s.leaves, tlog.RecordHash(line))
	}
	row := s.leaves
	for len(row) > 1 {
		var up []tlog.Hash
		for i := 0; i < len(row); i += 2 {
			up = append(up, tlog.NodeHash(row[i], row[i+1]))
		}
		row = up
	}
	s.above[torchwood.TileHeight] = row[0]
	for l := torchwood.TileHeight + 1; l < levels; l++ {
		s.above[l] = tlog.NodeHash(s.above[l-1], s.above[l-1])
	}
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(s.hashes))
	if err != nil {
		return nil, err
	}
	return s, s.begin(k, tlog.Tree{N: size, Hash: root})
}

// begin stores the head and the checkpoint of tree, as an append would have.
func (s *simulated) begin(k *ledgertest.Key, tree tlog.Tree) error {
	head, err := json.Marshal(map[string]any{
		"v": 1, "size": tree.N, "root": tree.Hash, "prev_size": 0, "prev_root": tlog.Hash(sha256.Sum256(nil)),
	})
	if err != nil {
		return err
	}
	s.SetHead(head)
	text := torchwood.Checkpoint{Origin: k.Verifier.Name(), Tree: tree}.String()
	signed, err := note.Sign(&note.Note{Text: text}, signer{k})
	if err != nil {
		return err
	}
	s.Tamper(fmt.Sprint("checkpoint/", tree.N), signed)
	return nil
}

// signer is a note.Signer.
type signer struct{ key *ledgertest.Key }

func (s signer) Name() string    { return s.key.Verifier.Name() }
func (s signer) KeyHash() uint32 { return s.key.Verifier.KeyHash() }

func (s signer) Sign(message []byte) ([]byte, error) {
	signature, err := s.key.Sign(context.Background(), message)
	if len(signature) != ed25519.SignatureSize {
		return nil, errors.New("no signature")
	}
	return signature, err
}

// hashes reads hashes of the simulated part by their stored indexes.
func (s *simulated) hashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		level, n := tlog.SplitStoredHashIndex(at)
		if level >= torchwood.TileHeight {
			out[i] = s.above[level]
			continue
		}
		width := int64(1) << level
		row := s.leaves[n*width%torchwood.TileWidth:][:width]
		root, err := tlog.TreeHash(width, rowOf(row))
		if err != nil {
			return nil, err
		}
		out[i] = root
	}
	return out, nil
}

// rowOf reads hashes above a row of leaves.
func rowOf(row []tlog.Hash) tlog.HashReader {
	var read tlog.HashReaderFunc
	read = func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			level, n := tlog.SplitStoredHashIndex(at)
			if level == 0 {
				out[i] = row[n]
				continue
			}
			below, err := read([]int64{tlog.StoredHashIndex(level-1, 2*n), tlog.StoredHashIndex(level-1, 2*n+1)})
			if err != nil {
				return nil, err
			}
			out[i] = tlog.NodeHash(below[0], below[1])
		}
		return out, nil
	}
	return read
}

// Read returns what was appended, or computes what is simulated.
func (s *simulated) Read(ctx context.Context, path string) ([]byte, error) {
	data, err := s.Memory.Read(ctx, path)
	if !errors.Is(err, ledger.ErrNotFound) {
		return data, err
	}
	t, err := torchwood.ParseTilePath(path)
	if err != nil {
		return nil, ledger.ErrNotFound
	}
	for i := range t.W {
		switch t.L {
		case -1:
			if data, err = torchwood.AppendTileEntry(data, s.lines[i]); err != nil {
				return nil, err
			}
		case 0:
			data = append(data, s.leaves[i][:]...)
		default:
			data = append(data, s.above[torchwood.TileHeight*t.L][:]...)
		}
	}
	return data, nil
}
