//go:build real

package real_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/real/apt"
)

// TestEdges drives every corner of the local Secrets Manager with boto3: what
// each answer holds, each refusal with its words, and rotations by a function
// that was uploaded as a zip and runs as a process.
func TestEdges(t *testing.T) {
	t.Parallel()
	if err := apt.NeedModule(t.Context(), "boto3", "python3-boto3"); err != nil {
		t.Fatal(err)
	}
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bootstrap, "./testdata/rotator")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the rotation function: %v\n%s", err, out)
	}

	r := region.New(region.Options{})
	l, err := r.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, r.Close()); err != nil {
			t.Error(err)
		}
	})

	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", filepath.Join("testdata", "boto3_edges.py"))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "ENDPOINT=" + r.Endpoint(), "BOOTSTRAP=" + bootstrap,
		"AWS_ACCESS_KEY_ID=" + cloud.AccessKey, "AWS_SECRET_ACCESS_KEY=" + cloud.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
