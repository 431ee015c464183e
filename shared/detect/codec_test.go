package detect

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestCodec(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		event := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`))
		in := track{rapid.Uint32().Draw(t, "settled"), map[string][]Mark{}}
		for range rapid.IntRange(0, 3).Draw(t, "patterns") {
			marks, at := []Mark{}, uint32(0)
			for range rapid.IntRange(0, 5).Draw(t, "marks") {
				at += rapid.Uint32Range(0, 1<<29).Draw(t, "after")
				marks = append(marks, Mark{at, rapid.String().Draw(t, "value"), event.Draw(t, "event"), rapid.SampledFrom([]string{"", "203.0.113.7", "vpce-1"}).Draw(t, "where")})
			}
			in.patterns[rapid.String().Draw(t, "name")] = marks
		}
		out, err := decode(in.encode())
		if err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("got %v, %v\nwant %v", out, err, in)
		}
		if !bytes.Equal(out.encode(), in.encode()) {
			t.Fatal("the same track, encoded again, differs")
		}
	})
}

// FuzzDecode: whatever is stored, decoding ends, and what it accepts it writes
// as it was read.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2})
	t := track{7, map[string][]Mark{"D-10.secrets": {{1, "a", "dfd6d93a-2ce6-4dbe-8939-86b8ba67c868", "x"}, {2, "b", "y", ""}}}}
	f.Add(t.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(got.encode()); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("got %v, again %v, %v", got, again, err)
		}
	})
}
