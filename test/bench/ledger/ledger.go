// Package ledger measures what an append to the ledger costs, in logs of different
// sizes. The stores are in memory: it counts the calls, and measures our own work.
package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// Batch is how many entries are appended at once, and Batches how often.
const (
	Batch   = 100
	Batches = 64
)

// Cost is what the appends cost, on average.
type Cost struct {
	Puts, Gets float64 // objects created and read, for a batch
	Bytes      float64 // stored, for an entry, with partial tiles that pass
	Locked     float64 // of these, those of objects that stay
	Rate       float64 // entries appended in a second, on this machine
}

// world is a store of a log.
type world interface {
	ledger.Objects
	ledger.Head
	Calls(op string) int
}

// Measured returns the cost in a log of size entries that were appended.
func Measured(ctx context.Context, size int64) (Cost, error) {
	k, err := key()
	if err != nil {
		return Cost{}, err
	}
	m := &ledgertest.Memory{}
	l := ledgertest.Log(m, k)
	if err := l.Create(ctx); err != nil {
		return Cost{}, err
	}
	for at := int64(0); at < size; at += ledger.MaxBatch {
		if _, err := l.Append(ctx, batch("past", at, min(size-at, ledger.MaxBatch))); err != nil {
			return Cost{}, err
		}
	}
	return cost(ctx, m, k)
}

// Simulated returns the cost in a log whose first size entries are computed.
func Simulated(ctx context.Context, size int64) (Cost, error) {
	k, err := key()
	if err != nil {
		return Cost{}, err
	}
	s, err := newSimulated(k, size)
	if err != nil {
		return Cost{}, err
	}
	return cost(ctx, s, k)
}

func key() (*ledgertest.Key, error) { return ledgertest.NewKey("keyturn.example/bench", "bench") }

func cost(ctx context.Context, w world, k *ledgertest.Key) (Cost, error) {
	c := &counted{world: w}
	l := ledger.New(ledger.Config{Objects: c, Head: w, Signer: k, Verifier: k.Verifier})
	puts, gets := w.Calls("create"), w.Calls("read")
	began := time.Now()
	for n := range int64(Batches) {
		if _, err := l.Append(ctx, batch("new", n*Batch, Batch)); err != nil {
			return Cost{}, fmt.Errorf("append: %w", err)
		}
	}
	took := time.Since(began)
	const entries = Batches * Batch
	return Cost{
		Puts: float64(w.Calls("create")-puts) / Batches, Gets: float64(w.Calls("read")-gets) / Batches,
		Bytes: float64(c.bytes) / entries, Locked: float64(c.locked) / entries, Rate: entries / took.Seconds(),
	}, nil
}

// counted counts what is stored. One goroutine uses it.
type counted struct {
	world

	bytes, locked int
}

func (c *counted) Create(ctx context.Context, path string, data []byte) error {
	c.bytes += len(data)
	if !ledger.Passing(path) {
		c.locked += len(data)
	}
	return c.world.Create(ctx, path, data)
}

func batch(writer string, from, n int64) []ledger.Entry {
	out := make([]ledger.Entry, n)
	for i := range out {
		out[i] = entryOf(writer, from+int64(i))
	}
	return out
}

// entryOf is an entry about as long as that of a rotation's step. It is made up.
func entryOf(writer string, n int64) ledger.Entry {
	return ledger.Entry{
		ID: fmt.Sprintf("rotation-%012d/set", n), Writer: "AROAEXAMPLEEXAMPLE000:" + writer, Time: time.Unix(1e9+n, 0),
		Act: json.RawMessage(fmt.Sprintf(`{"act":"create","outcome":"done","secret":"prod/mailer/sendgrid","vendor":"sendgrid","account":"main",`+
			`"key_id":"KEY%012d","fingerprint":"b5bb9d8014a0f9b1d61e21e796d78dcc","version":"11111111-2222-4333-8444-%012d"}`, n, n)),
	}
}
