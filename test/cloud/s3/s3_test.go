package s3_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const name = "ledger"

// world is a client of an S3 with one bucket, and what the client sent last.
type world struct {
	*sdk.Client
	t     *testing.T
	clock *clock.Clock

	mu     sync.Mutex
	header http.Header
	host   string
}

func open(t *testing.T, lock bool, options ...func(*sdk.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New()}
	cfg := wiretest.Config("s3", s3.New(w.clock, rand.Reader), w.clock)
	inner := cfg.HTTPClient
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		w.mu.Lock()
		w.header, w.host = r.Header.Clone(), r.URL.Host
		w.mu.Unlock()
		return inner.Do(r)
	})
	options = append([]func(*sdk.Options){func(o *sdk.Options) { o.UsePathStyle = true }}, options...)
	w.Client = sdk.NewFromConfig(cfg, options...)
	if _, err := w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String(name), ObjectLockEnabledForBucket: &lock}); err != nil {
		t.Fatal(err)
	}
	return w
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func (w *world) put(key, body string, change ...func(*sdk.PutObjectInput)) (*sdk.PutObjectOutput, error) {
	in := &sdk.PutObjectInput{Bucket: aws.String(name), Key: &key, Body: strings.NewReader(body)}
	for _, f := range change {
		f(in)
	}
	return w.PutObject(w.t.Context(), in)
}

// version puts and returns the version's id.
func (w *world) version(key, body string, change ...func(*sdk.PutObjectInput)) *string {
	w.t.Helper()
	out, err := w.put(key, body, change...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.VersionId
}

func (w *world) get(key string, id *string) (string, error) {
	out, err := w.GetObject(w.t.Context(), &sdk.GetObjectInput{Bucket: aws.String(name), Key: &key, VersionId: id})
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func (w *world) remove(key string, id *string, bypass bool) (*sdk.DeleteObjectOutput, error) {
	in := &sdk.DeleteObjectInput{Bucket: aws.String(name), Key: &key, VersionId: id}
	if bypass {
		in.BypassGovernanceRetention = &bypass
	}
	return w.DeleteObject(w.t.Context(), in)
}

func (w *world) versions(on types.BucketVersioningStatus) {
	w.t.Helper()
	_, err := w.PutBucketVersioning(w.t.Context(), &sdk.PutBucketVersioningInput{
		Bucket: aws.String(name), VersioningConfiguration: &types.VersioningConfiguration{Status: on},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// code is the code AWS answered with, "" for a success.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return err.Error()
}

func want(t *testing.T, what string, err error, wanted string) {
	t.Helper()
	if got := code(err); got != wanted {
		t.Errorf("%s: %q, want %q", what, got, wanted)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	w := open(t, false)
	put, err := w.put("a/b c+d.json", "hello", func(in *sdk.PutObjectInput) {
		in.Metadata, in.Tagging, in.ContentType = map[string]string{"size": "5"}, aws.String("k=v%20w&empty="), aws.String("text/plain")
	})
	if err != nil || *put.ETag != `"5d41402abc4b2a76b9719d911017c592"` || put.VersionId != nil || aws.ToString(put.ChecksumCRC32) != "NhCmhg==" {
		t.Fatalf("%+v, %v", put, err)
	}
	out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(name), Key: aws.String("a/b c+d.json")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(out.Body) // checks the checksum
	if err != nil || string(body) != "hello" || *out.ContentType != "text/plain" || *out.TagCount != 2 || *out.ContentLength != 5 {
		t.Errorf("%q %+v, %v", body, out, err)
	}
	if diff := cmp.Diff(map[string]string{"size": "5"}, out.Metadata); diff != "" {
		t.Error(diff)
	}
	tags, err := w.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: aws.String(name), Key: aws.String("a/b c+d.json")})
	if err != nil || len(tags.TagSet) != 2 || *tags.TagSet[0].Value != "v w" {
		t.Errorf("%+v, %v", tags, err)
	}
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(name), Key: aws.String("a/b c+d.json")})
	if err != nil || *head.ContentLength != 5 || *head.ETag != *put.ETag {
		t.Errorf("%+v, %v", head, err)
	}
	part, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(name), Key: aws.String("a/b c+d.json"), Range: aws.String("bytes=1-2")})
	if err != nil || *part.ContentRange != "bytes 1-2/5" {
		t.Fatalf("%+v, %v", part, err)
	}
	if body, _ = io.ReadAll(part.Body); string(body) != "el" {
		t.Errorf("part %q", body)
	}
	_, err = w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(name), Key: aws.String("none")})
	want(t, "head of nothing", err, "NotFound")
	_, err = w.get("none", nil)
	want(t, "get of nothing", err, "NoSuchKey")
	_, err = w.get("none", aws.String("HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"))
	want(t, "a version without versions", err, "InvalidArgument")
	_, err = w.put("x", "", func(in *sdk.PutObjectInput) { in.Bucket = aws.String("other") })
	want(t, "no bucket", err, "NoSuchBucket")
	_, err = w.put("x", "", func(in *sdk.PutObjectInput) { in.Tagging = aws.String("key1=val1&key1=val2") })
	want(t, "a tag twice", err, "InvalidArgument")
}

