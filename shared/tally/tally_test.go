package tally_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/tally"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func key(hours int, principal string) tally.Key {
	return tally.Key{Hour: noon.Add(time.Duration(hours) * time.Hour), Principal: principal, Secret: "arn:mailer", Network: "192.0.2.0/24"}
}

func reads(k tally.Key, from, to int) []tally.Read {
	var out []tally.Read
	for i := from; i < to; i++ {
		out = append(out, tally.Read{Key: k, EventID: fmt.Sprintf("event-%d", i), Time: k.Hour.Add(time.Duration(i) * time.Second)})
	}
	return out
}

// The digest is what its comment says, in any order.
func TestTally_Add(t *testing.T) {
	t.Parallel()
	all := reads(key(0, "app"), 0, 300)
	sum := new(big.Int)
	for _, r := range all {
		h := sha256.Sum256([]byte(r.EventID))
		sum.Add(sum, new(big.Int).SetBytes(h[:]))
	}
	want := fmt.Sprintf("%064x", sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256)))
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var got tally.Tally
		got.Key = key(0, "app")
		twice := append(append([]tally.Read(nil), all...), all[:100]...)
		r.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
		added := 0
		for len(twice) > 0 {
			n := min(len(twice), 1+r.IntN(50))
			added += got.Add(twice[:n]...)
			twice = twice[n:]
		}
		if added != 300 || got.Count != 300 || got.Digest.String() != want || !got.First.Equal(noon) || !got.Last.Equal(noon.Add(299*time.Second)) {
			t.Fatalf("seed %d: added %d, %+v, want digest %s", seed, added, got, want)
		}
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var again tally.Tally
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("another tally after JSON (-want +got):\n%s", diff)
		}
	}
}

func TestTally_bounded(t *testing.T) {
	t.Parallel()
	c := &tally.Counter{Cells: &cell.Memory{}, NewPart: func() string { return "1" }}
	k := key(0, "app")
	for i := range 10 {
		if err := c.Add(t.Context(), reads(k, i*tally.MaxRecent, (i+1)*tally.MaxRecent)); err != nil {
			t.Fatal(err)
		}
	}
	cells, err := c.Cells.Load(t.Context(), "reads", []string{"2026-11-24T12/" + k.ID()})
	if err != nil || len(cells) != 1 || len(cells[0].Data) > 24<<10 {
		t.Errorf("%d cells, %v, %d bytes", len(cells), err, len(cells[0].Data))
	}
}

// Whoever counts, however often, whatever answer is lost: nothing is lost, nothing
// counted twice, and a tally that was given to the ledger never changes.
func TestCounter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		s := &shaky{Memory: &cell.Memory{}, r: rand.New(rand.NewPCG(seed, 2))}
		part := 0
		c := &tally.Counter{Cells: s, NewPart: func() string { s.mu.Lock(); defer s.mu.Unlock(); part++; return strconv.Itoa(part) }}
		ledger := map[string]tally.Tally{}
		seal := func(before time.Time) error {
			return c.Seal(t.Context(), before, func(_ context.Context, batch []tally.Tally) error {
				for _, got := range batch {
					id := got.ID() + "/" + got.Part
					got.Revision = 0
					if had, ok := ledger[id]; ok {
						if diff := cmp.Diff(had, got); diff != "" {
							t.Fatalf("seed %d: %s changed (-first +then):\n%s", seed, id, diff)
						}
					}
					ledger[id] = got
				}
				return s.fail()
			})
		}
		again := func(what string, f func() error) {
			for range 50 {
				err := f()
				if err == nil {
					return
				}
				if errors.Is(err, tally.ErrSealed) {
					_ = seal(noon.Add(24 * time.Hour)) // the writer repeats until this is done
				}
			}
			t.Fatalf("seed %d: %s never ends", seed, what)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			batch := append(reads(key(i%2, "app"), 0, 40), reads(key(i%2, "job"), 0, 3)...)
			if seed%2 == 0 {
				wg.Go(func() {
					for range 60 {
						if c.Add(t.Context(), batch) == nil {
							return
						}
					}
					t.Errorf("seed %d: counting never ends", seed)
				})
				continue
			}
			again("counting", func() error { return c.Add(t.Context(), batch) })
			if i == 1 {
				again("sealing", func() error { return seal(noon.Add(time.Hour)) })
				batch = reads(key(0, "app"), 100, 110)
				again("counting what is late", func() error { return c.Add(t.Context(), batch) })
				break
			}
		}
		wg.Wait()
		again("sealing", func() error { return seal(noon.Add(24 * time.Hour)) })
		var got []string
		for _, sum := range tally.Totals(values(ledger)) {
			got = append(got, fmt.Sprintf("%s %s %d", sum.Hour.Format("15"), sum.Principal, sum.Count))
		}
		want := map[string]bool{"12 app 40": true, "12 job 3": true, "13 app 40": true, "13 job 3": true}
		if seed%2 == 1 {
			want = map[string]bool{"12 app 50": true, "12 job 3": true, "13 app 40": true, "13 job 3": true}
		}
		for _, g := range got {
			delete(want, g)
		}
		if len(got) != 4 || len(want) != 0 {
			t.Fatalf("seed %d: %v, missing %v", seed, got, want)
		}
		if err := s.Walk(t.Context(), "reads", "", func(c cell.Cell) error { return errors.New(c.Name) }); err != nil {
			t.Fatalf("seed %d: left behind: %v", seed, err)
		}
	}
}

// What is no tally is an error that says which cell, and is not counted over.
func TestCounter_foreign(t *testing.T) {
	t.Parallel()
	m := &cell.Memory{}
	k := key(0, "app")
	name := "2026-11-24T12/" + k.ID()
	if err := m.Put(t.Context(), cell.Cell{Part: "reads", Name: name, Data: []byte(`{"digest":"00"}`)}); err != nil {
		t.Fatal(err)
	}
	c := &tally.Counter{Cells: m, NewPart: func() string { return "1" }}
	if err := c.Add(t.Context(), reads(k, 0, 1)); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
}

func values(m map[string]tally.Tally) []tally.Tally {
	var out []tally.Tally
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// shaky is a store whose calls fail before or after they took effect.
type shaky struct {
	*cell.Memory
	mu sync.Mutex
	r  *rand.Rand
}

var errNoAnswer = errors.New("no answer")

func (s *shaky) fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r.IntN(10) == 0 {
		return errNoAnswer
	}
	return nil
}

func (s *shaky) Load(ctx context.Context, part string, names []string) ([]cell.Cell, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Memory.Load(ctx, part, names)
}

func (s *shaky) Put(ctx context.Context, c cell.Cell) error {
	if err := s.fail(); err != nil {
		return err
	}
	if err := s.Memory.Put(ctx, c); err != nil {
		return err
	}
	return s.fail()
}

func (s *shaky) Remove(ctx context.Context, c cell.Cell) error {
	if err := s.fail(); err != nil {
		return err
	}
	if err := s.Memory.Remove(ctx, c); err != nil {
		return err
	}
	return s.fail()
}
