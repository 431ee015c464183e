package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/keyturn/keyturn/shared/provider"
)

// maxPages bounds a list whose end never comes.
const maxPages = 1000

// Pages sends c and then follows next until it returns "", and returns every
// page. next gets a page and its header and says where the one after it is: a
// URL, absolute or relative to the page's own ("?page=2"). It reports false for
// a page that is not what the vendor sends.
//
// A page that cannot be read is an error, never a shorter list. So is a next
// page with another scheme, host or port than the first (it would be sent the
// credential), one that was read before, and the 1001st. c.Out is not used.
func Pages[T any](ctx context.Context, cl *Client, cred Credential, c Call, proof func(T) bool, next func(T, http.Header) (string, bool)) ([]T, error) {
	e := &provider.Error{Op: c.op()}
	u, err := cl.url(c)
	if err != nil {
		e.Kind, e.Err = provider.KindPermanent, err
		return nil, e
	}
	var pages []T
	seen := map[string]bool{}
	for len(pages) < maxPages {
		var page T
		c.Out, c.Proof = &page, func() bool { return proof(page) }
		h, err := cl.do(ctx, cred, c, u)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
		seen[u.String()] = true
		ref, ok := next(page, h)
		if !ok {
			e.Status, e.Err = http.StatusOK, errUnexpected
			return nil, e
		}
		if ref == "" {
			return pages, nil
		}
		n, err := u.Parse(ref)
		if err != nil || !sameOrigin(n, u) {
			e.Kind, e.Err = provider.KindPermanent, errors.New("the next page is on another host: refused")
			return nil, e
		}
		if u = n; seen[u.String()] {
			e.Kind, e.Err = provider.KindPermanent, errors.New("the pages go in a circle")
			return nil, e
		}
	}
	e.Kind, e.Err = provider.KindPermanent, errors.New("the list has more than 1000 pages")
	return nil, e
}

func sameOrigin(a, b *url.URL) bool {
	return a.User == nil && a.Scheme == b.Scheme && hostPort(a) == hostPort(b)
}
