package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// settle returns the head, and as it is stored, after it finished
// what the writer of the head may not have finished.
func (l *Log) settle(ctx context.Context) (head, []byte, error) {
	raw, err := l.cfg.Head.Load(ctx)
	if errors.Is(err, ErrNotFound) {
		return head{}, nil, ErrNoLog
	}
	if err != nil {
		return head{}, nil, fmt.Errorf("load head: %w", err)
	}
	h, err := parseHead(raw)
	if err != nil {
		return head{}, nil, err
	}
	switch err := l.signed(ctx, h.tree()); {
	case errors.Is(err, ErrNotFound):
		if err := l.mend(ctx, h); err != nil {
			return head{}, nil, fmt.Errorf("finish the last append: %w", err)
		}
	case err != nil:
		return head{}, nil, err
	}
	return h, raw, nil
}

// signed returns nil if there is a checkpoint of tree, and an error that is
// ErrNotFound if there is none of this size.
func (l *Log) signed(ctx context.Context, tree tlog.Tree) error {
	path := checkpointPath(tree.N)
	data, err := l.cfg.Objects.Read(ctx, path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	switch got, err := OpenCheckpoint(data, l.cfg.Verifier); {
	case err != nil:
		return &TamperError{Path: path, Index: -1, Why: err.Error()}
	case got != tree:
		return &TamperError{Path: path, Index: -1, Why: "is of another tree than the head"}
	}
	return nil
}

// mend publishes the head's batch from where it was staged.
func (l *Log) mend(ctx context.Context, h head) error {
	if h.Size == 0 {
		return l.checkpoint(ctx, h.tree())
	}
	if err := l.signed(ctx, h.prev()); err != nil {
		return err
	}
	path := stagingPath(h)
	data, err := l.cfg.Objects.Read(ctx, path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	leaves, err := split(data)
	if err != nil {
		return &TamperError{Path: path, Index: h.PrevSize, Why: err.Error()}
	}
	before, err := l.before(ctx, h)
	if err != nil {
		return err
	}
	g, err := newReader(l.cfg.Objects.Read, before).grow(ctx, leaves)
	if err != nil {
		return err
	}
	if g.to != h.tree() {
		return &TamperError{Path: path, Index: h.PrevSize, Why: "does not make the tree of the head"}
	}
	return l.publish(ctx, h, g)
}

// before returns the head that h grew from.
func (l *Log) before(ctx context.Context, h head) (head, error) {
	if h.PrevSize == 0 {
		return head{Version: 1, Root: h.PrevRoot, PrevRoot: h.PrevRoot}, nil
	}
	return readHead(ctx, l.cfg.Objects.Read, h)
}

// publish writes what follows from a head that is in place. Every writer that does
// this writes the same. The head's successor comes first: a head that was put back
// to an older one is refused there, before anything of a fork is signed. The
// checkpoint comes last: it says that all the rest is there.
func (l *Log) publish(ctx context.Context, h head, g growth) error {
	if err := l.keep(ctx, nextPath(h.PrevSize), h.encode()); err != nil {
		return err
	}
	objects := g.tiles
	for i, leaf := range g.leaves {
		e, err := Decode(leaf)
		if err != nil {
			return fmt.Errorf("entry %d: %w", g.from.N+int64(i), err)
		}
		objects = append(objects, object{e.idPath(), strconv.AppendInt(nil, g.from.N+int64(i), 10)})
	}
	err := each(ctx, l.cfg.Parallel, len(objects), func(ctx context.Context, i int) error {
		return l.keep(ctx, objects[i].path, objects[i].data)
	})
	if err != nil {
		return err
	}
	return l.checkpoint(ctx, g.to)
}

// checkpoint signs tree, which must be the head's.
func (l *Log) checkpoint(ctx context.Context, tree tlog.Tree) error {
	data, err := sign(ctx, l.cfg.Signer, l.cfg.Verifier, tree)
	if err != nil {
		return err
	}
	err = l.cfg.Objects.Create(ctx, checkpointPath(tree.N), data)
	if errors.Is(err, ErrExists) { // another writer's, whose signature need not be the same bytes
		return l.signed(ctx, tree)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", checkpointPath(tree.N), err)
	}
	return nil
}

// keep creates an object, or makes sure that it is there with the same data.
func (l *Log) keep(ctx context.Context, path string, data []byte) error {
	err := l.cfg.Objects.Create(ctx, path, data)
	if !errors.Is(err, ErrExists) {
		if err != nil {
			return fmt.Errorf("create %s: %w", path, err)
		}
		return nil
	}
	have, err := l.cfg.Objects.Read(ctx, path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if !bytes.Equal(have, data) {
		return &TamperError{Path: path, Index: -1, Why: "is there already, with other content"}
	}
	return nil
}

// each calls f for 0 to n-1, up to limit of them at once, and begins none after an
// error.
func each(ctx context.Context, limit, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, limit)
	for i := range n {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := f(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
