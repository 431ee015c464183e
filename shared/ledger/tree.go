package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// reader reads the objects of one tree. Every hash and entry that it returns is
// proven against the root.
type reader struct {
	read readFunc
	head head
	tree tlog.Tree
	got  map[string][]byte

	unread bool // a read failed
}

func newReader(read readFunc, h head) *reader {
	return &reader{read: read, head: h, tree: h.tree(), got: map[string][]byte{}}
}

type readFunc = func(ctx context.Context, path string) ([]byte, error)

// ReadEndpoint reads an object, once.
func (r *reader) ReadEndpoint(ctx context.Context, path string) ([]byte, error) {
	if data, ok := r.got[path]; ok {
		return data, nil
	}
	data, err := r.read(ctx, path)
	if errors.Is(err, ErrNotFound) && Passing(path) {
		return r.again(ctx, path)
	}
	if errors.Is(err, ErrNotFound) {
		return nil, &TamperError{Path: path, Index: -1, Why: "missing"}
	}
	if err != nil {
		r.unread = true
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	r.got[path] = data
	return data, nil
}

// ReadTiles reads tiles of hashes, for torchwood.
func (r *reader) ReadTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, 0, len(tiles))
	for _, t := range tiles {
		d, err := r.ReadEndpoint(ctx, torchwood.TilePath(t))
		if err != nil {
			return nil, err
		}
		if len(d) != t.W*tlog.HashSize {
			return nil, &TamperError{Path: torchwood.TilePath(t), Index: -1, Why: fmt.Sprintf("%d bytes, want %d", len(d), t.W*tlog.HashSize)}
		}
		data = append(data, d)
	}
	return data, nil
}

// SaveTiles does nothing: ReadEndpoint has kept them.
func (*reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *reader) hashes(ctx context.Context) tlog.HashReader {
	return torchwood.TileHashReaderWithContext(ctx, r.tree, r)
}

// width returns how many of the 256 entries of bundle n a tree of size has.
func width(size, n int64) int { return int(min(torchwood.TileWidth, size-n*torchwood.TileWidth)) }

func bundlePath(size, n int64) string {
	return torchwood.TilePath(tlog.Tile{H: torchwood.TileHeight, L: -1, N: n, W: width(size, n)})
}

// bundle returns the entries of bundle n.
func (r *reader) bundle(ctx context.Context, n int64) ([][]byte, error) {
	path := bundlePath(r.tree.N, n)
	data, err := r.ReadEndpoint(ctx, path)
	if err != nil {
		return nil, err
	}
	leaves, err := split(data)
	w := width(r.tree.N, n)
	if err != nil || len(leaves) != w {
		return nil, &TamperError{Path: path, Index: n * torchwood.TileWidth, Why: "not a bundle of the entries that the tree has there"}
	}
	at := make([]int64, w)
	for i := range at {
		at[i] = tlog.StoredHashIndex(0, n*torchwood.TileWidth+int64(i))
	}
	want, err := r.hashes(ctx).ReadHashes(at)
	if err != nil {
		return nil, fmt.Errorf("read hashes: %w", err)
	}
	for i, leaf := range leaves {
		if tlog.RecordHash(leaf) != want[i] {
			return nil, &TamperError{Path: path, Index: n*torchwood.TileWidth + int64(i), Why: "the entry is not in the tree"}
		}
	}
	return leaves, nil
}

// entry returns the entry at index.
func (r *reader) entry(ctx context.Context, index int64) ([]byte, error) {
	leaves, err := r.bundle(ctx, index/torchwood.TileWidth)
	if err != nil {
		return nil, err
	}
	return leaves[index%torchwood.TileWidth], nil
}

func split(bundle []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(bundle) > 0 {
		leaf, rest, err := torchwood.ReadTileEntry(bundle)
		if err != nil {
			return leaves, fmt.Errorf("split bundle: %w", err)
		}
		leaves, bundle = append(leaves, leaf), rest
	}
	return leaves, nil
}

func join(leaves [][]byte) ([]byte, error) {
	var bundle []byte
	for _, leaf := range leaves {
		var err error
		if bundle, err = torchwood.AppendTileEntry(bundle, leaf); err != nil {
			return nil, fmt.Errorf("join bundle: %w", err)
		}
	}
	return bundle, nil
}

type object struct {
	path string
	data []byte
}

// growth is a batch and all that it adds to a tree. It depends on nothing but the
// tree and the entries: whoever computes it, computes the same.
type growth struct {
	from, to tlog.Tree
	leaves   [][]byte
	tiles    []object
}

// grow computes what leaves add to the reader's tree.
func (r *reader) grow(ctx context.Context, leaves [][]byte) (growth, error) {
	size := r.tree.N
	g := growth{from: r.tree, leaves: leaves}
	g.to.N = size + int64(len(leaves))
	hashes := overlay{old: r.hashes(ctx), fresh: map[int64]tlog.Hash{}}
	for i, leaf := range leaves {
		n := size + int64(i)
		stored, err := tlog.StoredHashes(n, leaf, hashes)
		if err != nil {
			return growth{}, fmt.Errorf("hash entry %d: %w", n, err)
		}
		for j, h := range stored {
			hashes.fresh[tlog.StoredHashIndex(0, n)+int64(j)] = h
		}
	}
	var err error
	if g.to.Hash, err = tlog.TreeHash(g.to.N, hashes); err != nil {
		return growth{}, fmt.Errorf("hash tree of %d: %w", g.to.N, err)
	}
	if g.tiles, err = r.bundles(ctx, g.to.N, leaves); err != nil {
		return growth{}, err
	}
	for _, t := range tlog.NewTiles(torchwood.TileHeight, size, g.to.N) {
		data, err := tlog.ReadTileData(t, hashes)
		if err != nil {
			return growth{}, fmt.Errorf("make %s: %w", torchwood.TilePath(t), err)
		}
		g.tiles = append(g.tiles, object{torchwood.TilePath(t), data})
	}
	return g, nil
}

// bundles returns the bundles of a tree of size that leaves, its last, change.
func (r *reader) bundles(ctx context.Context, size int64, leaves [][]byte) ([]object, error) {
	var out []object
	n := r.tree.N / torchwood.TileWidth
	if r.tree.N%torchwood.TileWidth != 0 {
		old, err := r.bundle(ctx, n)
		if err != nil {
			return nil, err
		}
		leaves = slices.Concat(old, leaves)
	}
	for ; len(leaves) > 0; n++ {
		w := width(size, n)
		data, err := join(leaves[:w])
		if err != nil {
			return nil, err
		}
		out = append(out, object{bundlePath(size, n), data})
		leaves = leaves[w:]
	}
	return out, nil
}

// overlay reads hashes that are known or not stored yet, and the stored ones below them,
// which it keeps.
type overlay struct {
	old   tlog.HashReader
	fresh map[int64]tlog.Hash
}

// ReadHashes reads those that are missing here from the tree, all at once.
func (o overlay) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var missing []int64
	var where []int
	for i, index := range indexes {
		if h, ok := o.fresh[index]; ok {
			out[i] = h
		} else {
			missing, where = append(missing, index), append(where, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	stored, err := o.old.ReadHashes(missing)
	if err != nil {
		return nil, err
	}
	for i, h := range stored {
		out[where[i]], o.fresh[missing[i]] = h, h
	}
	return out, nil
}
