package providertest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// window is how many characters of a secret in a row are a leak.
const window = 8

// Leak returns the first eight characters in a row of one of the secrets that
// text shows, raw, in hex or base64, or escaped for a URL or for JSON; "" if
// there are none. A secret of fewer than eight characters must be there whole.
func Leak(text string, secrets []string) string {
	var l leaks
	l.hide(secrets)
	return l.in(text)
}

// leaks looks for the secrets that it was told. The zero value knows none.
type leaks struct {
	known map[string]bool
	parts map[uint64]bool // windows of eight characters, as numbers
	maybe [1 << 10]uint64 // bits of those that there may be, to ask parts less
	short []string
}

func part(s string, at int) uint64 {
	return binary.LittleEndian.Uint64([]byte(s[at : at+window]))
}

// slotOf returns where in maybe the bit of a window is.
func slotOf(part uint64) (at, bit uint64) {
	h := part * 0x9e3779b97f4a7c15 >> 48
	return h >> 6, 1 << (h & 63)
}

// hide adds secrets to those that are known.
func (l *leaks) hide(secrets []string) {
	if l.known == nil {
		l.known, l.parts = map[string]bool{}, map[uint64]bool{}
	}
	for _, s := range secrets {
		if s == "" || l.known[s] {
			continue
		}
		l.known[s] = true
		for i := range max(0, len(s)-window+1) {
			p := part(s, i)
			at, bit := slotOf(p)
			l.parts[p], l.maybe[at] = true, l.maybe[at]|bit
		}
		if len(s) < window {
			l.short = append(l.short, s)
		}
	}
}

func (l *leaks) in(text string) string {
	for _, form := range forms(text) {
		for i := range max(0, len(form)-window+1) {
			p := part(form, i)
			if at, bit := slotOf(p); l.maybe[at]&bit != 0 && l.parts[p] {
				return form[i : i+window]
			}
		}
		for _, s := range l.short {
			if strings.Contains(form, s) {
				return s
			}
		}
	}
	return ""
}

var (
	percent    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	jsonEscape = regexp.MustCompile(`\\(u[0-9A-Fa-f]{4}|.)`)
)

// forms returns text and everything that it may be an encoding of.
func forms(text string) []string {
	out := []string{text}
	if strings.Contains(text, "%") {
		out = append(out, percent.ReplaceAllStringFunc(text, unpercent))
	}
	if strings.Contains(text, `\`) {
		out = append(out, jsonEscape.ReplaceAllStringFunc(text, unescape))
	}
	for run := range strings.FieldsFuncSeq(text, notHex) {
		if len(run) < 2*window {
			continue
		}
		for skip := range 2 {
			part := run[skip:]
			b, _ := hex.DecodeString(part[:len(part)/2*2]) // all hex, and even
			out = append(out, string(b))
		}
	}
	for run := range strings.FieldsFuncSeq(text, notBase64) {
		if len(run) < window {
			continue
		}
		for skip := range 4 {
			part := strings.Map(standard, run[skip:])
			if len(part)%4 == 1 {
				part = part[:len(part)-1]
			}
			b, _ := base64.RawStdEncoding.DecodeString(part) // what is decoded is looked at
			out = append(out, string(b))
		}
	}
	return out
}

// standard returns a digit of base64 for URLs as one of the usual base64.
func standard(r rune) rune {
	switch r {
	case '-':
		return '+'
	case '_':
		return '/'
	}
	return r
}

func notHex(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'F') && (r < 'a' || r > 'f')
}

func notBase64(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("+/_-", r)
}

func unpercent(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return u
}

func unescape(s string) string {
	if len(s) == 6 && s[1] == 'u' {
		if n, err := strconv.ParseInt(s[2:], 16, 32); err == nil {
			return string(rune(n))
		}
	}
	return s[1:]
}
