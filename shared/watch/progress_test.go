package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/trail"
)

// However much is wrong, what is remembered fits into a cell, and says that there is more.
func TestProgress(t *testing.T) {
	t.Parallel()
	r := &run{Reconciler: &Reconciler{}}
	r.Began, r.Position = time.Now(), trail.Position{Through: time.Now(), Rest: json.RawMessage(`"` + strings.Repeat("x", 20<<10) + `"`)}
	var events []trail.Event
	missing := map[string]bool{}
	for i := range 6000 {
		id := fmt.Sprintf("00000000-0000-0000-0000-%012d", i)
		events, missing[id] = append(events, trail.Event{ID: id, Source: trail.SecretsManager}), true
	}
	if n := r.note(events, missing); n != 6000 || len(r.Missed)+r.More != 6000 {
		t.Errorf("%d noted, %d and %d more", n, len(r.Missed), r.More)
	}
	if r.note(events[:1], missing); len(r.Missed)+r.More != 6000 {
		t.Error("one is noted twice")
	}
	for i := range 300 {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 500))
		r.wrong(text)
		r.Differ, _ = once(r.Differ, text)
	}
	if last := r.Invalid[len(r.Invalid)-1]; len(r.Invalid) != maxTexts+1 || !strings.Contains(last, "there is more") {
		t.Errorf("%d are wrong, the last: %s", len(r.Invalid), last)
	}
	data, err := json.Marshal(r.progress)
	if err != nil || len(data) < 200<<10 || len(data) > cell.MaxData {
		t.Errorf("%v, %d bytes, limit %d", err, len(data), cell.MaxData)
	}
}
