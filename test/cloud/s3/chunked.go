package s3

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// payload returns the body as it was before aws-chunked, and the headers with
// the trailers among them. Chunks' signatures are not checked.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func payload(h http.Header, body []byte) ([]byte, http.Header, error) {
	if !strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return body, h, nil
	}
	h = h.Clone()
	var out []byte
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 32)
		if !ok || err != nil || n > uint64(len(rest)) {
			return nil, nil, incomplete()
		}
		body = rest[n:]
		if n == 0 {
			break
		}
		out = append(out, rest[:n]...)
		if body, ok = bytes.CutPrefix(body, []byte("\r\n")); !ok {
			return nil, nil, incomplete()
		}
	}
	if want := h.Get("X-Amz-Decoded-Content-Length"); want != strconv.Itoa(len(out)) {
		return nil, nil, incomplete()
	}
	announced := strings.ToLower(h.Get("X-Amz-Trailer"))
	for line := range strings.SplitSeq(string(body), "\n") {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r"), ":")
		if !ok || strings.EqualFold(name, "x-amz-trailer-signature") {
			continue
		}
		if !strings.EqualFold(name, announced) {
			return nil, nil, fail(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
		}
		h.Set(name, strings.TrimSpace(value))
		announced = ""
	}
	if announced != "" {
		return nil, nil, fail(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	}
	return out, h, nil
}

func incomplete() error {
	return fail(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
}
