// Package promises lists what Keyturn promises, and finds the tests that name
// each promise.
//
// A test names a promise with a line "// Promise: <id>" of its own in its doc
// comment. A test may name several.
package promises

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Promise is one thing that must not stop being so.
type Promise struct {
	ID   string
	Text string
	// Firm promises are marked as such in the design: changing one needs a very
	// good reason. The others are how the design keeps them.
	Firm bool
	Kept []string // where in the code: "path/file.go function"
}

// List returns all promises.
func List() []Promise {
	const rotation, retire = "shared/rotation/", "shared/retire/"
	return []Promise{
		{"foreign-untouched", "We never touch a key that does not carry our name and that the operator did not hand over by adoption.", true, []string{retire + "role.go owned", rotation + "family.go of", "shared/slot/slot.go name"}},
		{"create-once", "A create is never sent twice on an unknown outcome.", true, []string{"shared/httpapi/httpapi.go again", rotation + "mint.go notMinted"}},
		{"killed-anywhere", "Any step can be killed anywhere, run twice at once, late, or never; the next run mends it.", true, []string{rotation + "create.go create", rotation + "prove.go promoted", rotation + "lease.go lease", retire + "engine.go once", retire + "claim.go claimed"}},
		{"audited-first", "Every act at a vendor is recorded before it happens (intent) and after (outcome). Not accepted is not done, except in an emergency, which goes on with a signed line in the log.", true, []string{rotation + "mint.go mint", rotation + "mint.go revoke", rotation + "roll.go roll", rotation + "slot.go place", rotation + "emergency.go unrecorded", retire + "perform.go perform"}},
		{"put-is-arbiter", "Of two runs the one that stores first wins; the other revokes only the key that it minted itself.", false, []string{rotation + "mint.go keep", rotation + "room.go makeRoom"}},
		{"untested-never-live", "Nothing untested goes live: what is promoted was accepted by the vendor just before.", false, []string{rotation + "prove.go finish", rotation + "first.go firstProof", rotation + "roll.go setInPlace"}},
		{"two-generations", "Two generations of a key live at most, unless in an emergency.", false, []string{rotation + "create.go room", rotation + "roll.go withGrace"}},
		{"in-place", "A value that dies when it is replaced is replaced only with consent, or is stored first; the value that works goes live.", false, []string{rotation + "roll.go inPlace", rotation + "roll.go supersede", rotation + "instead.go instead"}},
		{"proof-of-death", "A key is dead when the vendor refuses it and accepts the current one just before and after; otherwise it is held.", false, []string{retire + "proof.go trial", retire + "proof.go unproven"}},
		{"never-the-current", "The current key is never ended, nor any other while the current one is refused or not certainly another.", false, []string{retire + "advance.go gates", retire + "advance.go distinct", retire + "perform.go unlessMoved"}},
		{"quiet-first", "A key that is in use is not ended without the operator's consent, and unknown use is use.", false, []string{retire + "grace.go judge", retire + "advance.go grace"}},
		{"replicas-first", "A key is not ended before its replacement is in every replica.", false, []string{retire + "advance.go gates"}},
		{"lost-keys-end", "A key whose value was lost is ended, when it is old enough and was seen so twice.", false, []string{retire + "lost.go lost"}},
		{"never-forgotten", "A key that cannot be ended is tried again, and somebody is told.", false, []string{retire + "perform.go failed", retire + "overdue.go overdue"}},
		{"configured-only", "A secret that is not in the function's own configuration is refused.", false, []string{"shared/config/parse.go Key", rotation + "rotation.go ours", retire + "event.go target"}},
		{"lineage-of-name", "A recreated secret keeps its keys.", false, []string{"shared/keyname/keyname.go LineageOf"}},
		{"shape-kept", "The consumer's fields of a value stay as they are.", false, []string{"shared/payload/payload.go Build"}},
		{"credential-stays", "Credentials go only to hosts that are listed, not to private addresses unless opted in, and no page leads elsewhere.", false, []string{"shared/httpapi/guard.go rule", "shared/httpapi/address.go refused", "shared/httpapi/pages.go Pages"}},
		{"nothing-printed", "No secret is in any log, error, metric or record.", false, []string{"shared/secret/secret.go String", "shared/httpapi/classify.go transport"}},
	}
}

// Test is a test that names a promise.
type Test struct{ File, Func string }

// Tests returns the tests that name each promise, in the order of files, whatever
// their build tags.
func Tests(root string) (map[string][]Test, error) {
	out := map[string][]Test{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return collect(f, filepath.ToSlash(rel), out)
	})
	return out, err
}

func collect(f *ast.File, file string, out map[string][]Test) error {
	above := map[*ast.CommentGroup]string{} // the test under each doc comment
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil && fn.Recv == nil {
			above[fn.Doc] = fn.Name.Name
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			id, ok := strings.CutPrefix(c.Text, "// Promise: ")
			if !ok {
				continue
			}
			name := above[group]
			if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
				return fmt.Errorf("%s: promise %q is not named above a test", file, id)
			}
			out[id] = append(out[id], Test{file, name})
		}
	}
	return nil
}

// functions returns the names of the functions and methods in a file.
func functions(path string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			out = append(out, fn.Name.Name)
		}
	}
	return out, nil
}

// Page returns docs/promises.md.
func Page(list []Promise, tests map[string][]Test) string {
	var b strings.Builder
	b.WriteString("<!-- Code generated from the tests by go generate ./test/promises. DO NOT EDIT. -->\n\n# What Keyturn promises\n\n" +
		"Each promise is named by the tests that hold it, with a line `// Promise: <id>`\nabove them. Those that are **firm** are not changed without a very good reason.\n")
	for _, p := range list {
		firm := ""
		if p.Firm {
			firm = " (firm)"
		}
		fmt.Fprintf(&b, "\n## %s%s\n\n%s\n\nKept in:\n\n", p.ID, firm, p.Text)
		for _, k := range p.Kept {
			file, fn, _ := strings.Cut(k, " ")
			fmt.Fprintf(&b, "- [%s](../%s) in `%s`\n", fn, file, file)
		}
		b.WriteString("\nHeld by:\n\n")
		for _, t := range slices.Compact(tests[p.ID]) {
			fmt.Fprintf(&b, "- [%s](../%s) in `%s`\n", t.Func, t.File, filepath.ToSlash(filepath.Dir(t.File)))
		}
	}
	return b.String()
}
