package keysfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func TestLoad_files(t *testing.T) {
	t.Parallel()
	const key = "{vendorAccount: mail, settings: {scopes: [mail.send]}, name: "
	for _, tt := range []struct {
		name  string
		files []string // name and text in turns, beside the valid file
		want  string
	}{
		{"none", nil, ""},
		{"more keys", []string{"keys/a.yaml", "keys: [" + key + "a}]", "keys/b.yaml", "keys: [" + key + "b}]"}, ""},
		{"what is no YAML is left alone", []string{"keys/README.md", "- [", "keys/old/a.txt", "- ["}, ""},
		{
			"a directory deeper",
			[]string{"keys/team/a.yaml", "keys: [" + key + "a}]", "keys/team/b.yml", "", "keys/b.yaml", "keys: [" + key + "b}]"},
			"keys/team/a.yaml: directories within keys are not read: move it up, to keys/team-a.yaml, or out of here\n" +
				"keys/team/b.yml: directories within keys are not read: move it up, to keys/team-b.yml, or out of here",
		},
		{"Latin-1", []string{"keys/a.yaml", "# ü\n# é M\xfcller\nkeys: []\n"}, "keys/a.yaml:2:6: not UTF-8: save the file in UTF-8"},
		{
			"twice",
			[]string{"keys/a.yaml", "keys:\n- " + key + "a}\n", "keys/b.yaml", "\nkeys:\n- " + key + "a}\n- " + key + "prod/mailer/sendgrid}"},
			"keys/b.yaml:3:64: \"a\" is declared in keys/a.yaml:2:64 too: keep one of the two\n" +
				"keys/b.yaml:4:64: \"prod/mailer/sendgrid\" is declared in k.yaml:8:11 too: keep one of the two",
		},
		{
			"an account twice",
			[]string{"keys/a.yaml", "vendorAccounts:\n  mail: {provider: gitea, admin: x}"},
			`keys/a.yaml:2:3: "mail" is declared in k.yaml:4:3 too: keep one of the two`,
		},
		{
			"more than keys",
			[]string{"keys/a.yaml", "version: 1\ndefaults: {owner: me}\nkey: []"},
			"keys/a.yaml:1:1: \"version\" belongs into the first file: further files have keys and vendorAccounts only\n" +
				"keys/a.yaml:2:1: \"defaults\" belongs into the first file: further files have keys and vendorAccounts only\n" +
				"keys/a.yaml:3:1: unknown field \"key\": did you mean \"keys\"?",
		},
		{"the other ending", []string{"keys/a.yml", ""}, "keys/a.yml: only files that end in .yaml are read: rename it to a.yaml"},
		{
			"too large",
			[]string{"keys/a.yaml", strings.Repeat("# 67 characters of a comment that says nothing to anybody, again and\n", 31000)},
			"keys/a.yaml: too large: a file may have 2 MiB, and all together 16: part the keys among several files",
		},
		{
			"a problem in each",
			[]string{"keys/a.yaml", "keys: [" + key + "a, tier: 9}]", "keys/b.yaml", "keys: [" + key + "b, tier: 9}]"},
			"keys/a.yaml:1:78: 9 is no tier: write 1 (the most critical) to 4\nkeys/b.yaml:1:78: 9 is no tier: write 1 (the most critical) to 4",
		},
		{
			"not YAML",
			[]string{"keys/a.yaml", "keys: [" + key + "a, tier: 9}]", "keys/b.yaml", "keys: ["},
			"keys/b.yaml:2:1: not YAML, while parsing a flow node did not find expected node content: look at the indentation and the quotes here and in the line above",
		},
		{
			"a bomb of aliases",
			[]string{"keys/a.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nkeys: [*b, *b]"},
			"keys/a.yaml:1:1: unknown field \"a\": known are version, name, shards, environments, defaults, policy, vendorAccounts, keys, freeze, notifications, access, audit, detect, functions\n" +
				"keys/a.yaml:2:1: unknown field \"b\": known are version, name, shards, environments, defaults, policy, vendorAccounts, keys, freeze, notifications, access, audit, detect, functions\n" +
				"keys/a.yaml:3:8: an alias: write the value again: aliases are not read\n" +
				"keys/a.yaml:3:12: an alias: write the value again: aliases are not read",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(append([]string{"k.yaml", valid}, tt.files...)...)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

func TestLoad_unreadable(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"k.yaml": {Data: []byte(valid)}, "more/a.yaml": {Data: []byte("keys: []")}}
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{nil, "no file to read"},
		{[]string{"none.yaml"}, "read none.yaml: file does not exist"},
		{[]string{"k.yaml", "none"}, "read none: file does not exist"},
		{[]string{"more"}, "read more: the first is a directory, not keyturn.yaml"},
	} {
		_, err := keysfile.Load(fsys, options(), tt.paths...)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.paths, err, tt.want)
		}
		if _, ok := errors.AsType[*keysfile.Error](err); ok {
			t.Errorf("%q: %v is not of what is written", tt.paths, err)
		}
	}
	if _, err := keysfile.Load(fsys, options(), "none.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not say why", err)
	}
	if f, err := keysfile.Load(fsys, options(), "k.yaml", "more"); err != nil || len(f.Keys) != 1 {
		t.Errorf("with a directory: %v", err)
	}
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"keyturn.yaml": valid, "keys/a.yaml": "keys: [{name: a, vendorAccount: mail, settings: {scopes: [x.y]}}]"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	main := filepath.Join(dir, "keyturn.yaml")
	f, err := keysfile.LoadFiles(options(), main)
	if err != nil || len(f.Keys) != 2 || f.Keys[1].At.File != filepath.Join(dir, "keys", "a.yaml") {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err = keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, main); err != nil {
		t.Errorf("with the clock of the machine: %v", err)
	}
}

