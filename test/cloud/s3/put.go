package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (s *Service) putObject(q *request, b *bucket) (*wire.Reply, error) {
	if err := condition(q, b); err != nil {
		return nil, err
	}
	body, h, err := payload(q.HTTP.Header, q.Body)
	if err != nil {
		return nil, err
	}
	v := &version{at: q.Now, body: body, etag: etag(body), header: http.Header{}}
	if v.sums, err = verify(h, body); err != nil {
		return nil, err
	}
	if err = v.protect(q, b); err != nil {
		return nil, err
	}
	if err = v.describe(h); err != nil {
		return nil, err
	}
	if v.id, err = s.newID(b); err != nil {
		return nil, err
	}
	b.add(q.key, v)
	out := http.Header{"Etag": {v.etag}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	v.showSums(out)
	b.showVersion(out, v)
	return &wire.Reply{Header: out}, nil
}

// random returns a version id of 32 characters.
func (s *Service) random() (string, error) {
	raw := make([]byte, 24)
	if _, err := s.rand.Read(raw); err != nil {
		return "", err
	}
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._").EncodeToString(raw), nil
}

// condition applies If-Match and If-None-Match of a write.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func condition(q *request, b *bucket) error {
	match, none := q.HTTP.Header.Get("If-Match"), q.HTTP.Header.Get("If-None-Match")
	now := b.latest(q.key)
	exists := now != nil && !now.marker
	switch {
	case match != "" && none != "":
		return unsupported("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
	case none != "" && none != "*":
		return unsupported("If-None-Match", "We don't accept the provided value of If-None-Match header for this API")
	case match == "*":
		return unsupported("If-Match", "We don't accept the provided value of If-Match header for this API")
	case none == "*" && exists:
		return precondition("If-None-Match")
	case match != "" && !exists:
		return fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", "Key", q.key)
	case match != "" && !same(match, now.etag):
		return precondition("If-Match")
	}
	return nil
}

// same compares ETags; quotes may be left out.
func same(asked, etag string) bool { return strings.Trim(asked, `"`) == strings.Trim(etag, `"`) }

func precondition(header string) error {
	return fail(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "Condition", header)
}

func unsupported(header, why string) error {
	return fail(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented", "Header", header, "additionalMessage", why)
}

type tag struct{ Key, Value string }

// describe keeps the metadata and the tags of a write.
func (v *version) describe(h http.Header) error {
	size := 0
	for name, values := range h {
		if key, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			size += len(key) + len(values[0])
			v.header[name] = []string{strings.Join(values, ",")}
		}
	}
	if size > 2048 {
		return fail(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
			"MaxSizeAllowed", "2048", "Size", strconv.Itoa(size))
	}
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Language", "Expires"} {
		if value := h.Get(name); value != "" {
			v.header.Set(name, value)
		}
	}
	encodings := slices.DeleteFunc(strings.Split(h.Get("Content-Encoding"), ","), func(e string) bool {
		return e == "" || strings.TrimSpace(e) == "aws-chunked"
	})
	if len(encodings) > 0 {
		v.header.Set("Content-Encoding", strings.Join(encodings, ","))
	}
	v.header.Set("Content-Type", "binary/octet-stream")
	if kind := h.Get("Content-Type"); kind != "" {
		v.header.Set("Content-Type", kind)
	}
	return v.label(h.Get("X-Amz-Tagging"))
}

func (v *version) label(header string) error {
	bad := invalid("x-amz-tagging", header, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	for pair := range strings.SplitSeq(header, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			return bad
		}
		if value, err = url.QueryUnescape(value); err != nil || strings.ContainsAny(value, "=,") ||
			slices.ContainsFunc(v.tags, func(t tag) bool { return t.Key == key }) {
			return bad
		}
		v.tags = append(v.tags, tag{key, value})
	}
	if len(v.tags) > 10 {
		return fail(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than 10")
	}
	return nil
}

func (s *Service) getTagging(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.find(q, b)
	if err != nil {
		return nil, err
	}
	type set struct{ Tag []tag }
	reply, err := answer(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Tagging"`
		TagSet  set
	}{TagSet: set{v.tags}})
	if err == nil {
		b.showVersion(reply.Header, v)
	}
	return reply, err
}

func (v *version) showSums(h http.Header) {
	for algorithm, value := range v.sums {
		h.Set(sumPrefix+algorithm, value)
		h.Set(sumPrefix+"Type", "FULL_OBJECT")
	}
}

func (b *bucket) showVersion(h http.Header, v *version) {
	if b.versioning != "" {
		h.Set("X-Amz-Version-Id", v.id)
	}
}
