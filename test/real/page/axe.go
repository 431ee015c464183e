// Package page shows the review's page in a real browser, Debian's Chromium, and has
// axe-core look at it.
package page

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/keyturn/keyturn/test/real/buildcache"
)

// The version of https://www.npmjs.com/package/axe-core that is used, and the integrity
// that the registry tells of it.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// Axe returns the source of axe-core. It is fetched once, by npm, and kept outside of
// the clone.
func Axe(ctx context.Context, logf func(string, ...any)) ([]byte, error) {
	dir, err := buildcache.Once("axe-core-"+axeVersion, logf, func(dir string) error {
		cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "axe-core@"+axeVersion)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm pack axe-core: %w\n%s", err, out)
		}
		script, err := unpack(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "axe.min.js"), script, 0o600)
	})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "axe.min.js"))
}

// unpack returns the script of a package, whose hash must be the one that is known.
func unpack(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != axeIntegrity {
		return nil, errors.New("axe-core is not the one that was expected")
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("unpack axe-core: %w", err)
		}
		if h.Name == "package/axe.min.js" {
			return io.ReadAll(r)
		}
	}
}
