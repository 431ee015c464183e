package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// trailFilesOf writes files whose times overlap, each with its records in no order, and
// returns the survey of them.
func trailFilesOf(t *testing.T, r *rand.Rand) ([]trailFile, int) {
	t.Helper()
	base := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	var files []trailFile
	total := 0
	for i := range 20 {
		f := trailFile{path: filepath.Join(t.TempDir(), strconv.Itoa(i)), count: 50}
		var lines []string
		for j := range f.count {
			at := base.Add(time.Duration(i)*time.Hour + time.Duration(r.IntN(5400))*time.Second)
			lines = append(lines, fmt.Sprintf(`{"eventVersion":"1.11","eventID":"e%d-%d","eventTime":%q}`, i, j, at.Format(time.RFC3339)))
			if f.first.IsZero() || at.Before(f.first) {
				f.first = at
			}
		}
		if err := os.WriteFile(f.path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		total += f.count
		files = append(files, f)
	}
	r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files, total
}

// Events come by time, whatever files they are in, and few files are held at once.
func TestInOrder(t *testing.T) {
	t.Parallel()
	files, total := trailFilesOf(t, rand.New(rand.NewPCG(1, 1)))
	var got []trail.Event
	largest := 0
	if err := inOrder(files, 10, func(events []trail.Event) error {
		got, largest = append(got, events...), max(largest, len(events))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, e := range got {
		ids[e.ID] = true
	}
	if len(got) != total || len(ids) != total || !slices.IsSortedFunc(got, func(a, b trail.Event) int { return a.Time.Compare(b.Time) }) {
		t.Errorf("%d events, %d ids, want %d by time", len(got), len(ids), total)
	}
	if largest > 150 {
		t.Errorf("%d events at once, of files with 50", largest)
	}
}

func TestInOrder_changed(t *testing.T) {
	t.Parallel()
	files, _ := trailFilesOf(t, rand.New(rand.NewPCG(2, 1)))
	if err := os.WriteFile(files[3].path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := inOrder(files, 10, func([]trail.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("%v", err)
	}
}
