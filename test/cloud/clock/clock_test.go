package clock_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
)

func TestAlarms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer c.Stop()
		begin := c.Now()
		var rang atomic.Int64
		ring := func() { rang.Add(1) }
		c.At(begin.Add(-time.Hour), ring) // due at once
		c.After(time.Hour, ring)
		c.After(48*time.Hour, ring)
		cancel := c.After(2*time.Hour, ring)
		synctest.Wait()
		if got := rang.Load(); got != 1 {
			t.Fatalf("%d alarms at first, want 1", got)
		}
		<-time.After(61 * time.Minute) // it runs by itself
		if got := rang.Load(); got != 2 {
			t.Errorf("%d alarms after an hour, want 2", got)
		}
		if !cancel() || cancel() {
			t.Error("an alarm is canceled once, in time")
		}
		c.Advance(72 * time.Hour)
		synctest.Wait()
		if got := rang.Load(); got != 3 {
			t.Errorf("%d alarms after three days, want 3", got)
		}
		if got := c.Now().Sub(begin); got != 72*time.Hour+61*time.Minute || c.Offset() != 72*time.Hour {
			t.Errorf("the clock is %s ahead, %s of it moved", got, c.Offset())
		}
	})
}

func TestStopCancelsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.After(time.Minute, func() { t.Error("it rang") })
		c.Stop()
		c.Advance(time.Hour)
		synctest.Wait()
	})
}
