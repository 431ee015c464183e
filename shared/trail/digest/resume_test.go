package digest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/trail/digest"
)

// said goes on at a position to the hour to, ends after most steps, and says them.
func (b *bucket) said(t *testing.T, at digest.Position, to, most int) ([]string, digest.Position) {
	t.Helper()
	trail := digest.Trail{Objects: b, Keys: b, Bucket: "trails", Prefix: "org", Account: "111122223333", Region: "eu-west-1", Home: "us-east-1", Name: "main"}
	enough := errors.New("enough")
	var out []string
	err := trail.Resume(t.Context(), at, start.Add(time.Duration(to)*time.Hour), func(s digest.Step) error {
		if len(out) == most {
			return enough
		}
		text := "done " + s.Key
		if s.Data != nil {
			text = "file " + s.Key
		}
		if s.Problem != "" {
			text = "problem " + s.Problem
		}
		out = append(out, text)
		// A position is stored as JSON.
		data, err := json.Marshal(s.Next)
		at = digest.Position{}
		return errors.Join(err, json.Unmarshal(data, &at))
	})
	if err != nil && !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return out, at
}

// However often it is cut, all is given once, and each problem is told once.
func TestResume(t *testing.T) {
	t.Parallel()
	b := delivered(t, 6)
	delete(b.objects, digestKey(2))
	b.objects[fileKey(4)] = object{data: deflate([]byte(`{"Records":[]}`))}
	b.objects[digestKey(5)] = object{data: b.objects[digestKey(5)].data}
	want, _ := b.said(t, digest.Position{Through: start}, 6, -1)
	if len(want) != 10 || !strings.HasSuffix(want[2], digestKey(2)+", is missing") || !strings.HasPrefix(want[5], "problem "+fileKey(4)) {
		t.Fatalf("%q", want)
	}
	for most := 1; most < len(want); most++ {
		var got []string
		at := digest.Position{Through: start}
		for range len(want) + 1 {
			var part []string
			part, at = b.said(t, at, 6, most)
			got = append(got, part...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d at a time (-want +got):\n%s", most, diff)
		}
	}
}

// A chain that was written anew behind a position is seen where the position goes on.
func TestResume_rewritten(t *testing.T) {
	t.Parallel()
	_, at := delivered(t, 3).said(t, digest.Position{Through: start}, 3, -1)
	other := delivered(t, 4, 2) // the third follows another second
	got, _ := other.said(t, at, 4, -1)
	if len(got) != 3 || !strings.Contains(got[0], "the digest before it is another than it was") {
		t.Errorf("%q", got)
	}
}

// backfill names the file of an hour in a backfill digest, instead of the hour's own.
func (b *bucket) backfill(t *testing.T, hour int, before string) {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(inflate(t, b.objects[digestKey(hour)].data), &d); err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSuffix(digestKey(hour), ".json.gz") + "_backfill.json.gz"
	late := fileKey(100 + hour)
	data := []byte(fmt.Sprintf(`{"Records":[{"eventID":"late %d"}]}`, hour))
	b.objects[late] = object{data: deflate(data)}
	d["digestS3Object"], d["logFiles"] = key, []any{map[string]any{"s3Bucket": "trails", "s3Object": late, "hashValue": hash(data), "hashAlgorithm": "SHA-256"}}
	d["previousDigestS3Object"], d["previousDigestSignature"] = nil, nil
	signed := "null"
	if before != "" {
		d["previousDigestS3Object"], d["previousDigestSignature"], signed = before, "00", "00"
	}
	doc, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b.sign(t, key, doc, signed)
}

// The files of backfill digests are given once, though their hours are over.
func TestResume_backfill(t *testing.T) {
	t.Parallel()
	b := delivered(t, 100)
	_, at := b.said(t, digest.Position{Through: start.Add(95 * time.Hour)}, 98, -1)
	b.backfill(t, 96, "")
	b.backfill(t, 97, strings.Replace(digestKey(95), ".json.gz", "_backfill.json.gz", 1))
	got, at := b.said(t, at, 99, -1)
	var files []string
	for _, s := range got {
		if name, ok := strings.CutPrefix(s, "file "); ok {
			files = append(files, name)
		}
	}
	if diff := cmp.Diff([]string{fileKey(196), fileKey(197), fileKey(99)}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "_backfill.json.gz, is missing") }) {
		t.Errorf("%q", got)
	}
	if got, _ = b.said(t, at, 99, -1); len(got) != 0 {
		t.Errorf("again: %q", got)
	}
}
