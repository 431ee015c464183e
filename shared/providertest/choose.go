package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing/iotest"

	"github.com/keyturn/keyturn/shared/provider"
)

// sensitive returns how many bytes of the randomness make a difference to a
// value; it counts no more than 16.
func sensitive(c provider.Chooser, random io.Reader) (n int) {
	var seed [256]byte
	_, _ = io.ReadFull(random, seed[:]) // it never ends
	was, _ := c.Choose(bytes.NewReader(seed[:]))
	for i := range seed {
		seed[i] ^= 0xff
		if is, err := c.Choose(bytes.NewReader(seed[:])); err == nil && !is.Equal(was) {
			n++
		}
		seed[i] ^= 0xff
		if n == 16 {
			break
		}
	}
	return n
}

// choices: values that we choose fit the shape, which the spy looks at, are
// never the same, and are never made of less randomness than asked for.
func choices(b *bench) error {
	var c provider.Chooser
	switch {
	case b.slots.Place != nil:
		c = b.slots.Place
	case b.roll.set != nil:
		c = b.roll.set
	default:
		return nil
	}
	if b.s.Definition.Shape == "" {
		return errors.New("the facts do not say which shape a value has that we choose")
	}
	n := b.tr.Requests()
	seen := map[string]bool{}
	for range 100 {
		v, err := c.Choose(iotest.OneByteReader(b))
		if err != nil {
			return fmt.Errorf("choose: %w", err)
		}
		seen[v.Reveal()] = true
	}
	if len(seen) != 100 {
		return fmt.Errorf("of 100 chosen values %d differ", len(seen))
	}
	if n := sensitive(c, b); n < 16 {
		return fmt.Errorf("%d bytes of the randomness make a difference to a value, want 16 or more", n)
	}
	for _, size := range []int{0, 8} { // 64 bits are no secret
		if v, err := c.Choose(bytes.NewReader(make([]byte, size))); err == nil || !v.Empty() {
			return fmt.Errorf("a value chosen from %d bytes and the end of the randomness: want an error, got %w", size, err)
		}
	}
	if b.tr.Requests() > n {
		return errors.New("Choose sent a request")
	}
	return nil
}
