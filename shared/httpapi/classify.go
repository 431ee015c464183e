package httpapi

import (
	"context"
	"crypto/tls"
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
