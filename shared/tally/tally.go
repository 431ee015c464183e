// Package tally counts the reads of secrets by the hour: per principal, secret and
// network, so that a consumer that reads a hundred times a second costs one ledger
// entry an hour.
//
// An hour's tally is open until it is sealed; what it says then goes to the ledger
// under an ID of its own, and the tally is removed. A read that comes later opens
// another tally of the same hour: the hour's count is their sum.
package tally

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Key is what reads are counted by.
type Key struct {
	Hour      time.Time `json:"hour"`      // its beginning, in UTC
	Principal string    `json:"principal"` // as trail.Identity names it
	Secret    string    `json:"secret"`    // its ARN, or its name where CloudTrail says no more
	Network   string    `json:"network"`   // "192.0.2.0/24", or what took the place of an address
}

// ID names k in 32 hexadecimal digits.
func (k Key) ID() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{k.Hour.UTC().Format(time.RFC3339), k.Principal, k.Secret, k.Network}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Read is one read that succeeded.
type Read struct {
	Key
	EventID string // CloudTrail's
	Time    time.Time
}

// MaxRecent is how many reads a Tally knows again when they come twice. EventBridge
// and SQS repeat within minutes; what comes twice later than that is counted twice,
// and the digest shows it.
const MaxRecent = 2048

// Tally is the count of one Key. The zero value with a Key counts nothing yet.
type Tally struct {
	Key
	Part     string    `json:"part"` // distinguishes the tallies of one Key
	Count    int64     `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Digest   Digest    `json:"digest"`
	Recent   Recent    `json:"recent,omitempty"` // of the events counted last, oldest first; at most MaxRecent
	Sealed   bool      `json:"sealed,omitempty"` // it takes no more
	Revision int64     `json:"-"`                // of the stored tally; 0: it is not stored
}

// Recent are the first eight bytes of the SHA-256 of eventIDs.
type Recent []uint64

// MarshalText implements encoding.TextMarshaler: base64 of the bytes.
func (r Recent) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 8*len(r))
	for _, n := range r {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Recent) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(b)%8 != 0 {
		return errors.New("not a list of events")
	}
	*r = (*r)[:0]
	for ; len(b) > 0; b = b[8:] {
		*r = append(*r, binary.BigEndian.Uint64(b))
	}
	return nil
}

// Add counts those of reads that it does not know, all of which must be of t's Key,
// and returns how many these were.
func (t *Tally) Add(reads ...Read) int {
	known := make(map[uint64]bool, len(t.Recent))
	for _, r := range t.Recent {
		known[r] = true
	}
	added := 0
	for _, r := range reads {
		sum := sha256.Sum256([]byte(r.EventID))
		id := binary.BigEndian.Uint64(sum[:])
		if known[id] {
			continue
		}
		known[id] = true
		added++
		t.Count++
		t.Digest.add(sum)
		t.Recent = append(t.Recent, id)
		if t.First.IsZero() || r.Time.Before(t.First) {
			t.First = r.Time
		}
		if r.Time.After(t.Last) {
			t.Last = r.Time
		}
	}
	t.Recent = slices.Clone(t.Recent[max(0, len(t.Recent)-MaxRecent):])
	return added
}

// Digest stands for a set of events: the sum of the SHA-256 of their eventIDs,
// modulo 2^256, big-endian. It does not depend on their order, so that anybody who
// has CloudTrail's files can compute it again.
type Digest [32]byte

// String returns d in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler: as String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return errors.New("not a digest")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// Plus returns the digest of both sets, which must have no event in common.
func (d Digest) Plus(other Digest) Digest {
	d.add(other)
	return d
}

// Minus returns the digest of the events of d that are not in other, all of which must
// be in d.
func (d Digest) Minus(other Digest) Digest {
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var left uint64
		left, borrow = bits.Sub64(binary.BigEndian.Uint64(d[i:]), binary.BigEndian.Uint64(other[i:]), borrow)
		binary.BigEndian.PutUint64(d[i:], left)
	}
	return d
}

func (d *Digest) add(n [32]byte) {
	var carry uint64
	for i := 24; i >= 0; i -= 8 {
		var sum uint64
		sum, carry = bits.Add64(binary.BigEndian.Uint64(d[i:]), binary.BigEndian.Uint64(n[i:]), carry)
		binary.BigEndian.PutUint64(d[i:], sum)
	}
}
