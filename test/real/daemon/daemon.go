// Package daemon runs a server that is not ours for a test: it dies with the
// test, and its log is printed when the test fails.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// readyWithin bounds a server's start. Those that there are took up to 3 s when
// measured.
const readyWithin = 60 * time.Second

// Run starts the server that command returns, and stops it when the test and
// its cleanups are over: they may need it, and the test's own context ends
// before they run. exited is closed when it has ended.
func Run(t testing.TB, command func(context.Context) *exec.Cmd) (exited <-chan struct{}, err error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := command(ctx)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	DieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	name := filepath.Base(cmd.Path)
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		stop()
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	// The process has its own copy of the log from here on.
	if err = errors.Join(cmd.Start(), log.Close()); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // a stopped server ends with an error
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			text, err := os.ReadFile(log.Name())
			t.Logf("%s's log: %v\n%s", name, err, text[max(0, len(text)-4000):])
		}
	})
	return ended, nil
}

// Serve runs a server that takes no socket of ours, and returns the address on
// loopback where it is ready: where ready returned nil. ready must tell the
// server from any other. Somebody may take the port before the server does, so
// one that exits is tried again.
func Serve(t testing.TB, command func(ctx context.Context, addr string) *exec.Cmd, ready func(ctx context.Context, addr string) error) (addr string, err error) {
	t.Helper()
	for range 3 {
		if addr, err = free(t.Context()); err != nil {
			return "", err
		}
		var exited <-chan struct{}
		if exited, err = Run(t, func(ctx context.Context) *exec.Cmd { return command(ctx, addr) }); err != nil {
			return "", err
		}
		if err = wait(t.Context(), exited, func(ctx context.Context) error { return ready(ctx, addr) }); err == nil || !errors.Is(err, errExited) {
			return addr, err
		}
	}
	return "", err
}

var errExited = errors.New("it exited before it was ready")

func wait(ctx context.Context, exited <-chan struct{}, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%w: %w", errExited, err)
		case <-ctx.Done():
			return fmt.Errorf("not ready in %s: %w", readyWithin, err)
		case <-tick.C:
		}
	}
}

// free returns an address on loopback that nobody listens on now.
func free(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
