package detect

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// trackVersion begins every encoded track. A version is read as long as tracks
// of it may be stored, which is as long as the longest span.
const trackVersion = 1

var errTrack = errors.New("the track is not one of ours, or was cut")

// encode writes the track: its version, the settled minute, and for each pattern
// the name and the marks. Numbers are varints, minutes are differences, and
// texts have their length before them; an event's id that is a UUID has 16 bytes.
func (t *track) encode() []byte {
	b := []byte{trackVersion}
	b = binary.AppendUvarint(b, uint64(t.settled))
	b = binary.AppendUvarint(b, uint64(len(t.patterns)))
	for _, name := range slices.Sorted(maps.Keys(t.patterns)) {
		b = appendText(b, name)
		marks, last := t.patterns[name], uint32(0)
		b = binary.AppendUvarint(b, uint64(len(marks)))
		where := ""
		for _, m := range marks {
			b = binary.AppendUvarint(b, uint64(m.Minute-last))
			last = m.Minute
			b = appendText(b, m.Value)
			b = appendEvent(b, m.Event)
			if m.Where == where {
				b = append(b, 0)
			} else {
				b = appendText(append(b, 1), m.Where)
			}
			where = m.Where
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendEvent writes 0 and a text, or 1 and a UUID.
func appendEvent(b []byte, id string) []byte {
	if raw, ok := parseUUID(id); ok {
		return append(append(b, 1), raw[:]...)
	}
	return appendText(append(b, 0), id)
}

func parseUUID(s string) (raw [16]byte, ok bool) {
	if len(s) != 36 {
		return raw, false
	}
	digits := make([]byte, 0, 32)
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		digits = append(digits, s[i])
	}
	if _, err := hex.Decode(raw[:], digits); err != nil {
		return raw, false
	}
	return raw, formatUUID(raw) == s // upper case stays a text
}

func formatUUID(raw [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], raw[:4])
	hex.Encode(b[9:13], raw[4:6])
	hex.Encode(b[14:18], raw[6:8])
	hex.Encode(b[19:23], raw[8:10])
	hex.Encode(b[24:], raw[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// decode reads what encode wrote. It never reads beyond b, nor makes more than b can hold.
func decode(b []byte) (track, error) {
	if len(b) == 0 || b[0] != trackVersion {
		return track{}, fmt.Errorf("decode track: version is not %d", trackVersion)
	}
	r := reader{b: b[1:]}
	t := track{patterns: map[string][]Mark{}}
	t.settled = r.minute(0)
	for range r.count() {
		name := r.text()
		n := r.count()
		marks := make([]Mark, 0, n)
		m := Mark{}
		for range n {
			m.Minute = r.minute(m.Minute)
			m.Value, m.Event = r.text(), r.event()
			if r.one() == 1 {
				m.Where = r.text()
			}
			marks = append(marks, m)
		}
		t.patterns[name] = marks
	}
	if r.bad || len(r.b) > 0 {
		return track{}, errTrack
	}
	return t, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) minute(after uint32) uint32 {
	n := r.number() + uint64(after)
	if n >= 1<<32 {
		r.b, r.bad = nil, true
		return 0
	}
	return uint32(n)
}

// count reads how many things follow, each at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n) //nolint:gosec // at most len(r.b)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) text() string { return string(r.bytes(r.count())) }

func (r *reader) one() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) event() string {
	if r.one() == 0 {
		return r.text()
	}
	if b := r.bytes(16); b != nil {
		return formatUUID([16]byte(b))
	}
	return ""
}
