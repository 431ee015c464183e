package redis

import (
	"errors"
	"strconv"

	"github.com/keyturn/keyturn/shared/provider"
)

// maxAnswers is how many bytes of answers, and of claims in them, a connection
// may bring.
const maxAnswers = 1 << 20

var errTooLarge = errors.New("the answers are larger than 1 MB")

// bounded is a connection whose server can make nobody allocate more than a
// budget. The library believes a length before it has read a byte of it, so
// lengths are looked at while they come by: a bulk string costs its bytes, and
// an array what its members take in memory.
type bounded struct {
	provider.Conn

	left int    // of the budget
	line []byte // "$12" or "*3" so far, of the line that is being read
	skip int    // bytes of a bulk string, with its line end, still to come
}

const (
	memberSize = 16 // of an interface
	maxLength  = 32 // of a line that announces one
)

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.left -= n
	for _, c := range p[:n] {
		if b.left < 0 {
			break
		}
		b.pass(c)
	}
	if b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// pass looks at the next byte.
func (b *bounded) pass(c byte) {
	switch {
	case b.skip > 0:
		b.skip--
	case c == '\n':
		b.claim(string(b.line))
		b.line = b.line[:0]
	case c != '\r':
		if len(b.line) <= maxLength { // a text may be longer
			b.line = append(b.line, c)
		}
	}
}

// claim pays for what a line announces.
func (b *bounded) claim(line string) {
	if line == "" || line[0] != '$' && line[0] != '*' {
		return
	}
	n, err := strconv.Atoi(line[1:])
	switch {
	case err != nil || n > maxAnswers || len(line) > maxLength:
		b.left = -1
	case n < 0: // null
	case line[0] == '$':
		b.skip = n + len("\r\n")
		// The bytes themselves are paid for when they come; this is for those
		// that never do.
		b.left -= n
	default:
		b.left -= n * memberSize
	}
}
