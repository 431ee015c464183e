package review_test

import (
	"flag"
	"testing"

	"github.com/keyturn/keyturn/test/bench/review"
)

var all = flag.Bool("all", false, "review 10,000 keys x 1,000 principals")

// Every key has the readers that the input was made with; the long version keeps
// the goals of time and memory.
func TestMeasured(t *testing.T) { //nolint:paralleltest // it measures time and memory
	keys, principals := 200, 100
	if *all {
		keys, principals = 10_000, 1_000
	}
	c, err := review.Measured(keys, principals)
	if err != nil {
		t.Fatal(err)
	}
	if c.Readers < keys*principals/10 || c.Bytes == 0 {
		t.Errorf("%d readers, page of %d bytes", c.Readers, c.Bytes)
	}
	if *all && (c.Seconds > 30 || c.Heap > 1<<30) {
		t.Errorf("%.1f s, %d bytes of memory: over the goal", c.Seconds, c.Heap)
	}
	t.Logf("%+v", c)
}
