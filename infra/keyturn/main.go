// Command keyturn is for the people who look after the keys: how each one is,
// a rotation now, a first key, a local AWS to try it on.
//
// Its output follows age's rules: the result on stdout; on stderr what is wrong
// as "keyturn: what", and what to do about it as "keyturn: hint: what to type".
// No secret is ever an argument, and none is printed.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyturn/keyturn/shared/catalog"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		outTerminal: isTerminal(os.Stdout), errTerminal: isTerminal(os.Stderr),
		getenv: os.Getenv, vendors: catalog.All(),
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}
