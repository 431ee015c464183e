package doctor

import (
	"net/http"
	"sync"
	"time"
)

// clock is a transport that compares the vendor's clock with this machine's.
type clock struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	known bool
	ahead time.Duration // how far the vendor's is
}

// RoundTrip implements [http.RoundTripper].
func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := c.now()
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		got := c.now()
		c.mu.Lock()
		defer c.mu.Unlock()
		// The answer was written between the two, and its time has no fraction.
		c.known, c.ahead = true, at.Add(500*time.Millisecond).Sub(sent.Add(got.Sub(sent)/2))
		if c.ahead.Abs() < time.Second+got.Sub(sent) {
			c.ahead = 0 // less than can be told
		}
	}
	return answer, err
}

func (c *clock) skew() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, c.known
}
