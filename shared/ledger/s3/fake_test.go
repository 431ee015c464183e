package s3_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// version is one of a key, newest first; data nil is a deletion.
type version struct {
	data []byte
	lock string
}

// bucket is S3 as far as a ledger uses it, for one bucket. Its pages have three versions.
type bucket struct {
	mu       sync.Mutex
	keys     map[string][]version
	conflict int // how many of the next writes are said to collide
	lose     int // how many of the next answers are lost
}

func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lose > 0 {
		b.lose--
		return nil, io.ErrUnexpectedEOF
	}
	return w.Result(), nil
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	have := b.keys[key]
	there := len(have) > 0 && have[0].data != nil
	switch {
	case r.Method == http.MethodPut && b.conflict > 0:
		b.conflict--
		refuse(w, http.StatusConflict, "ConditionalRequestConflict")
	case r.Method == http.MethodPut && r.Header.Get("If-None-Match") == "*" && there:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		data, _ := io.ReadAll(r.Body)
		lock := r.Header.Get("X-Amz-Object-Lock-Mode") + " " + r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date")
		b.keys[key] = slices.Insert(have, 0, version{append([]byte{}, data...), strings.TrimSpace(lock)})
	case r.URL.Query().Has("versions"):
		b.list(w, r)
	case !there:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		_, _ = w.Write(have[0].data)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", code)
}

type listed struct {
	Key       string
	VersionId string //nolint:revive // AWS's name
	IsLatest  bool
}

func (b *bucket) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var out struct {
		XMLName                            xml.Name `xml:"ListVersionsResult"`
		IsTruncated                        bool
		NextKeyMarker, NextVersionIdMarker string //nolint:revive // AWS's name
		Version, DeleteMarker              []listed
	}
	keys := make([]string, 0, len(b.keys))
	for key := range b.keys {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	n := 0
	for _, key := range keys {
		for i, v := range b.keys[key] {
			before := key < q.Get("key-marker")
			if key == q.Get("key-marker") {
				at, _ := strconv.Atoi(q.Get("version-id-marker"))
				before = i <= at
			}
			if before || !strings.HasPrefix(key, q.Get("prefix")) {
				continue
			}
			if n++; n > 3 {
				out.IsTruncated = true
				break
			}
			out.NextKeyMarker, out.NextVersionIdMarker = key, strconv.Itoa(i)
			if l := (listed{key, strconv.Itoa(i), i == 0}); v.data == nil {
				out.DeleteMarker = append(out.DeleteMarker, l)
			} else {
				out.Version = append(out.Version, l)
			}
		}
	}
	_ = xml.NewEncoder(w).Encode(out)
}
