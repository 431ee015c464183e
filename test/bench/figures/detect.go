package main

import (
	"context"
	"fmt"

	"github.com/keyturn/keyturn/test/bench/detect"
)

// detectFigures prints what the detections that are on by default come to, and
// all of them.
func detectFigures(ctx context.Context) error {
	normal, err := detect.Measure(ctx, false)
	if err != nil {
		return err
	}
	all, err := detect.Measure(ctx, true)
	if err != nil {
		return err
	}
	figure("detect_events_per_second", fmt.Sprintf("%.0f", normal.PerSecond), "events")
	figure("detect_events_per_second_all_rules", fmt.Sprintf("%.0f", all.PerSecond), "events")
	figure("detect_bytes_per_tracked_key", fmt.Sprintf("%.0f", normal.PerTrack), "bytes")
	figure("detect_bytes_per_tracked_key_all_rules", fmt.Sprintf("%.0f", all.PerTrack), "bytes")
	return nil
}
