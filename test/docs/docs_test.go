package docs_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/docs"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLinks follows the links of the pages that are written by hand: there is
// such a file, and such a heading; a link to a Go file whose label is a name
// finds that function there, so that every test that is named exists.
func TestLinks(t *testing.T) {
	t.Parallel()
	for page, least := range map[string]int{"README.md": 20, "docs/threat-model.md": 100, "docs/architecture.md": 10} {
		all := docs.Links(read(t, page))
		if len(all) < least {
			t.Errorf("%s has only %d links", page, len(all))
		}
		for _, l := range all {
			if strings.Contains(l.Target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(l.Target, "#")
			path := filepath.Join(root, filepath.Dir(page), file)
			if file == "" {
				path = filepath.Join(root, page)
			}
			raw, err := os.ReadFile(path)
			if dir, _ := os.Stat(path); err != nil && (dir == nil || !dir.IsDir()) {
				t.Errorf("%s:%d: %s is not there", page, l.Line, l.Target)
				continue
			}
			if anchor != "" && !docs.Anchors(string(raw))[anchor] {
				t.Errorf("%s:%d: %s has no heading %q", page, l.Line, path, anchor)
			}
			if strings.HasSuffix(file, ".go") && !declares(t, path, string(raw), l.Label) {
				t.Errorf("%s:%d: %s has no function %s", page, l.Line, file, l.Label)
			}
		}
	}
}

func declares(t *testing.T, path, text, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, ok := s.(*ast.TypeSpec); ok && s.Name.Name == name {
					return true
				}
			}
		}
	}
	return false
}

// TestThreats_named: the threat model names no test but by a link, each path
// says all there is to say, and what is open is in the list at the top.
func TestThreats_named(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/threat-model.md")
	unlinked := regexp.MustCompile(`(?m)(^|[^\[/\w])((?:Test|Fuzz)[A-Z]\w*)`)
	for _, m := range unlinked.FindAllStringSubmatch(page, -1) {
		t.Errorf("%s is named without a link to it", m[2])
	}
	table, sections, _ := strings.Cut(page, "\n## 1. ")
	n := 0
	for i, s := range strings.Split("1. "+sections, "\n## ") {
		n++
		for _, part := range []string{"**Has**", "**Tries**", "**Stopped by", "**Shown by**", "**Left."} {
			if !strings.Contains(s, part) && (part != "**Shown by**" || !strings.Contains(s, "**Shown by")) {
				t.Errorf("section %d says nothing of %s", i+1, part)
			}
		}
		number, title, _ := strings.Cut(strings.SplitN(s, "\n", 2)[0], ". ")
		if strings.Contains(s, "This is open") && !strings.Contains(table, "["+number+"](#") {
			t.Errorf("%s is open, and not in the list of what is open", title)
		}
	}
	if n < 20 {
		t.Errorf("only %d paths", n)
	}
}

// TestReadme_file validates the example as keyturn validate does.
func TestReadme_file(t *testing.T) {
	t.Parallel()
	blocks := docs.Blocks(read(t, "README.md"), "yaml")
	if len(blocks) == 0 {
		t.Fatal("README.md shows no keyturn.yaml")
	}
	for _, b := range blocks {
		fsys := fstest.MapFS{"keyturn.yaml": {Data: []byte(b)}}
		if _, err := keysfile.Load(fsys, keysfile.Options{Vendors: catalog.All()}, "keyturn.yaml"); err != nil {
			t.Errorf("%v\n%s", err, b)
		}
	}
}

// TestReadme_commands: what README.md tells to type is there.
func TestReadme_commands(t *testing.T) {
	t.Parallel()
	page, reference, makefile := read(t, "README.md"), read(t, "docs/cli.md"), read(t, "Makefile")
	typed := strings.Join(docs.Blocks(page, "sh"), "\n") + strings.Join(regexp.MustCompile("`[^`\n]+`").FindAllString(page, -1), "\n")
	made := regexp.MustCompile(`(?m)(?:^|[\x60$] *)make ([a-z-]+)`).FindAllStringSubmatch(typed, -1)
	run := regexp.MustCompile(`(?m)(?:^|[\x60|] *)keyturn ([a-z-]+(?: (?:put|test|deploy))?)`).FindAllStringSubmatch(typed, -1)
	for _, m := range made {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("there is no target %q", m[1])
		}
	}
	for _, m := range run {
		name := m[1]
		if !strings.Contains(reference, "\n## keyturn "+name+"\n") && !strings.Contains(reference, "\n## keyturn "+strings.Fields(name)[0]+"\n") {
			t.Errorf("there is no command keyturn %s", name)
		}
	}
	if len(made) < 5 || len(run) < 10 {
		t.Errorf("only %d targets and %d commands were found", len(made), len(run))
	}
}

// TestReadme_vendors: the table has every vendor that there is, with its
// strategy, and no other.
func TestReadme_vendors(t *testing.T) {
	t.Parallel()
	there := map[string]string{}
	for _, d := range catalog.All() {
		there[d.Name] = d.Strategy
	}
	words := map[string]string{"overlap": "Overlap", "dual slot": "DualSlot", "roll in place": "RollInPlace", "roll with grace": "RollWithGrace"}
	told := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| [^|]+ \\| ([a-z ]+) \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if strategy := words[m[2]]; strategy != "" {
			told[m[1]] = strategy
		}
	}
	if d := cmp.Diff(there, told); d != "" {
		t.Errorf("the table of vendors in README.md (-there +told):\n%s", d)
	}
}

// TestDeployTools: what runs where Keyturn is deployed is what was locked, no
// package's script runs there, and what runs as a function or as the command has
// nothing of the CDK in it.
func TestDeployTools(t *testing.T) {
	t.Parallel()
	var lock struct {
		Packages map[string]struct{ Integrity, Resolved string }
	}
	if err := json.Unmarshal([]byte(read(t, "infra/package-lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if name != "" && (!strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/")) {
			t.Errorf("%s is locked to %q of %q", name, p.Integrity, p.Resolved)
		}
	}
	if len(lock.Packages) < 2 {
		t.Errorf("%d packages are locked", len(lock.Packages))
	}
	for line := range strings.Lines(read(t, "Makefile")) {
		if strings.Contains(line, "npm ") && !strings.HasPrefix(line, "#") && (!strings.Contains(line, "npm ci ") || !strings.Contains(line, "--ignore-scripts")) {
			t.Errorf("the Makefile installs what is not locked, or runs its scripts: %s", line)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", root+"/functions/...", root+"/infra/keyturn").Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "\n"); n < 50 {
		t.Errorf("%d packages", n)
	}
	for path := range strings.Lines(string(out)) {
		if strings.Contains(path, "jsii") || strings.Contains(path, "aws-cdk") {
			t.Errorf("a function or the command links %s", path)
		}
	}
}
