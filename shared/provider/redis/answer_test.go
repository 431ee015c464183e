package redis_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/redis"
	"github.com/keyturn/keyturn/shared/provider/redis/redistest"
	"github.com/keyturn/keyturn/shared/secret"
)

// scripted returns a client of a server that gives the same answers to each
// connection, and hangs up after them.
func scripted(answers ...string) *redis.Client {
	admin := provider.Admin{Fields: map[string]secret.Value{"username": secret.New("keyturn"), "password": secret.New("adminsecret")}}
	return redis.New(settings("none"), admin, func(context.Context, string, string) (provider.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			for _, a := range answers {
				if _, err := redistest.ReadCommand(r); err != nil {
					return
				}
				if _, err := far.Write([]byte(a)); err != nil {
					return
				}
			}
		}()
		return near, nil
	})
}

// What a server says of AUTH: only WRONGPASS is about the password.
func TestVerify_answers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer   string
		rejected bool
		kind     provider.Kind
	}{
		{"-WRONGPASS invalid username-password pair or user is disabled.\r\n", true, 0},
		{"-WRONGPASSWORD no\r\n", false, provider.KindPermanent},
		{"-NOAUTH Authentication required.\r\n", false, provider.KindAuth},
		{"-NOPERM this user has no permissions to run the 'auth' command\r\n", false, provider.KindAuth},
		{"-LOADING Redis is loading the dataset in memory\r\n", false, provider.KindRateLimited},
		{"-BUSY Redis is busy running a script.\r\n", false, provider.KindRateLimited},
		{"-ERR max number of clients reached\r\n", false, provider.KindRateLimited},
		{"-DENIED Redis is running in protected mode\r\n", false, provider.KindPermanent},
		{"-ERR unknown command 'AUTH', with args beginning with: 'app' 'topsecret'\r\n", false, provider.KindPermanent},
		{"-\r\n", false, provider.KindPermanent},
		{"+QUEUED\r\n", false, provider.KindUnknown},
		{"$2\r\nOK\r\n", false, provider.KindUnknown},
		{"$-1\r\n", false, provider.KindUnknown},
		{":1\r\n", false, provider.KindUnknown},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", false, provider.KindUnknown},
		{"+O", false, provider.KindUnknown},
		{"", false, provider.KindUnknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			err := scripted(tt.answer).Verify(t.Context(), secret.New("topsecret"))
			if err == nil || errors.Is(err, provider.ErrRejected) != tt.rejected || !tt.rejected && provider.KindOf(err) != tt.kind {
				t.Errorf("%q: got %v", tt.answer, err)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("%q: the error shows the password", tt.answer)
			}
		})
	}
}

// What GETUSER says must be whole: a list that is cut short would have us
// remove what we do not know.
func TestSlots_answers(t *testing.T) {
	t.Parallel()
	const (
		one       = "$64\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
		on        = "$5\r\nflags\r\n*1\r\n$2\r\non\r\n"
		passwords = "$9\r\npasswords\r\n*1\r\n" + one
	)
	for _, tt := range []struct {
		name, answer string
		want         int // -1: an error
	}{
		{"one", "*4\r\n" + on + passwords, 1},
		{"flags as status lines", "*4\r\n$5\r\nflags\r\n*2\r\n+on\r\n+allkeys\r\n" + passwords, 1},
		{"none", "*4\r\n" + on + "$9\r\npasswords\r\n*0\r\n", 0},
		{"members that are new", "*6\r\n" + on + passwords + "$3\r\nnew\r\n$-1\r\n", 1},
		{"no flags", "*2\r\n" + passwords, -1},
		{"no passwords", "*2\r\n" + on, -1},
		{"passwords twice", "*6\r\n" + on + passwords + "$9\r\npasswords\r\n*0\r\n", -1},
		{"a password twice", "*4\r\n" + on + "$9\r\npasswords\r\n*2\r\n" + one + one, -1},
		{"a name without a value", "*3\r\n" + on + "$9\r\npasswords\r\n", -1},
		{"neither on nor off", "*4\r\n$5\r\nflags\r\n*0\r\n" + passwords, -1},
		{"both on and off", "*4\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$3\r\noff\r\n" + passwords, -1},
		{"something else than a hash", "*4\r\n" + on + "$9\r\npasswords\r\n*1\r\n$6\r\nsecret\r\n", -1},
		{"a number for a hash", "*4\r\n" + on + "$9\r\npasswords\r\n*1\r\n:7\r\n", -1},
		{"no list", "*4\r\n" + on + "$9\r\npasswords\r\n" + one, -1},
		{"a status", "+OK\r\n", -1},
		{"no user", "*-1\r\n", -1},
		{"cut short", ("*4\r\n" + on + passwords)[:40], -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				keys, err := scripted("+OK\r\n", tt.answer).Slots(t.Context())
				if (err != nil) != (tt.want < 0) || len(keys) != max(0, tt.want) {
					t.Errorf("got %d keys and %v", len(keys), err)
				}
			})
		})
	}
}

// A server that announces more than it sends gets no memory for it.
func TestBounded(t *testing.T) { //nolint:paralleltest // memory is measured
	for name, answer := range map[string]string{ //nolint:paralleltest // the same
		"a bulk string of 4 GB":         "$4294967296\r\n",
		"more than a number":            "$99999999999999999999999\r\n",
		"a number with many zeros":      "$" + strings.Repeat("0", 60) + "4294967296\r\n",
		"an array of a billion":         "*1000000000\r\n",
		"an array beyond memory":        "*9223372036854775807\r\n",
		"arrays in arrays":              strings.Repeat("*60000\r\n", 1000),
		"a line that does not end":      "+" + strings.Repeat("x", 3<<20),
		"after a string with line ends": "*2\r\n$12\r\n$1\r\n*1\r\n\r\n\r\n\r\n$4294967296\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			synctest.Test(t, func(t *testing.T) {
				if _, err := scripted("+OK\r\n", answer).Slots(t.Context()); provider.KindOf(err) != provider.KindUnknown || err == nil {
					t.Errorf("got %v", err)
				}
			})
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
		})
	}
}
