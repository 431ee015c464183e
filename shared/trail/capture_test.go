package trail

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestCaptures reads the public captures, which are beside the repository
// where there is room for them. SOURCES.md counts 35 files with 310 events of
// Stratus upstream; the folder holds 31 with 269, and they are all read.
func TestCaptures(t *testing.T) {
	t.Parallel()
	root := filepath.Join(cmp.Or(os.Getenv("KEYTURN_REFERENCE"), filepath.Join("..", "..", "..", "shared")), "cloudtrail")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the captures are not there: set KEYTURN_REFERENCE")
	}
	type count struct{ Files, Events, Refused, OfSecrets, Named int }
	got := map[string]count{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") || d.Name() == "INDEX.json" {
			return err
		}
		data, err := os.Open(path)
		if err != nil {
			return err
		}
		defer data.Close()
		f, err := ReadFixtures(data, time.Unix(0, 0))
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path) // Both are below root.
		folder, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		c := got[folder]
		c.Files++
		c.Events += len(f.Events)
		c.Refused += f.Refused
		for _, e := range f.Events {
			use(t, e)
			if e.Source == SecretsManager {
				c.OfSecrets++
				if len(e.Secrets()) > 0 {
					c.Named++
				}
			}
		}
		got[folder] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]count{
		"invictus": {55, 2900, 0, 233, 232}, // all but ListSecrets
		"stratus":  {31, 269, 0, 21, 20},
		"panther":  {48, 48, 0, 4, 2}, // two batches name no secret
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
