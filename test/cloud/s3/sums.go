package s3

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"slices"
	"strings"
)

const sumPrefix = "X-Amz-Checksum-"

// algorithms are the checksums that are modeled.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func algorithms() []string { return []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"} }

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	default:
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) // NVME's polynomial, reversed
	}
}

func sum(algorithm string, body []byte) string {
	h := newHash(algorithm)
	_, _ = h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func etag(body []byte) string {
	digest := md5.Sum(body)
	return `"` + hex.EncodeToString(digest[:]) + `"`
}

// summed reports whether a request says what its body should hash to.
func summed(h http.Header) bool {
	if h.Get("Content-Md5") != "" || strings.HasPrefix(h.Get("X-Amz-Trailer"), strings.ToLower(sumPrefix)) {
		return true
	}
	return slices.ContainsFunc(algorithms(), func(a string) bool { return h.Get(sumPrefix+a) != "" })
}

// verify checks what the headers or trailers say about the body, and returns
// the checksums to keep: S3 makes one of its own where none was sent.
func verify(h http.Header, body []byte) (map[string]string, error) {
	if want := h.Get("Content-Md5"); want != "" {
		raw, err := base64.StdEncoding.DecodeString(want)
		if err != nil || len(raw) != md5.Size {
			return nil, fail(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.", "Content-MD5", want)
		}
		if got := `"` + hex.EncodeToString(raw) + `"`; got != etag(body) {
			return nil, fail(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	sums := map[string]string{}
	for name := range h {
		algorithm, ok := strings.CutPrefix(name, sumPrefix)
		algorithm = strings.ToLower(algorithm)
		if !ok || slices.Contains([]string{"type", "mode", "algorithm"}, algorithm) {
			continue
		}
		if !slices.Contains(algorithms(), algorithm) {
			return nil, fail(http.StatusNotImplemented, "NotImplemented", "the local AWS has no checksum "+algorithm)
		}
		want := h.Get(name)
		raw, err := base64.StdEncoding.DecodeString(want)
		if err != nil || len(raw) != newHash(algorithm).Size() {
			return nil, fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-"+algorithm+" header is invalid.")
		}
		if want != sum(algorithm, body) {
			return nil, fail(http.StatusBadRequest, "BadDigest", "The "+strings.ToUpper(algorithm)+" you specified did not match the calculated checksum.")
		}
		sums[algorithm] = want
	}
	if len(sums) > 1 {
		return nil, fail(http.StatusBadRequest, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	if len(sums) == 0 {
		sums["crc64nvme"] = sum("crc64nvme", body)
	}
	return sums, nil
}
