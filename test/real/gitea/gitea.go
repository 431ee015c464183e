// Package gitea builds the real Gitea server from its Go module and runs it
// for a test. It is a throw-away server: it listens on loopback only, keeps
// everything in one temporary folder, and is gone when the test ends.
package gitea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/real/daemon"
)

// Version is the Gitea release that [Start] runs.
const Version = "1.25.2"

// readyWithin bounds the server's start. It took 1 to 3 s when measured.
const readyWithin = 60 * time.Second

// Server is a running Gitea with one ordinary user.
type Server struct {
	URL      string // for example http://127.0.0.1:40123, without a final slash
	User     string // an ordinary user, not an administrator
	Password string // random, of this server only
}

// Start runs a fresh Gitea until the test and its cleanups are over. Where no
// build is in the cache it makes one first, which takes some minutes of CPU.
// When the test runs as root the server runs as the user nobody, for Gitea
// refuses to be root. Whatever goes wrong ends the test. Safe for use by
// several tests at once: each gets its own server.
func Start(t testing.TB) *Server {
	t.Helper()
	dist, err := Build(t.Context(), t.Logf)
	if err != nil {
		t.Fatalf("build gitea: %v", err)
	}
	i, err := install(dist)
	if err != nil {
		t.Fatalf("install gitea: %v", err)
	}
	t.Cleanup(func() {
		if err = os.RemoveAll(i.work); err != nil {
			t.Errorf("remove gitea's folder: %v", err)
		}
	})
	s, err := i.serve(t)
	if err != nil {
		t.Fatalf("run gitea: %v", err)
	}
	return s
}

// serve starts the server and makes its user.
func (i *installation) serve(t testing.TB) (*Server, error) {
	t.Helper()
	// The socket is ours and is handed over, so no other process can take the
	// port in between, and connections wait until Gitea accepts them.
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	socket, err := l.File()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err = i.configure(addr); err != nil {
		return nil, errors.Join(err, l.Close(), socket.Close())
	}
	exited, err := daemon.Run(t, func(ctx context.Context) *exec.Cmd {
		cmd := i.command(ctx, "web")
		cmd.ExtraFiles = []*os.File{socket}
		cmd.Env = append(cmd.Env, "LISTEN_FDS=1")
		return cmd
	})
	// The process has its own copy of the socket from here on.
	if err = errors.Join(err, l.Close(), socket.Close()); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + addr, User: "mailer"}
	if err = ready(t.Context(), s.URL, exited); err != nil {
		return nil, err
	}
	s.Password, err = i.createUser(t.Context(), s.User)
	return s, err
}

// ready waits until the server answers, and gives up when it exits.
func ready(ctx context.Context, url string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- get(ctx, url+"/api/v1/version") }()
	select {
	case err := <-answer:
		return err
	case <-exited:
		return errors.New("it exited before it was ready")
	}
}

// get asks once; the kernel keeps the connection until Gitea accepts it.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	// No shared connections: a test may count goroutines.
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := hc.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET /api/v1/version: %s", res.Status)
	}
	return errors.Join(err, res.Body.Close())
}
