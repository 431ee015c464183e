package fault

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// freshness is how long after a fetch a consumer's call must succeed.
const freshness = time.Second

// consumer fetches the secret just before each of our requests, and calls the
// vendor just after it with whatever it fetched within the last second.
type consumer struct {
	world   *World
	mu      sync.Mutex // an invocation whose time is up may still be at its last call
	held    []fetched  // the newest is the last
	quiet   bool       // does not call: for what runs after the vendor is gone
	found   fetched    // what AWSCURRENT held when it was looked at last
	writes  int64      // of Secrets Manager until then
	refused []time.Time

	// Where replacing a value may end the current one.
	rolls  int       // since the current value works
	broken bool      // the current value may be dead
	last   time.Time // the last replacement
	healed time.Time // when the current one worked again
}

// rolled notes that the vendor is asked to replace the value.
func (c *consumer) rolled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rolls++
	if c.world.subject.Spoils > 0 && c.rolls >= c.world.subject.Spoils {
		c.broken, c.last = true, c.world.now()
	}
}

type fetched struct {
	key secret.Value
	at  time.Time
}

// fetch reads AWSCURRENT as a program would.
func (c *consumer) fetch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet || !c.world.started {
		return
	}
	if n := c.world.writes.Load(); n != c.writes {
		key, _ := c.world.current()
		c.found, c.writes = fetched{key: key}, n
	}
	key, now := c.found.key, c.world.now()
	if key.Empty() {
		return
	}
	if n := len(c.held); n > 0 && !c.held[n-1].key.Equal(key) && c.world.fake.Works(key) {
		c.rolls = 0
	}
	if c.broken && c.rolls == 0 && now.Sub(c.last) > c.world.subject.Spread {
		c.broken, c.healed = false, now
	}
	kept := c.held[:0]
	for _, h := range c.held {
		if !h.key.Equal(key) && now.Sub(h.at) <= freshness {
			kept = append(kept, h)
		}
	}
	c.held = append(kept, fetched{key, now})
}

// use calls the vendor.
func (c *consumer) use() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet || !c.world.started {
		return
	}
	for i, h := range c.held {
		if c.world.now().Sub(h.at) > freshness {
			continue
		}
		ok := c.world.fake.Works(h.key)
		if ok && i == len(c.held)-1 {
			ok = c.call(h.key)
		}
		if ok {
			continue
		}
		c.refused = append(c.refused, c.world.now())
		late := i < len(c.held)-1 && c.world.now().Sub(c.healed) <= freshness // fetched before it was mended
		if !c.broken && !late {
			c.world.breach("a consumer that fetched the secret %s ago is refused, after call %d", c.world.now().Sub(h.at), c.world.counted())
		}
	}
}

// printed is what the function says of the time in which consumers may fail.
var printed = regexp.MustCompile(`"msg":"value replaced in place"[^\n]*"began":"([^"]+)"[^\n]*"window_ms":(\d+)`)

// judge looks whether consumers were refused at a time that no log names, in a
// run in which nothing went wrong.
func (c *consumer) judge(said string) {
	unsure := c.world.site.unsure()
	for _, at := range c.refused {
		told := false
		for _, m := range printed.FindAllStringSubmatch(said, -1) {
			from, err := time.Parse(time.RFC3339Nano, m[1])
			check(err)
			ms, err := strconv.Atoi(m[2])
			check(err)
			told = told || !at.Before(from.Add(-unsure)) && !at.After(from.Add(time.Duration(ms)*time.Millisecond+freshness))
		}
		if !told {
			c.world.breach("a consumer was refused at %s, which is in no window that was printed", at.UTC().Format(time.TimeOnly))
		}
	}
}

func (c *consumer) call(key secret.Value) bool {
	r, err := c.world.subject.Consume(c.world.base, key)
	check(err)
	rec := httptest.NewRecorder()
	c.world.fake.ServeHTTP(rec, r)
	return rec.Code/100 == 2
}

func (w *World) counted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// current returns the key in AWSCURRENT, and false if there is none.
func (w *World) current() (secret.Value, bool) {
	_, key := w.version("AWSCURRENT")
	return key, key.Reveal() != ""
}

// version returns the version with a label, and the key in it.
func (w *World) version(label string) (id string, key secret.Value) {
	b, err := w.do(w.cloud.SecretsManager(), "GetSecretValue", map[string]string{"SecretId": secretName, "VersionStage": label})
	if err != nil {
		return "", secret.Value{}
	}
	var out struct{ VersionId, SecretString string } //nolint:revive // AWS's spelling
	var value map[string]json.RawMessage
	if json.Unmarshal(b, &out) != nil || json.Unmarshal([]byte(out.SecretString), &value) != nil {
		return out.VersionId, secret.Value{}
	}
	var parts []string
	for _, name := range w.subject.fields() {
		var part string
		if json.Unmarshal(value[name], &part) != nil {
			return out.VersionId, secret.Value{}
		}
		parts = append(parts, part)
	}
	return out.VersionId, secret.New(strings.Join(parts, ":"))
}
