package s3

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// find returns the object version that a request names, which is not a marker.
func (s *Service) find(q *request, b *bucket) (*version, error) {
	params := q.HTTP.URL.Query()
	v, err := b.named(q.key, params.Get("versionId"), params.Has("versionId"))
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", "Key", q.key)
	case !v.marker:
		return v, nil
	case params.Has("versionId") || params.Has("tagging") || params.Has("retention") || params.Has("legal-hold"):
		err = fail(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.",
			"Method", q.HTTP.Method, "ResourceType", "DeleteMarker")
		return nil, marked(err, v, http.Header{"Allow": {"DELETE"}, "Last-Modified": {v.at.UTC().Format(http.TimeFormat)}})
	}
	return nil, marked(fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", "Key", q.key), v, http.Header{})
}

// marked adds what an answer about a delete marker has.
func marked(err error, v *version, h http.Header) error {
	h.Set("X-Amz-Delete-Marker", "true")
	h.Set("X-Amz-Version-Id", v.id)
	e := wire.AsError(err)
	e.Header = h
	return e
}

// named returns a version by its id, or the newest; nil if the key has none.
func (b *bucket) named(key, id string, byID bool) (*version, error) {
	if !byID {
		return b.latest(key), nil
	}
	if id != "null" && (len(id) != 32 || b.versioning == "") {
		return nil, invalid("versionId", id, "Invalid version id specified")
	}
	v := b.version(key, id)
	if v == nil {
		return nil, fail(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.", "Key", key, "VersionId", id)
	}
	return v, nil
}

// getObject answers GetObject and HeadObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Service) getObject(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.find(q, b)
	if err != nil {
		return nil, err
	}
	in := q.HTTP.Header
	if err = v.unchanged(in); err != nil {
		return nil, err
	}
	h := http.Header{"Etag": {v.etag}, "Accept-Ranges": {"bytes"}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	maps.Copy(h, v.header.Clone())
	h.Set("Last-Modified", v.at.UTC().Format(http.TimeFormat))
	b.showVersion(h, v)
	if n := len(v.tags); n > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(n))
	}
	if v.mode != "" {
		h.Set("X-Amz-Object-Lock-Mode", v.mode)
		h.Set("X-Amz-Object-Lock-Retain-Until-Date", stamp(v.until))
	}
	if v.held {
		h.Set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
	reply := &wire.Reply{Header: h, Body: v.body}
	if from, to, ok := ranged(in.Get("Range"), len(v.body)); ok {
		if from > to {
			return nil, fail(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable",
				"RangeRequested", in.Get("Range"), "ActualObjectSize", strconv.Itoa(len(v.body)))
		}
		reply.Status, reply.Body = http.StatusPartialContent, v.body[from:to+1]
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(v.body)))
	}
	if in.Get("X-Amz-Checksum-Mode") == "ENABLED" && len(reply.Body) == len(v.body) {
		v.showSums(h)
	}
	h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	if q.HTTP.Method == http.MethodHead {
		reply.Body = nil
	}
	return reply, nil
}

// unchanged applies the conditions of a read.
func (v *version) unchanged(h http.Header) error {
	modified := func(header string) (after, ok bool) {
		t, err := http.ParseTime(h.Get(header))
		return err == nil && v.at.Truncate(time.Second).After(t), err == nil
	}
	if match := h.Get("If-Match"); match != "" {
		if match != "*" && !same(match, v.etag) {
			return precondition("If-Match")
		}
	} else if after, ok := modified("If-Unmodified-Since"); ok && after {
		return precondition("If-Unmodified-Since")
	}
	if none := h.Get("If-None-Match"); none != "" {
		if none == "*" || same(none, v.etag) {
			return v.notModified()
		}
	} else if after, ok := modified("If-Modified-Since"); ok && !after {
		return v.notModified()
	}
	return nil
}

func (v *version) notModified() error {
	return &wire.Error{Code: "NotModified", Message: "Not Modified", Status: http.StatusNotModified, Header: http.Header{"Etag": {v.etag}}}
}

// ranged reads a Range of one part; one that makes no sense is left out, and one
// that begins after the end has from > to.
func ranged(header string, size int) (from, to int, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	if first == "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		if n == 0 || size == 0 {
			return 1, 0, true
		}
		return max(0, size-n), size - 1, true
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return 0, 0, false
	}
	to = size - 1
	if last != "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < from {
			return 0, 0, false
		}
		to = min(to, n)
	}
	return from, to, true
}
