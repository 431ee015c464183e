package detect

import "testing"

// TestMeasure: what is remembered stays small.
func TestMeasure(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		r, err := measure(t.Context(), all, records()[:3])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("all rules: %v: %+v", all, r)
		if r.PerTrack > 4096 || r.Tracks == 0 {
			t.Errorf("%d tracks of %.0f bytes, want at most 4096", r.Tracks, r.PerTrack)
		}
	}
}
