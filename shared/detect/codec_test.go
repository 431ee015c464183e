package detect

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// places are slots of three ids.
func places() ([]slot, map[string]int) {
	return []slot{{id: "D-01"}, {id: "D-10.secrets"}, {id: ""}}, map[string]int{"D-01": 0, "D-10.secrets": 1, "": 2}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	slots, index := places()
	rapid.Check(t, func(t *rapid.T) {
		event := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`))
		in := track{settled: rapid.Uint32().Draw(t, "settled"), parts: []part{}}
		for slot := range rapid.IntRange(0, 3).Draw(t, "parts") {
			marks, at := []Mark{}, uint32(0)
			for range rapid.IntRange(1, 5).Draw(t, "marks") {
				at += rapid.Uint32Range(0, 1<<29).Draw(t, "after")
				id := event.Draw(t, "event")
				if expand(compact(id)) != id {
					t.Fatalf("%q is %q", id, expand(compact(id)))
				}
				marks = append(marks, Mark{at, rapid.String().Draw(t, "value"), compact(id), rapid.SampledFrom([]string{"", "203.0.113.7", "vpce-1"}).Draw(t, "where")})
			}
			body := encodeMarks(marks)
			if got, err := decodeMarks(body); err != nil || !reflect.DeepEqual(got, marks) {
				t.Fatalf("got %v, %v, want %v", got, err, marks)
			}
			in.parts = append(in.parts, part{slot, rapid.Uint32().Draw(t, "judged"), rapid.Uint32().Draw(t, "due"), rapid.Uint32().Draw(t, "end"), body})
		}
		stored := in.encode(slots)
		out, err := decode(stored, index)
		if err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("got %v, %v\nwant %v", out, err, in)
		}
		if !bytes.Equal(out.encode(slots), stored) {
			t.Fatal("the same track, encoded again, differs")
		}
	})
}

// A slot that an engine does not have is left out: its rule is off.
func TestDecode_unknown(t *testing.T) {
	t.Parallel()
	slots, _ := places()
	in := track{settled: 7, parts: []part{{slot: 0, end: 9, body: "x"}, {slot: 1, end: 9, body: "y"}}}
	out, err := decode(in.encode(slots), map[string]int{"D-10.secrets": 0})
	if err != nil || len(out.parts) != 1 || out.parts[0].slot != 0 || out.parts[0].body != "y" {
		t.Errorf("got %+v, %v", out, err)
	}
}

// FuzzDecode: whatever is stored, decoding ends, and what it accepts it writes
// as it was read.
func FuzzDecode(f *testing.F) {
	slots, index := places()
	f.Add([]byte{})
	f.Add([]byte{3})
	body := encodeMarks([]Mark{{1, "a", compact("dfd6d93a-2ce6-4dbe-8939-86b8ba67c868"), "x"}, {2, "b", "y", ""}})
	f.Add((&track{7, []part{{1, 1, 2, 3, body}}}).encode(slots))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b, index)
		if err != nil {
			return
		}
		if again, err := decode(got.encode(slots), index); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("got %v, again %v, %v", got, again, err)
		}
		for _, p := range got.parts {
			marks, err := p.read()
			if err != nil {
				continue
			}
			if again, err := decodeMarks(encodeMarks(marks)); err != nil || !reflect.DeepEqual(marks, again) && len(marks) > 0 {
				t.Fatalf("got %v, again %v, %v", marks, again, err)
			}
		}
	})
}
