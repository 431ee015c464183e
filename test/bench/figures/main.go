// Command figures measures what a rotation and a deployment cost and prints one
// line per figure, "name value unit": make bench. It measures on this machine, now; only the
// counts and the sizes mean the same on another.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/test/binaries"
	"github.com/keyturn/keyturn/test/calls"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

const rounds = 11

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func figure(name string, value any, unit string) {
	fmt.Printf("%s %v %s\n", name, value, unit)
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "keyturn-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	bills := map[string]calls.Bill{}
	for _, vendor := range []string{"sendgrid", "okta", "launchdarkly", "auth0"} {
		if bills[vendor], err = calls.Rotation(ctx, vendor); err != nil {
			return err
		}
	}
	size, err := binary(ctx, dir)
	if err != nil {
		return err
	}
	m, err := measure(ctx, dir)
	if err != nil {
		return err
	}
	figure("rotate_sm_calls_overlap", bills["sendgrid"].Secret, "calls")
	figure("rotate_sm_calls_dualslot", bills["okta"].Secret, "calls")
	figure("rotate_sm_calls_rollwithgrace", bills["launchdarkly"].Secret, "calls")
	figure("rotate_sm_calls_rollinplace", bills["auth0"].Secret, "calls")
	figure("rotate_aws_calls_overlap", bills["sendgrid"].All, "calls")
	figure("rotate_binary_mb", fmt.Sprintf("%.2f", float64(size)/1e6), "MB")
	figure("rotate_start_ms", ms(median(m.starts)), "ms")
	figure("rotate_rss_mb", fmt.Sprintf("%.1f", float64(m.rss)/1e6), "MB")
	figure("rotation_ms", ms(median(m.rotations)), "ms")
	runs, err := faults(ctx)
	if err != nil {
		return err
	}
	figure("fault_runs_per_second", runs, "runs")
	if err = ledgerFigures(ctx); err != nil {
		return err
	}
	if err = detectFigures(ctx); err != nil {
		return err
	}
	if err = reviewFigures(); err != nil {
		return err
	}
	return synthFigures(ctx, dir)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e6) }

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// binary returns the size of the function as it is deployed.
func binary(ctx context.Context, dir string) (int64, error) {
	file := filepath.Join(dir, "arm64", "bootstrap")
	if err := binaries.For(ctx, "rotate", file, "GOOS=linux", "GOARCH=arm64"); err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// faults returns how many runs of the crash sweep there are in a second.
func faults(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "./test/fault", "-v", "-count=1", "-all", "-run", "^TestSweep$/^overlap$")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sweep for faults: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "fault_runs_per_second "); ok {
			return n, nil
		}
	}
	return "", errors.New("the fault sweep did not say how fast it is")
}

type measured struct {
	starts, rotations []time.Duration
	rss               int64
}

// measure rotates a key with real processes: each round cold once.
func measure(ctx context.Context, dir string) (m measured, err error) {
	if err = binaries.Build(ctx, dir); err != nil {
		return m, err
	}
	const name, account = "prod/bench/sendgrid", "main"
	r := region.New(region.Options{})
	defer r.Close() //nolint:errcheck // ending
	l, err := r.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return m, err
	}
	go func() { _ = r.Serve(ctx, l) }()
	vendor := sendgridtest.New(r.Cloud.Clock().Now, sendgridtest.Options{})
	vl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return m, err
	}
	srv := &http.Server{Handler: vendor, ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(vl) }()
	defer srv.Close() //nolint:errcheck // ending
	host := vl.Addr().String()
	s, err := stack.Deploy(ctx, r, stack.Options{
		Accounts: map[string]stack.Account{account: {Provider: "sendgrid", Base: "http://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys: map[string]stack.Key{name: {
			Account: account, Settings: map[string]any{"scopes": []string{"mail.send"}},
			Grace: map[string]any{"min": "1ms", "quiet": "0s", "max": "1ms", "noUsage": "revoke"},
		}},
		Binaries: dir, Dir: dir, Endpoint: "http://" + l.Addr().String(),
	})
	if err != nil {
		return m, err
	}
	defer s.Close()
	if err = s.Init(ctx, name); err != nil {
		return m, err
	}
	if err = s.Enable(ctx, name); err != nil {
		return m, err
	}
	client := sm.NewFromConfig(r.Cloud.Config())
	for range rounds {
		if err = alone(ctx, r, account, vendor); err != nil {
			return m, err
		}
		r.Lambda.Recycle(stack.Rotate(account))
		began := time.Now()
		if _, err = client.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: aws.String(name)}); err != nil {
			return m, fmt.Errorf("rotate: %w", err)
		}
		if err = r.Cloud.Rotated(ctx, name); err != nil {
			return m, err
		}
		m.rotations = append(m.rotations, time.Since(began))
	}
	stats := r.Lambda.Stats(stack.Rotate(account))
	if stats.Errors > 0 {
		return m, fmt.Errorf("%d invocations failed: %v", stats.Errors, r.Lambda.Logs(stack.Rotate(account)))
	}
	m.starts, m.rss = stats.Starts, stats.PeakRSS
	return m, nil
}

// alone waits until the older key is dead, for it would hold the next rotation.
func alone(ctx context.Context, r *region.Region, account string, vendor *sendgridtest.Server) error {
	for len(vendor.Live()) > 1 {
		r.Cloud.Clock().Advance(time.Minute)
		if out, failure, err := r.Lambda.Invoke(ctx, stack.Retire(account), []byte(`{"version":1,"sweep":true}`)); err != nil || failure != "" {
			return fmt.Errorf("sweep: %s %s %w", failure, out, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
