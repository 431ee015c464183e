// Command invoke sends a sample of events/ to a real function on a local AWS,
// and prints what it logged and answered: make invoke FUNCTION= EVENT=.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/chat"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/test/binaries"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: make invoke FUNCTION="+strings.Join(events.Functions(), "|")+" EVENT=NAME\n\nevents:\n"+list())
		os.Exit(2)
	}
	failed, err := run(ctx, os.Args[1], strings.TrimSuffix(os.Args[2], ".json"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "invoke:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func list() string {
	var out strings.Builder
	for _, f := range events.Functions() {
		names, err := events.Samples(f)
		if err == nil {
			fmt.Fprintf(&out, "  %-10s %s\n", f, strings.Join(names, " "))
		}
	}
	return out.String()
}

func run(ctx context.Context, function, sample string) (failed bool, err error) {
	if _, err = events.Read(function, sample); err != nil {
		return false, errors.New("there is no such sample; there are:\n" + list())
	}
	dir, err := os.MkdirTemp("", "keyturn-invoke-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	if err = build(ctx, dir, function); err != nil {
		return false, err
	}
	r := events.Region()
	defer r.Close() //nolint:errcheck // ending
	l, err := r.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return false, err
	}
	go func() { _ = r.Serve(ctx, l) }()
	vendors := events.NewVendors(r.Cloud.Clock().Now)
	vl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return false, err
	}
	srv := &http.Server{Handler: vendors, ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(vl) }()
	defer srv.Close() //nolint:errcheck // ending
	o := events.Options(vendors, "http://"+vl.Addr().String(), vl.Addr().String())
	o.Binaries, o.Dir, o.Endpoint, o.Watch = dir, dir, "http://"+l.Addr().String(), events.Watch(function)
	o.Channels = events.Channels(function)
	s, err := stack.Deploy(ctx, r, o)
	if err != nil {
		return false, err
	}
	defer s.Close()
	if err = events.Prepare(ctx, s, vendors, function, sample); err != nil {
		return false, err
	}
	name := events.Function(function, sample)
	of, _, _ := strings.Cut(name, ":") // an alias logs where its function does
	mark := len(r.Lambda.Logs(of))
	answer, failure, err := events.Send(ctx, s, function, sample)
	if err != nil {
		return false, err
	}
	for _, line := range r.Lambda.Logs(of)[mark:] {
		fmt.Println(line)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, answer, "", "  ") != nil {
		pretty.Write(answer)
	}
	fmt.Printf("\nanswer%s:\n%s\n", map[bool]string{true: " (" + failure + ")"}[failure != ""], &pretty)
	return failure != "", nil
}

// build builds the functions that a sample needs: what audits is deployed beside the
// others, and the review's ledger is the audit function's.
func build(ctx context.Context, dir, function string) error {
	names := binaries.Functions()
	switch function {
	case audit.Name, chat.Name:
		names = append(names, function)
	case review.Name:
		names = append(names, audit.Name, review.Name)
	}
	for _, name := range names {
		if err := binaries.For(ctx, name, filepath.Join(dir, name, "bootstrap")); err != nil {
			return err
		}
	}
	return nil
}
