package detect

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// trackVersion begins every encoded track. A version is read as long as tracks
// of it may be stored, which is as long as the longest span.
const trackVersion = 2

var errTrack = errors.New("the track is not one of ours, or was cut")

// encode writes the track: its version, the settled minute, and for each part its
// slot's id, its times and its marks. Numbers are varints, and texts have their
// length before them.
func (t *track) encode(slots []slot) []byte {
	size := 16
	for i := range t.parts {
		size += 32 + len(t.parts[i].body)
	}
	b := append(make([]byte, 0, size), trackVersion)
	b = binary.AppendUvarint(b, uint64(t.settled))
	b = binary.AppendUvarint(b, uint64(len(t.parts)))
	for i := range t.parts {
		p := &t.parts[i]
		b = appendText(b, slots[p.slot].id)
		for _, n := range []uint32{p.judged, p.due, p.end} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		b = appendText(b, p.body)
	}
	return b
}

// encodeMarks writes marks: minutes are differences, and the address is left out
// where it is that of the mark before.
func encodeMarks(marks []Mark) string {
	size := 4
	for i := range marks {
		size += 8 + len(marks[i].Value) + len(marks[i].Event)
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(len(marks)))
	last, where := uint32(0), ""
	for i := range marks {
		m := &marks[i]
		b = binary.AppendUvarint(b, uint64(m.Minute-last))
		last = m.Minute
		b = appendText(appendText(b, m.Value), m.Event)
		if m.Where == where {
			b = append(b, 0)
		} else {
			b = appendText(append(b, 1), m.Where)
		}
		where = m.Where
	}
	return string(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// packed begins the id of an event that is a UUID, of which 16 bytes follow; plain
// begins another that looks as if it began with one of the two.
const packed, plain = "\x00", "\x01"

// compact shortens an event's id, if it is a UUID as CloudTrail writes it.
func compact(id string) string {
	if id != "" && id[0] <= plain[0] {
		return plain + id
	}
	const hyphens = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(id) != len(hyphens) {
		return id
	}
	var digits [32]byte
	n := 0
	for i := range len(id) {
		switch c := id[i]; {
		case hyphens[i] == '-' && c == '-':
			continue
		case hyphens[i] == '-' || (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return id
		default:
			digits[n] = c
			n++
		}
	}
	raw := [17]byte{packed[0]}
	if _, err := hex.Decode(raw[1:], digits[:]); err != nil {
		return id
	}
	return string(raw[:])
}

// expand undoes compact.
func expand(id string) string {
	if id == "" || id[:1] != packed {
		return strings.TrimPrefix(id, plain)
	}
	if len(id) != 17 { // not ours: it was stored so
		return ""
	}
	var b [36]byte
	at := 0
	for i, n := range []int{4, 2, 2, 2, 6} {
		if i > 0 {
			b[at] = '-'
			at++
		}
		hex.Encode(b[at:], []byte(id[1:1+n]))
		id, at = id[n:], at+2*n
	}
	return string(b[:])
}

// decode reads what encode wrote, of those slots that there are. It never reads beyond
// b, nor makes more than b can hold.
func decode(b []byte, index map[string]int) (track, error) {
	if len(b) == 0 || b[0] != trackVersion {
		return track{}, fmt.Errorf("decode track: version is not %d", trackVersion)
	}
	r := reader{s: string(b[1:])}
	t := track{settled: r.minute(0)}
	n := r.count()
	t.parts = make([]part, 0, min(n, len(index)))
	for range n {
		id := r.text()
		p := part{judged: r.minute(0), due: r.minute(0), end: r.minute(0), body: r.text()}
		slot, ok := index[id]
		if !ok { // its rule is off, or gone
			continue
		}
		p.slot = slot
		i, found := t.find(slot)
		if found {
			return track{}, errTrack
		}
		t.parts = append(t.parts, part{})
		copy(t.parts[i+1:], t.parts[i:])
		t.parts[i] = p
	}
	if r.bad || r.s != "" {
		return track{}, errTrack
	}
	return t, nil
}

// decodeMarks reads what encodeMarks wrote.
func decodeMarks(body string) ([]Mark, error) {
	if body == "" {
		return nil, nil
	}
	r := reader{s: body}
	n := r.count()
	marks := make([]Mark, 0, n)
	m := Mark{}
	for range n {
		m.Minute = r.minute(m.Minute)
		m.Value, m.Event = r.text(), r.text()
		if r.one() == 1 {
			m.Where = r.text()
		}
		marks = append(marks, m)
	}
	if r.bad || r.s != "" {
		return nil, errTrack
	}
	return marks, nil
}

// reader reads from s. Texts are parts of it, which costs nothing.
type reader struct {
	s   string
	bad bool
}

func (r *reader) fail() { r.s, r.bad = "", true }

func (r *reader) number() uint64 {
	var n uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) minute(after uint32) uint32 {
	n := r.number() + uint64(after)
	if n >= 1<<32 {
		r.fail()
		return 0
	}
	return uint32(n)
}

// count reads how many things follow, each at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.s)) {
		r.fail()
		return 0
	}
	return int(n) //nolint:gosec // at most len(r.s)
}

func (r *reader) text() string {
	n := r.count()
	out := r.s[:n]
	r.s = r.s[n:]
	return out
}

func (r *reader) one() byte {
	if r.s == "" {
		r.fail()
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}
