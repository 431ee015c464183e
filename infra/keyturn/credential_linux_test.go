package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal is a pseudo-terminal: what a person types into, and what the program
// reads from.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var number, unlocked int32
	ioctl(t, person, syscall.TIOCGPTN, unsafe.Pointer(&number))
	ioctl(t, person, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

func ioctl(t *testing.T, f *os.File, request uintptr, p unsafe.Pointer) {
	t.Helper()
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(p)); e != 0 {
		t.Fatal(e)
	}
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	var state syscall.Termios
	ioctl(t, f, syscall.TCGETS, unsafe.Pointer(&state))
	return state.Lflag&syscall.ECHO != 0
}

func silence(t *testing.T, f *os.File) {
	t.Helper()
	var state syscall.Termios
	ioctl(t, f, syscall.TCGETS, unsafe.Pointer(&state))
	state.Lflag &^= syscall.ECHO
	ioctl(t, f, syscall.TCSETS, unsafe.Pointer(&state))
}

func waitForEcho(t *testing.T, f *os.File, want bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); echoes(t, f) != want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("the terminal's echo does not become %t", want)
		}
	}
}

func TestHidden(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	typed := make(chan string, 1)
	go func() {
		line, err := hidden(t.Context(), program)
		typed <- fmt.Sprintf("%s %v", line, err)
	}()
	waitForEcho(t, program, false)
	if _, err := person.WriteString("SG.VALUE-TO-HIDE\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-typed; got != "SG.VALUE-TO-HIDE <nil>" {
		t.Errorf("read %q", got)
	}
	if !echoes(t, program) {
		t.Error("the terminal has no echo any more")
	}
	if _, err := program.WriteString("the end"); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 1000)
	n, err := person.Read(shown)
	if text := string(shown[:n]); err != nil || strings.Contains(text, "HIDE") || !strings.Contains(text, "the end") {
		t.Errorf("the terminal shows %q, %v", text, err)
	}
}

// TestHidden_interrupted holds it to leave a terminal that echoes.
func TestHidden_interrupted(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := hidden(ctx, program)
		ended <- err
	}()
	waitForEcho(t, program, false)
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("hidden = %v", err)
	}
	if !echoes(t, program) {
		t.Error("the terminal has no echo any more")
	}
	// The reader lives on, and gives the echo back to the number that it knows:
	// until it has, the number must not become another terminal's.
	silence(t, program)
	if _, err := person.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	waitForEcho(t, program, true)
}
