package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/keyturn/keyturn/test/real/buildcache"
)

// What to build. The module's own go.mod has replace directives, which do not
// count in ours: that of the SDK is repeated. Both are pinned; Go checks the
// rest against its checksum database.
const (
	goMod = `module keyturn.test/vault

go 1.20

require github.com/hashicorp/vault v` + Version + `

replace github.com/hashicorp/vault/sdk => github.com/hashicorp/vault/sdk v0.8.1
`
	goSum = `github.com/hashicorp/vault v1.13.1 h1:4Q31hCWCwD2XRCwGL+9gsrCwxn6+ngToBgjT0FCTG+M=
github.com/hashicorp/vault v1.13.1/go.mod h1:aD5a/VHOADe8hiMHx4rYJwv6W6+1WYlco/hf8MWbYaw=
github.com/hashicorp/vault/sdk v0.8.1 h1:bdlhIpxBmJuOZ5Anumao1xeiLocR2eQrBRuJynZfTac=
github.com/hashicorp/vault/sdk v0.8.1/go.mod h1:kEpyfUU2ECGWf6XohKVFzvJ97ybSnXvxsTsBkbeVcQg=
`
	needs = `//go:build needs

package needs

import _ "github.com/hashicorp/vault"
`
)

// Build returns the folder that holds the program `vault`. It is made once, in
// the folder vault-1.13.1 of the cache: some five minutes of CPU and about 170
// MB, plus Go's build cache. It has no user interface: that is no Go.
func Build(ctx context.Context, logf func(format string, args ...any)) (dir string, err error) {
	return buildcache.Once("vault-"+Version, logf, func(dir string) error { return compile(ctx, dir) })
}

func compile(ctx context.Context, dir string) (err error) {
	src, err := os.MkdirTemp("", "keyturn-vault-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(src)) }()
	for name, text := range map[string]string{"go.mod": goMod, "go.sum": goSum, "needs.go": needs} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	// Where go.sum lacks something, -mod=mod adds it.
	_, err = buildcache.Go(ctx, src, []string{"CGO_ENABLED=0", "GOFLAGS=-mod=mod"},
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(dir, "vault"), "github.com/hashicorp/vault")
	return err
}
