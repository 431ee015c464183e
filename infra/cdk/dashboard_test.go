//go:build !race

package cdk

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// logged is every name and every constant message that the functions' source
// writes to the log or to a line of metrics.
func logged(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	forms := regexp.MustCompile(`slog\.[A-Z][A-Za-z0-9]*\("([a-z_0-9]+)"|LogAttrs\(ctx, slog\.Level[A-Za-z]+, "([^"]+)"|json:"([a-z_]+)(?:,omitempty)?"`)
	err := filepath.WalkDir("../../shared", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		metrics := strings.HasPrefix(path, "../../shared/metric/")
		for _, m := range forms.FindAllStringSubmatch(string(raw), -1) {
			if m[3] == "" || metrics {
				all.WriteString(" " + m[1] + m[2] + m[3] + "\n")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

var (
	comments = regexp.MustCompile(`(?m)^#.*$`)
	quoted   = regexp.MustCompile(`"[^"]*"|/[^/]*/`)
	aliases  = regexp.MustCompile(`as ([a-z]+)`)
	names    = regexp.MustCompile(`@?[a-z][a-z_]*`)
	messages = regexp.MustCompile(`msg = "([^"]+)"`)
)

// TestQueries_fields holds the saved queries to what is logged.
func TestQueries_fields(t *testing.T) {
	const language = "fields filter sort asc desc stats by as and or in like ispresent sum count latest bin h @timestamp level msg"
	said := logged(t)
	for _, q := range queries() {
		text := comments.ReplaceAllString(q.text, "")
		known := strings.Fields(language)
		for _, m := range aliases.FindAllStringSubmatch(text, -1) {
			known = append(known, m[1])
		}
		for _, m := range messages.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(said, " "+m[1]+"\n") {
				t.Errorf("%s: nothing logs %q", q.name, m[1])
			}
		}
		for _, name := range names.FindAllString(quoted.ReplaceAllString(text, ""), -1) {
			if !slices.Contains(known, name) && !strings.Contains(said, " "+name+"\n") {
				t.Errorf("%s: nothing logs the field %s", q.name, name)
			}
		}
	}
}

func TestQueries_logGroups(t *testing.T) {
	a := synthesized(t)
	groups := map[string]bool{}
	for _, r := range a.of("AWS::Logs::LogGroup") {
		groups[r.Properties["LogGroupName"].(string)] = true
	}
	all := a.of("AWS::Logs::QueryDefinition")
	if len(all) != 4 {
		t.Errorf("%d saved queries", len(all))
	}
	for id, r := range all {
		list, ok := r.Properties["LogGroupNames"].([]any)
		if !ok || len(list) != 6 {
			t.Errorf("%s is of %v", id, list)
		}
		for _, g := range list {
			if !groups[g.(string)] {
				t.Errorf("%s reads %v, which is in no template", id, g)
			}
		}
	}
	many := fileOf(0)
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		many.VendorAccounts[string(c)] = keysfile.VendorAccount{}
	}
	if got := len((place{name: "keyturn"}).logGroups(many)); got <= maxLogGroups {
		t.Errorf("%d log groups of %d vendor accounts", got, len(many.VendorAccounts))
	}
}