// many returns files with n keys.
func many(n, shards int) []string {
	files := []string{"k.yaml", fmt.Sprintf("version: 1\nshards: %d\ndefaults: {owner: platform@example.com}\n", shards)}
	for i := 0; i < n; i += 1000 {
		var text strings.Builder
		fmt.Fprintf(&text, "vendorAccounts: {mail-%d: {provider: sendgrid, admin: keyturn/admin}}\nkeys:\n", i)
		for j := i; j < min(i+1000, n); j++ {
			fmt.Fprintf(&text, "  - name: prod/service-%05d/key\n    vendorAccount: mail-%d\n    settings: {scopes: [mail.send]}\n    readers: [arn:aws:iam::111122223333:role/service-%05d]\n", j, i, j)
		}
		files = append(files, fmt.Sprintf("keys/%05d.yaml", i), text.String())
	}
	return files
}

func TestLoad_manyKeys(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("10,000 keys, and no goroutine")
	}
	f, err := load(many(3_000, 64)...)
	if err != nil || len(f.Keys) != 3_000 {
		t.Fatalf("3,000 keys: %v", err)
	}
	if c, err := config.Parse(f.Config("mail-2000"), catalog.All()); err != nil || len(c.Keys()) != 1000 {
		t.Errorf("the configuration of one vendor account: %v", err)
	}
	const second = "declare the others in a second installation, with a name and keys of its own"
	if _, err = load(many(10_001, 128)...); err == nil || err.Error() != "keys/00000.yaml:3:3: 10001 keys are more than the 10000 of one installation: "+second {
		t.Errorf("10,001 keys: %v", err)
	}
	if _, err = load(many(5_000, 32)...); err == nil || !strings.HasSuffix(err.Error(), "write more shards before the first deployment; after it, "+second) {
		t.Errorf("5,000 keys in 32 stacks: %v", err)
	}
	all := strings.ReplaceAll(many(1000, 32)[3], "mail-0", "mail")
	one := valid + strings.TrimPrefix(all[strings.Index(all, "keys:\n"):], "keys:\n")
	if _, err = load("k.yaml", one); err == nil || !strings.Contains(err.Error(), "k.yaml:4:3: 1001 keys are more than the 1000 of one vendor account") {
		t.Errorf("1,001 keys of one vendor account: %v", err)
	}
}
