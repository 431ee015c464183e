package cloudtrail

import (
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Lookup is how LookupEvents is slower than it could be. The zero value: not at all.
type Lookup struct {
	// PerSecond is how many calls a second are answered; more are throttled. AWS's
	// are 2. 0: all.
	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
	PerSecond int
	// Delay is the longest until an event is found; each has one of its own.
	Delay time.Duration
}

// limits apply a [Lookup].
type limits struct {
	mu    sync.Mutex
	how   Lookup
	calls []time.Time // of the last second
}

// SetLookup makes LookupEvents slower from now on.
func (s *Service) SetLookup(l Lookup) {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	s.limits.how = l
}

func (l *limits) allow(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.how.PerSecond < 1 {
		return nil
	}
	l.calls = slices.DeleteFunc(l.calls, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	if len(l.calls) >= l.how.PerSecond {
		return &wire.Error{Code: "ThrottlingException", Message: "Rate exceeded"}
	}
	l.calls = append(l.calls, now)
	return nil
}

// shown reports whether an event is found yet.
func (l *limits) shown(e *event, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.how.Delay < time.Second {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.EventID))
	wait := time.Duration(h.Sum64()%uint64(l.how.Delay/time.Second)+1) * time.Second
	return !now.Before(seconds(e.EventTime).Add(wait))
}

// logs reports whether the trail takes a record into its files.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
func (t Trail) logs(r cloud.Record) bool {
	switch {
	case len(t.Advanced) > 0:
		return slices.ContainsFunc(t.Advanced, func(a Advanced) bool { return a.takes(r) })
	case len(t.Selectors) > 0:
		return slices.ContainsFunc(t.Selectors, func(s Selector) bool { return s.takes(r) })
	}
	return true
}

func (s Selector) takes(r cloud.Record) bool {
	kind := s.ReadWriteType == "" || s.ReadWriteType == "All" || (s.ReadWriteType == "ReadOnly") == r.ReadOnly
	return s.IncludeManagementEvents && kind && !slices.Contains(s.ExcludeManagementEventSources, r.EventSource)
}

func (a Advanced) takes(r cloud.Record) bool {
	for _, f := range a.FieldSelectors {
		value := map[string]string{
			"eventCategory": r.EventCategory, "readOnly": readOnly(r), "eventSource": r.EventSource, "eventName": r.EventName, "eventType": r.EventType,
		}[f.Field]
		if len(f.Equals) > 0 && !slices.Contains(f.Equals, value) || slices.Contains(f.NotEquals, value) {
			return false
		}
	}
	return true
}

func readOnly(r cloud.Record) string {
	if r.ReadOnly {
		return "true"
	}
	return "false"
}
