package trail

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// dialect is what a source of records may do that CloudTrail does not.
// The zero value is CloudTrail's own.
type dialect struct {
	wrapped bool // {"event": record}
	fixture bool // other times, no id, no version
	base    time.Time
}

func (d dialect) time(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err == nil || !d.fixture {
		return t.UTC(), err
	}
	if s == "" {
		return d.base, nil
	}
	return time.Parse("2006-01-02 15:04:05.999999999", s)
}

// complete gives a fixture what CloudTrail always has. The id is made of the
// content, so the same fixture is the same event.
func (d dialect) complete(e *Event) {
	if !d.fixture {
		return
	}
	if e.ID == "" {
		sum := sha256.Sum256(e.Raw)
		e.ID = "fixture-" + hex.EncodeToString(sum[:8])
	}
	if e.Version == "" {
		e.Version = "1.0"
	}
}
