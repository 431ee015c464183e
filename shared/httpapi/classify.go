package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// transport puts a failure without an answer into words that hold no URL, host
// or address: the standard errors print all three.
func transport(err error) (provider.Kind, error) {
	if b, ok := errors.AsType[*BlockedError](err); ok {
		return provider.KindBlocked, b
	}
	if errors.Is(err, context.Canceled) {
		return provider.KindUnknown, context.Canceled
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return provider.KindNotSent, errors.New("TLS: the server's certificate is not trusted")
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok && oe.Op == "dial" {
		return provider.KindNotSent, dialWords(oe)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return provider.KindUnknown, errors.New("no whole answer in time")
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return provider.KindUnknown, errors.New("the connection closed before the answer was whole")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return provider.KindUnknown, errors.New("the connection was reset")
	default:
		return provider.KindUnknown, errors.New("the transport failed")
	}
}

func dialWords(err *net.OpError) error {
	_, dns := errors.AsType[*net.DNSError](err)
	switch {
	case dns:
		return errors.New("dial: the host's name does not resolve")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("dial: connection refused")
	case err.Timeout():
		return errors.New("dial: timed out")
	default:
		return errors.New("dial: cannot connect")
	}
}

func kindOf(status int) provider.Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return provider.KindRateLimited
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return provider.KindAuth
	case status == http.StatusNotFound, status == http.StatusGone:
		return provider.KindNotFound
	case status >= 500, status == http.StatusRequestTimeout, status < 200:
		return provider.KindUnknown
	default:
		return provider.KindPermanent
	}
}

// retryAfter reads seconds or a date. An absurd value is kept: the caller's
// deadline decides. One that is negative, past or garbage is 0.
func (cl *Client) retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if reset, err := strconv.ParseInt(h.Get(cl.ResetHeader), 10, 64); v == "" && err == nil {
		return max(0, time.Unix(reset, 0).Sub(cl.now(h)))
	}
	digits := strings.Trim(v, "0123456789") == "" // ParseUint may see the range before it sees a letter
	if n, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) && digits {
		return time.Duration(min(n, math.MaxInt64/uint64(time.Second))) * time.Second
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return max(0, t.Sub(cl.now(h)))
}

// now returns the server's own time, where it tells it: our clock may be wrong.
func (cl *Client) now(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	if cl.Now != nil {
		return cl.Now()
	}
	return time.Now()
}

// decodeJSON reads one JSON value in which nothing is said twice.
func decodeJSON(b []byte, out any) error {
	if !unambiguous(b) {
		return errUnexpected
	}
	return json.Unmarshal(b, out)
}

// unambiguous reports whether b is one JSON value in which no object has a
// member twice. Parsers differ in which of two they take, and so may a proxy.
// Case is folded because encoding/json folds it.
func unambiguous(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if !walk(d, 0) {
		return false
	}
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

func walk(d *json.Decoder, depth int) bool {
	t, err := d.Token()
	if err != nil || depth > 100 {
		return false
	}
	open, ok := t.(json.Delim)
	if !ok {
		return true
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			s, ok := name.(string)
			s = strings.ToLower(s)
			if err != nil || !ok || seen[s] {
				return false
			}
			seen[s] = true
		}
		if !walk(d, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// maxText is how much of a foreign text [Safe] keeps.
const maxText = 80

// Safe makes a text that somebody else chose (a key's name, an id) fit to be
// logged or shown: printable ASCII, everything else escaped, at most 80
// characters. It does not hide secrets.
func Safe(s string) string {
	// Cut first: a name of a megabyte is not worth quoting.
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	q := strconv.QuoteToASCII(s)
	q = q[1 : len(q)-1]
	if len(q) > maxText {
		q, cut = q[:maxText], true
	}
	if cut {
		q += "..."
	}
	return q
}
