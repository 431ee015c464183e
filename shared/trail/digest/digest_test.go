package digest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/trail/digest"
)

var start = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

const fingerprint = "67b9fa73676d86966b449dd677850753"

var signing = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

type object struct {
	data []byte
	meta map[string]string
}

// bucket is synthetic: made as the documentation and the validation of AWS's own
// command line say (https://github.com/aws/aws-cli, cloudtrail/validation.py).
type bucket struct {
	objects map[string]object
	lost    error
}

func (b *bucket) List(_ context.Context, prefix, after string, f func(string) error) error {
	if b.lost != nil {
		return b.lost
	}
	for _, k := range slices.Sorted(maps.Keys(b.objects)) {
		if strings.HasPrefix(k, prefix) && k > after {
			if err := f(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bucket) Read(_ context.Context, name, key string) ([]byte, map[string]string, error) {
	o, ok := b.objects[key]
	if !ok || name != "trails" {
		return nil, nil, digest.ErrNotFound
	}
	return o.data, o.meta, nil
}

func (b *bucket) PublicKeys(context.Context, time.Time, time.Time) (map[string][]byte, error) {
	return map[string][]byte{fingerprint: x509.MarshalPKCS1PublicKey(&signing().PublicKey)}, nil
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func inflate(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func digestKey(hour int) string {
	at := start.Add(time.Duration(hour) * time.Hour)
	return "org/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/" + at.Format("2006/01/02/") + "111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1_" + at.Format("20060102T150405Z") + ".json.gz"
}

func fileKey(hour int) string {
	return fmt.Sprintf("org/AWSLogs/111122223333/CloudTrail/eu-west-1/file-%03d.json.gz", hour)
}

// delivered is a bucket with a digest and a file for each hour; first hours begin a
// new chain.
func delivered(t *testing.T, hours int, first ...int) *bucket {
	t.Helper()
	b := &bucket{objects: map[string]object{
		"org/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/24/111122223333_CloudTrail-Digest_eu-west-1_other_us-east-1_20261124T010000Z.json.gz": {},
	}}
	var previous struct{ object, hash, signature string }
	for h := 1; h <= hours; h++ {
		data := []byte(fmt.Sprintf(`{"Records":[{"eventID":"%d"}]}`, h))
		b.objects[fileKey(h)] = object{data: deflate(data)}
		end := start.Add(time.Duration(h) * time.Hour)
		d := map[string]any{
			"awsAccountId": "111122223333", "digestStartTime": end.Add(-time.Hour).Format(time.RFC3339), "digestEndTime": end.Format(time.RFC3339),
			"digestS3Bucket": "trails", "digestS3Object": digestKey(h), "digestPublicKeyFingerprint": fingerprint, "digestSignatureAlgorithm": "SHA256withRSA",
			"previousDigestS3Bucket": nil, "previousDigestS3Object": nil, "previousDigestHashValue": nil, "previousDigestSignature": nil,
			"logFiles": []any{map[string]any{"s3Bucket": "trails", "s3Object": fileKey(h), "hashValue": hash(data), "hashAlgorithm": "SHA-256"}},
		}
		before := "null"
		if h > 1 && !slices.Contains(first, h) {
			d["previousDigestS3Bucket"], d["previousDigestS3Object"] = "trails", previous.object
			d["previousDigestHashValue"], d["previousDigestSignature"] = previous.hash, previous.signature
			before = previous.signature
		}
		doc, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		b.sign(t, digestKey(h), doc, before)
		previous.object, previous.hash, previous.signature = digestKey(h), hash(doc), b.objects[digestKey(h)].meta["signature"]
	}
	return b
}

func (b *bucket) sign(t *testing.T, key string, doc []byte, before string) {
	t.Helper()
	var d struct {
		End    string `json:"digestEndTime"`
		Bucket string `json:"digestS3Bucket"`
		Object string `json:"digestS3Object"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(d.End + "\n" + d.Bucket + "/" + d.Object + "\n" + hash(doc) + "\n" + before))
	s, err := rsa.SignPKCS1v15(rand.Reader, signing(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b.objects[key] = object{deflate(doc), map[string]string{"signature": hex.EncodeToString(s), "signature-algorithm": "SHA256withRSA"}}
}

func (b *bucket) walk(t *testing.T, from, to int) (digest.Report, []string) {
	t.Helper()
	trail := digest.Trail{Objects: b, Keys: b, Bucket: "trails", Prefix: "org", Account: "111122223333", Region: "eu-west-1", Home: "us-east-1", Name: "main"}
	var files []string
	r, err := trail.Walk(t.Context(), start.Add(time.Duration(from)*time.Hour), start.Add(time.Duration(to)*time.Hour), func(f digest.File) error {
		if !strings.Contains(string(f.Data), `"Records"`) {
			t.Errorf("%s is not a file of records: %q", f.Key, f.Data)
		}
		files = append(files, f.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, files
}

// Hours over midnight, and not what is outside.
func TestWalk(t *testing.T) {
	t.Parallel()
	b := delivered(t, 30)
	r, files := b.walk(t, 20, 27)
	var want []string
	for h := 21; h <= 27; h++ {
		want = append(want, fileKey(h))
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(digest.Report{Digests: 7, Files: 7, Through: start.Add(27 * time.Hour)}, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if r, files := b.walk(t, 30, 40); !r.Through.IsZero() || len(files) != 0 {
		t.Errorf("nothing yet: %+v %v", r, files)
	}
}

// Whatever is changed is told, and nothing that is not proven is given.
func TestWalk_tampered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*bucket)
		why    string // of the first problem
		files  int    // of 4
	}{
		"file changed":     {func(b *bucket) { b.objects[fileKey(2)] = object{data: deflate([]byte(`{"Records":[]}`))} }, "file-002.json.gz: the file is another", 3},
		"file removed":     {func(b *bucket) { delete(b.objects, fileKey(2)) }, "file-002.json.gz: the file is missing", 3},
		"file is no gzip":  {func(b *bucket) { b.objects[fileKey(2)] = object{data: []byte(`{}`)} }, "file-002.json.gz: the file is another", 3},
		"digest removed":   {func(b *bucket) { delete(b.objects, digestKey(2)) }, "is missing", 3},
		"digest unsigned":  {func(b *bucket) { b.objects[digestKey(2)] = object{data: b.objects[digestKey(2)].data} }, "has no signature", 3},
		"digest is noise":  {func(b *bucket) { b.objects[digestKey(2)] = object{data: []byte("noise")} }, "is not gzip", 3},
		"digest of else":   {func(b *bucket) { b.objects[digestKey(2)] = b.objects[digestKey(3)] }, "of another place", 3},
		"a file cut out":   {func(b *bucket) { b.edit(t, digestKey(2), `"logFiles":[`, `"logFiles":[],"x":[`) }, "signature is wrong", 3},
		"another's key":    {func(b *bucket) { b.edit(t, digestKey(2), fingerprint, "00") }, "no such public key", 3},
		"chain begun anew": {func(b *bucket) { *b = *delivered(t, 4, 3) }, "a new chain begins", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := delivered(t, 4)
			c.change(b)
			r, files := b.walk(t, 0, 4)
			if len(r.Problems) == 0 || !strings.Contains(r.Problems[0], c.why) || len(files) != c.files {
				t.Errorf("%d files, problems %q, want %q", len(files), r.Problems, c.why)
			}
			if !r.Through.Equal(start.Add(4 * time.Hour)) {
				t.Errorf("through %v", r.Through)
			}
		})
	}
}

// A digest that is removed between two looks is missed, where the second goes on.
func TestWalk_goesOn(t *testing.T) {
	t.Parallel()
	b := delivered(t, 4)
	if r, _ := b.walk(t, 0, 2); len(r.Problems) != 0 || r.Digests != 2 {
		t.Fatalf("%+v", r)
	}
	delete(b.objects, digestKey(3))
	r, files := b.walk(t, 2, 4)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "is missing") || len(files) != 1 {
		t.Errorf("%+v, %v", r, files)
	}
}

func (b *bucket) edit(t *testing.T, key, old, next string) {
	t.Helper()
	o := b.objects[key]
	doc := inflate(t, o.data)
	changed := bytes.Replace(doc, []byte(old), []byte(next), 1)
	if bytes.Equal(doc, changed) {
		t.Fatalf("no %q in %s", old, doc)
	}
	b.objects[key] = object{deflate(changed), o.meta}
}

// Somebody who has the bucket and signs with a key of their own is found.
func TestWalk_resigned(t *testing.T) {
	t.Parallel()
	b := delivered(t, 4)
	o := b.objects[digestKey(2)]
	doc := bytes.Replace(inflate(t, o.data), []byte(`"logFiles":[`), []byte(`"logFiles":[],"x":[`), 1)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(doc)
	s, err := rsa.SignPKCS1v15(rand.Reader, other, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b.objects[digestKey(2)] = object{deflate(doc), map[string]string{"signature": hex.EncodeToString(s)}}
	if r, _ := b.walk(t, 0, 4); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "signature is wrong") {
		t.Errorf("%q", r.Problems)
	}
}

// A call that fails is an error, and not a report that all is well.
func TestWalk_errors(t *testing.T) {
	t.Parallel()
	b := delivered(t, 1)
	b.lost = errors.New("no answer")
	trail := digest.Trail{Objects: b, Keys: b, Bucket: "trails", Prefix: "org", Account: "111122223333", Region: "eu-west-1", Home: "us-east-1", Name: "main"}
	if _, err := trail.Walk(t.Context(), start, start.Add(time.Hour), func(digest.File) error { return nil }); !errors.Is(err, b.lost) {
		t.Errorf("%v", err)
	}
	b.lost = nil
	stop := errors.New("stop")
	if _, err := trail.Walk(t.Context(), start, start.Add(time.Hour), func(digest.File) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
