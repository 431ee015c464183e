package fault

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A run is what its name says: lived twice, it makes the same calls at the same
// times and breaks the same. So what is found once can be found again.
func TestAgain(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if testing.Short() {
		t.Skip("the whole without the race detector")
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		t.Run(s.Name, func(t *testing.T) {
			n, seeds := len(plain(t, s, "")), 2
			if *all {
				seeds = limit(100)
			}
			for seed := range uint64(seeds) {
				for _, name := range []string{Pair(s, n, *from+seed).Name, Racing(s, n, *from+seed).Name} {
					var calls [2][]Call
					var broken [2][]string
					for i := range calls {
						r, err := Find(t, name)
						if err != nil {
							t.Fatal(err)
						}
						b, w := r.Play(t)
						calls[i], broken[i] = w.calls, b
					}
					if at := parted(calls[0], calls[1]); at >= 0 {
						t.Errorf("%s is not the same again from call %d on (-first +second):\n%s", name, at+1,
							cmp.Diff(calls[0][at:min(at+5, len(calls[0]))], calls[1][at:min(at+5, len(calls[1]))]))
					}
					if !slices.Equal(broken[0], broken[1]) {
						t.Errorf("%s breaks %q, and then %q", name, broken[0], broken[1])
					}
				}
			}
		})
	}
}

// parted is the place from which on two lives are not the same, -1 if they are.
func parted(one, two []Call) int {
	for i := range max(len(one), len(two)) {
		if i == len(one) || i == len(two) || one[i] != two[i] {
			return i
		}
	}
	return -1
}