// Over TLS the SDK sends a body in chunks, with its checksum as the trailer; an
// empty one, and all over plain HTTP, has it in a header.
func TestChecksums(t *testing.T) {
	t.Parallel()
	secure := func(o *sdk.Options) { o.BaseEndpoint = aws.String("https://s3.us-east-1.amazonaws.com") }
	for _, a := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme} {
		for _, size := range []int{0, 5, 200_000} {
			w := open(t, false, secure)
			body := strings.Repeat("x", size)
			if _, err := w.put("k", body, func(in *sdk.PutObjectInput) { in.ChecksumAlgorithm = a }); err != nil {
				t.Fatal(a, size, err)
			}
			if got := w.header.Get("X-Amz-Content-Sha256"); size > 0 && got != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
				t.Errorf("%s %d: the SDK sent %s", a, size, got)
			}
			if got, err := w.get("k", nil); err != nil || got != body {
				t.Errorf("%s %d: %d bytes, %v", a, size, len(got), err)
			}
		}
	}
	w := open(t, false)
	_, err := w.put("k", "hello", func(in *sdk.PutObjectInput) { in.ChecksumSHA256 = aws.String(strings.Repeat("A", 43) + "=") })
	want(t, "another checksum", err, "BadDigest")
	_, err = w.put("k", "hello", func(in *sdk.PutObjectInput) { in.ChecksumSHA256 = aws.String("AAAA") })
	want(t, "no checksum", err, "InvalidRequest")
	_, err = w.put("k", "hello", func(in *sdk.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") })
	want(t, "another MD5", err, "BadDigest")
	if _, err = w.get("k", nil); code(err) != "NoSuchKey" {
		t.Errorf("a refused object is there: %v", err)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"http://localhost:4566", "https://s3.us-east-1.amazonaws.com", "http://s3.us-east-1.localhost"} {
		w := open(t, false, func(o *sdk.Options) { o.UsePathStyle, o.BaseEndpoint = false, &endpoint })
		w.version("a/b", "hello")
		if !strings.HasPrefix(w.host, name+".") {
			t.Errorf("the bucket is not in the host %s", w.host)
		}
		if got, err := w.get("a/b", nil); err != nil || got != "hello" {
			t.Errorf("%s: %q, %v", endpoint, got, err)
		}
		out, err := w.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
		if err != nil || len(out.Buckets) != 1 || *out.Buckets[0].Name != name {
			t.Errorf("%s: %+v, %v", endpoint, out, err)
		}
	}
}

// From test_put_object_if_none_match and _if_match of LocalStack, recorded of AWS.
func TestConditions(t *testing.T) {
	t.Parallel()
	none := func(v string) func(*sdk.PutObjectInput) {
		return func(in *sdk.PutObjectInput) { in.IfNoneMatch = &v }
	}
	match := func(v string) func(*sdk.PutObjectInput) {
		return func(in *sdk.PutObjectInput) { in.IfMatch = &v }
	}
	const test, empty = `"098f6bcd4621d373cade4e832627b4f6"`, `"d41d8cd98f00b204e9800998ecf8427e"`
	for _, versioned := range []bool{false, true} {
		w := open(t, versioned)
		step := func(what, wanted, body string, change ...func(*sdk.PutObjectInput)) {
			t.Helper()
			_, err := w.put("k", body, change...)
			want(t, what, err, wanted)
		}
		step("none, absent", "", "test", none("*"))
		step("none, there", "PreconditionFailed", "other", none("*"))
		step("none, an ETag", "NotImplemented", "other", none(test))
		step("match, wrong", "PreconditionFailed", "", match(empty))
		step("match, star", "NotImplemented", "", match("*"))
		step("both", "NotImplemented", "", match(test), none("*"))
		step("match", "", "", match(test))
		if _, err := w.remove("k", nil, false); err != nil {
			t.Fatal(err)
		}
		step("match, deleted", "NoSuchKey", "", match(empty))
		step("none, deleted", "", "again", none("*"))
		if got, err := w.get("k", nil); err != nil || got != "again" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestConditions_race(t *testing.T) {
	t.Parallel()
	w := open(t, true)
	results := make(chan error, 20)
	for range cap(results) {
		go func() {
			_, err := w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(name), Key: aws.String("k"), Body: bytes.NewReader([]byte("x")), IfNoneMatch: aws.String("*")})
			results <- err
		}()
	}
	got := map[string]int{}
	for range cap(results) {
		got[code(<-results)]++
	}
	if diff := cmp.Diff(map[string]int{"": 1, "PreconditionFailed": 19}, got); diff != "" {
		t.Error(diff)
	}
}

// From test_delete_object_versioned of LocalStack, recorded of AWS.
func TestVersions(t *testing.T) {
	t.Parallel()
	w := open(t, false)
	w.version("k", "before")
	w.versions(types.BucketVersioningStatusEnabled)
	first := w.version("k", "first")
	marker, err := w.remove("k", nil, false)
	if err != nil || !*marker.DeleteMarker {
		t.Fatalf("%+v, %v", marker, err)
	}
	_, err = w.get("k", nil)
	want(t, "deleted", err, "NoSuchKey")
	for id, text := range map[*string]string{first: "first", aws.String("null"): "before"} {
		if got, err := w.get("k", id); err != nil || got != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	_, err = w.get("k", marker.VersionId)
	want(t, "marker", err, "MethodNotAllowed")
	_, err = w.get("k", aws.String(strings.Repeat("A", 32)))
	want(t, "no version", err, "NoSuchVersion")
	_, err = w.get("k", aws.String("A"))
	want(t, "no id", err, "InvalidArgument")
	w.versions(types.BucketVersioningStatusSuspended)
	w.version("k", "after") // takes the place of "before"
	out, err := w.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String(name)})
	if err != nil || len(out.Versions) != 2 || len(out.DeleteMarkers) != 1 || *out.Versions[0].VersionId != "null" || !*out.Versions[0].IsLatest {
		t.Fatalf("%+v, %v", out, err)
	}
	gone, err := w.remove("k", marker.VersionId, false)
	if err != nil || !*gone.DeleteMarker || *gone.VersionId != *marker.VersionId {
		t.Errorf("%+v, %v", gone, err)
	}
	_, err = w.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String(name)})
	want(t, "not empty", err, "BucketNotEmpty")
	all, err := w.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String(name), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("k"), VersionId: first}, {Key: aws.String("k"), VersionId: aws.String("null")}, {Key: aws.String("k"), VersionId: aws.String("A")},
	}}})
	if err != nil || len(all.Deleted) != 2 || len(all.Errors) != 1 || *all.Errors[0].Code != "NoSuchVersion" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err = w.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String(name)}); err != nil {
		t.Error(err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	w := open(t, true)
	keys := []string{"a", "b/1", "b/2", "c d", "c/é", "d"}
	for _, k := range keys {
		w.version(k, k)
	}
	w.version("b/1", "newer")
	w.version("e", "gone")
	if _, err := w.remove("e", nil, false); err != nil {
		t.Fatal(err)
	}
	var got []string
	pages := sdk.NewListObjectsV2Paginator(w.Client, &sdk.ListObjectsV2Input{Bucket: aws.String(name), MaxKeys: aws.Int32(2), EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Contents {
			got = append(got, *o.Key)
		}
	}
	if diff := cmp.Diff([]string{"a", "b/1", "b/2", "c+d", "c/%C3%A9", "d"}, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	pages = sdk.NewListObjectsV2Paginator(w.Client, &sdk.ListObjectsV2Input{Bucket: aws.String(name), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Contents {
			got = append(got, *o.Key)
		}
		for _, o := range p.CommonPrefixes {
			got = append(got, *o.Prefix)
		}
	}
	if diff := cmp.Diff([]string{"a", "b/", "c d", "c/", "d"}, got); diff != "" {
		t.Error(diff)
	}
	counts := map[string]int{}
	all := sdk.NewListObjectVersionsPaginator(w.Client, &sdk.ListObjectVersionsInput{Bucket: aws.String(name), MaxKeys: aws.Int32(1)})
	for all.HasMorePages() {
		p, err := all.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Versions {
			counts[*v.Key]++
		}
		for _, v := range p.DeleteMarkers {
			counts["marker "+*v.Key]++
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b/1": 2, "b/2": 1, "c d": 1, "c/é": 1, "d": 1, "e": 1, "marker e": 1}, counts); diff != "" {
		t.Error(diff, slices.Sorted(maps.Keys(counts)))
	}
	from, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(name), Prefix: aws.String("b/"), StartAfter: aws.String("b/1")})
	if err != nil || len(from.Contents) != 1 || *from.Contents[0].Key != "b/2" {
		t.Errorf("%+v, %v", from, err)
	}
	_, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(name), ContinuationToken: aws.String("?")})
	want(t, "token", err, "InvalidArgument")
}
