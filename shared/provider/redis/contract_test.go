package redis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/redis"
	"github.com/keyturn/keyturn/shared/provider/redis/redistest"
	"github.com/keyturn/keyturn/shared/providertest"
)

// httpSettings are Redis' settings for a server behind a bridge.
type httpSettings redis.Settings

func (s httpSettings) BaseURL() string {
	return "https://" + s.Address[:strings.LastIndex(s.Address, ":")]
}
func (s httpSettings) Problems() []provider.Problem { return redis.Settings(s).Problems() }

// The contract has faults of HTTP requests, so each command is one: a fault of
// a request is put into Redis' words where it has some, and onto the wire as it
// is where it has none.
func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: provider.Define(redis.Definition().Info, func(s httpSettings, admin provider.Admin, hc *http.Client) provider.Strategy {
			return redis.New(redis.Settings(s), admin, bridge{hc.Transport, s.BaseURL()}.dial).Strategy()
		}),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"address": "` + strings.TrimPrefix(base, "https://") + `:6379", "user": "` + redistest.User + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake { return redistest.New(clock, redistest.Options{}) },
	})
}

// bridge carries the commands of connections as HTTP requests.
type bridge struct {
	carrier http.RoundTripper
	base    string
}

func (b bridge) dial(ctx context.Context, _, _ string) (provider.Conn, error) {
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.serve(ctx, far)
	}()
	return nearEnd{near, cancel, done}, nil
}

// nearEnd leaves nobody behind who still looks at the faults.
type nearEnd struct {
	net.Conn

	cancel context.CancelFunc
	done   <-chan struct{}
}

func (n nearEnd) Close() error {
	n.cancel()
	err := n.Conn.Close()
	<-n.done
	return err
}

// serve ends when the near end is closed, or at the end of ctx.
func (b bridge) serve(ctx context.Context, far net.Conn) {
	defer far.Close()
	r, user := bufio.NewReader(far), ""
	for {
		args, err := redistest.ReadCommand(r)
		if err != nil {
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/", nil)
		if err != nil {
			return
		}
		req.Header["Arg"], req.Header["User"] = args, []string{user}
		res, err := b.carrier.RoundTrip(req)
		if err != nil {
			return // a connection that breaks
		}
		answer, whole := words(res, far)
		if !whole {
			return
		}
		user = redistest.After(user, args, answer)
	}
}

// words writes the answer to the wire and reports whether the connection lives.
func words(res *http.Response, wire io.Writer) (string, bool) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	answer := string(body)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && res.StatusCode != http.StatusOK { // a vendor's error
		text := strings.ReplaceAll(answer, "\n", " ")
		answer = map[int]string{
			http.StatusTooManyRequests: "-LOADING " + text + "\r\n",
			http.StatusUnauthorized:    "-WRONGPASS " + text + "\r\n",
			http.StatusForbidden:       "-NOPERM " + text + "\r\n",
			http.StatusNotFound:        "$-1\r\n",
			http.StatusBadRequest:      "-ERR " + text + "\r\n",
		}[res.StatusCode]
	}
	if _, werr := io.WriteString(wire, answer); err != nil || werr != nil {
		return "", false
	}
	promised, _ := strconv.Atoi(res.Header.Get("Content-Length"))
	return answer, answer != "" && len(body) >= promised && res.StatusCode/100 != 3
}
