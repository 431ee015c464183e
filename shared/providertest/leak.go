package providertest

import (
	"encoding/base64"
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
	parts := map[string]bool{}
	var short []string
	for _, s := range secrets {
		for i := range max(0, len(s)-window+1) {
			parts[s[i:i+window]] = true
		}
		if s != "" && len(s) < window {
			short = append(short, s)
		}
	}
	for _, form := range forms(text) {
		if l := leakIn(form, parts, short); l != "" {
			return l
		}
	}
	return ""
}

func leakIn(text string, parts map[string]bool, short []string) string {
	for i := range max(0, len(text)-window+1) {
		if w := text[i : i+window]; parts[w] {
			return w
		}
	}
	for _, s := range short {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

var (
	hexRun     = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
	base64Run  = regexp.MustCompile(`[0-9A-Za-z+/_-]{8,}`)
	percent    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	jsonEscape = regexp.MustCompile(`\\(u[0-9A-Fa-f]{4}|.)`)
)

// forms returns text and everything that it may be an encoding of.
func forms(text string) []string {
	out := []string{text}
	if u := percent.ReplaceAllStringFunc(text, unpercent); u != text {
		out = append(out, u)
	}
	if j := jsonEscape.ReplaceAllStringFunc(text, unescape); j != text {
		out = append(out, j)
	}
	for _, run := range hexRun.FindAllString(text, -1) {
		for skip := range 2 {
			part := run[skip:]
			b, _ := hex.DecodeString(part[:len(part)/2*2]) // all hex, and even
			out = append(out, string(b))
		}
	}
	standard := strings.NewReplacer("-", "+", "_", "/")
	for _, run := range base64Run.FindAllString(text, -1) {
		for skip := range 4 {
			part := standard.Replace(run[skip:])
			if len(part)%4 == 1 {
				part = part[:len(part)-1]
			}
			b, _ := base64.RawStdEncoding.DecodeString(part) // what is decoded is looked at
			out = append(out, string(b))
		}
	}
	return out
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
