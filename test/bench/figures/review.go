package main

import (
	"fmt"

	"github.com/keyturn/keyturn/test/bench/review"
)

// reviewFigures says what a review of a large, synthetic account takes on one core.
func reviewFigures() error {
	c, err := review.Measured(10_000, 1_000)
	if err != nil {
		return err
	}
	figure("review_10000x1000_seconds", fmt.Sprintf("%.1f", c.Seconds), "s")
	figure("review_10000x1000_memory", c.Heap>>20, "MiB")
	figure("review_10000x1000_page", c.Bytes, "B")
	return nil
}
