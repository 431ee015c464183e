// Command sweep removes what interrupted runs of `make test-aws` left in an
// account: what has their names and their tag, and nothing else.
//
//	KEYTURN_TEST_AWS_ACCOUNT=111122223333 KEYTURN_TEST_AWS_REGION=eu-west-1 go run ./test/aws/sweep [RUN]
//
// It has not yet run on AWS.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/keyturn/keyturn/test/aws/own"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	place, err := own.Chosen(os.Getenv)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(place.Region))
	if err != nil {
		return err
	}
	if _, err := own.Guard(ctx, cfg, place); err != nil {
		return err
	}
	s := &own.Sweeper{Config: cfg, Say: func(f string, a ...any) { fmt.Printf(f+"\n", a...) }}
	if len(args) == 1 {
		s.Only = args[0]
	}
	return s.Sweep(ctx)
}
