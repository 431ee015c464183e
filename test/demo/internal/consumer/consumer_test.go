package consumer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/demo/internal/consumer"
)

// world is a secret whose key changes, and a vendor that takes some keys.
type world struct {
	mu      sync.Mutex
	version string
	down    bool
	refused map[string]bool
	lock    sync.RWMutex
	loose   int // calls during which the world was not held
}

// held notes a call during which somebody could have moved the clock.
func (w *world) held() {
	if w.lock.TryLock() {
		w.lock.Unlock()
		w.loose++
	}
}

func (w *world) set(version string, refused ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version = version
	for _, r := range refused {
		w.refused[r] = true
	}
}

// RoundTrip implements http.RoundTripper: the vendor, in memory.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held()
	rec := httptest.NewRecorder()
	if w.refused[r.Header.Get("Authorization")] {
		rec.WriteHeader(http.StatusUnauthorized)
	}
	return rec.Result(), nil
}

func (w *world) consumer(stubborn bool) *consumer.Consumer {
	return consumer.New(consumer.Options{
		Name: "app", Want: http.StatusOK, Client: &http.Client{Transport: w}, Now: time.Now,
		Cache: time.Second, Every: 100 * time.Millisecond, Stubborn: stubborn, World: &w.lock,
		Fetch: func(context.Context) (secret.Value, string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.held()
			if w.down {
				return secret.Value{}, "", errors.New("no answer")
			}
			return secret.New("key of " + w.version), w.version, nil
		},
		Request: func(key secret.Value) (*http.Request, error) {
			r, err := http.NewRequest(http.MethodGet, "http://vendor.test/", nil)
			if err == nil {
				r.Header.Set("Authorization", key.Reveal())
			}
			return r, err
		},
	})
}

func TestConsumer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		stubborn bool
		do       func(w *world, c *consumer.Consumer) // after 2 s
		want     consumer.Stats                       // after 4 s
	}{
		{"it fetches again and follows", false, func(w *world, _ *consumer.Consumer) { w.set("two") }, consumer.Stats{Version: "two", Fetches: 4, Requests: 40}},
		{
			"it keeps what it has, and the vendor refuses it", true, func(w *world, _ *consumer.Consumer) { w.set("two", "key of one") },
			consumer.Stats{Version: "one", Fetches: 1, Requests: 40, Failed: 20, LastErr: "use the key: status 401, not 200"},
		},
		{
			"started again, it has the new key", true, func(w *world, c *consumer.Consumer) { w.set("two", "key of one"); c.Restart() },
			consumer.Stats{Version: "two", Fetches: 2, Requests: 40},
		},
		{
			"a secret that cannot be read is a failure", false, func(w *world, c *consumer.Consumer) { w.mu.Lock(); w.down = true; w.mu.Unlock(); c.Restart() },
			consumer.Stats{Version: "one", Fetches: 2, Requests: 40, Failed: 20, LastErr: "fetch the secret: no answer"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{version: "one", refused: map[string]bool{}}
				c := w.consumer(tt.stubborn)
				ctx, cancel := context.WithCancel(t.Context())
				go c.Run(ctx)
				time.Sleep(1950 * time.Millisecond)
				tt.do(w, c)
				time.Sleep(2 * time.Second)
				cancel()
				synctest.Wait()
				tt.want.Name, tt.want.Stubborn = "app", tt.stubborn
				if diff := cmp.Diff(tt.want, c.Stats()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if len(c.Keys()) == 0 {
					t.Error("it remembers no key")
				}
				if w.loose > 0 {
					t.Errorf("the clock could have been moved during %d calls", w.loose)
				}
			})
		})
	}
}
