package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/trail"
)

// trailFile is a file with events.
type trailFile struct {
	path   string
	first  time.Time
	count  int
	events []trail.Event // nil: to be read again, by time
}

// maxHeld is how many events are held from the first reading on.
const maxHeld = 50000

// surveyTrail reads all files once, says what cannot be read, and returns those that have
// events.
func (a *app) surveyTrail(paths []string, sum *detected) ([]trailFile, error) {
	found, err := trailFiles(paths)
	if err != nil {
		return nil, err
	}
	var files []trailFile
	for _, path := range found {
		f, err := readTrailFile(path)
		for _, u := range f.Unreadable {
			a.sayUnreadable(sum, fmt.Sprintf("%s:%d: %v (byte %d)", path, u.Line, u.Err, u.Offset))
		}
		sum.Unreadable += f.Refused - len(f.Unreadable)
		if err != nil { // what was read before is kept
			a.sayUnreadable(sum, fmt.Sprintf("%s: %v", path, err))
		}
		sum.Files++
		if len(f.Events) > 0 {
			files = append(files, sum.take(path, f.Events))
		}
	}
	if more := sum.Unreadable - maxSaid; more > 0 {
		_, _ = fmt.Fprintf(a.err, "keyturn: and %d more that cannot be read\n", more)
	}
	return files, nil
}

// take counts the events of a file, and holds them while they are few.
func (sum *detected) take(path string, events []trail.Event) trailFile {
	byTime(events)
	t := trailFile{path: path, first: events[0].Time, count: len(events)}
	if sum.Events += t.count; sum.Events <= maxHeld || !readAgain(path) {
		t.events = events
	}
	if sum.First.IsZero() || t.first.Before(sum.First) {
		sum.First = t.first
	}
	if last := events[len(events)-1].Time; last.After(sum.Last) {
		sum.Last = last
	}
	return t
}

// readAgain reports whether a file can be read more than once. A pipe cannot.
func readAgain(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// inOrder gives do all events by their time, those of files that begin later than the
// events before them not being held: at least atLeast events each time, but for the last.
func inOrder(files []trailFile, atLeast int, do func([]trail.Event) error) error {
	slices.SortStableFunc(files, func(a, b trailFile) int { return a.first.Compare(b.first) })
	var waiting []trail.Event
	for i, f := range files {
		events, err := f.load()
		if err != nil {
			return err
		}
		files[i].events = nil
		waiting = append(waiting, events...)
		byTime(waiting)
		n := len(waiting)
		if i+1 < len(files) {
			n, _ = slices.BinarySearchFunc(waiting, files[i+1].first, func(e trail.Event, t time.Time) int { return e.Time.Compare(t) })
			if n < atLeast {
				continue
			}
		}
		if err := do(waiting[:n]); err != nil {
			return err
		}
		waiting = slices.Clone(waiting[n:]) // the others are let go
	}
	return nil
}

// load returns the events, by time.
func (f trailFile) load() ([]trail.Event, error) {
	if f.events != nil {
		return f.events, nil
	}
	again, _ := readTrailFile(f.path) // what is wrong with it was said
	if len(again.Events) != f.count {
		return nil, failed("File", f.path+" has changed while it was read", "copy the files, and run it on the copy")
	}
	byTime(again.Events)
	return again.Events, nil
}

func byTime(events []trail.Event) {
	slices.SortStableFunc(events, func(a, b trail.Event) int { return a.Time.Compare(b.Time) })
}

// maxSaid is how many records that cannot be read are named.
const maxSaid = 10

func (a *app) sayUnreadable(sum *detected, what string) {
	if sum.Unreadable++; sum.Unreadable <= maxSaid {
		_, _ = fmt.Fprintln(a.err, "keyturn:", console.Clean(what))
	}
}

// trailFiles returns the files that paths name, and those in directories that may have
// records. Links are followed where they are named only.
func trailFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		more, err := filesIn(path)
		if bad, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%w: %s", bad.Err, bad.Path)
		}
		if err != nil {
			return nil, failed("File", err.Error(), "say where the files are: keyturn detect DIR")
		}
		files = append(files, more...)
	}
	return files, nil
}

func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() { // it may be a pipe
		return []string{path}, err
	}
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && hasRecords(p) {
			files = append(files, p)
		}
		return err
	})
	return files, err
}

// hasRecords tells files of records from others, such as the trail's own digests, which
// lie beside them.
func hasRecords(path string) bool {
	return slices.Contains([]string{".json", ".jsonl", ".gz"}, filepath.Ext(path)) && !strings.Contains(filepath.Base(path), "_CloudTrail-Digest_")
}

func readTrailFile(path string) (trail.File, error) {
	r, err := os.Open(path) //nolint:gosec // what the operator names
	if bad, ok := errors.AsType[*fs.PathError](err); ok {
		return trail.File{}, bad.Err
	}
	if err != nil {
		return trail.File{}, err
	}
	defer r.Close() //nolint:errcheck // it was only read
	return trail.ReadFile(r)
}
