package keysfile_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

var update = flag.Bool("update", false, "write what is wrong into testdata/refused.txt")

// problemsOf returns what is wrong with a file, as it is printed.
func problemsOf(t *testing.T, text string) string {
	t.Helper()
	_, err := load("k.yaml", text)
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[*keysfile.Error](err); !ok {
		t.Fatalf("not a problem of the file: %v", err)
	}
	return err.Error()
}

// Every case of refused.txt is a heading (key: lines that are added to the only
// key of the valid file; file: to the file; whole: they are the file), its lines,
// and after > every problem that an operator is told.
func TestLoad_refused(t *testing.T) {
	t.Parallel()
	const name = "testdata/refused.txt"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for i, block := range strings.Split(string(data), "## ")[1:] {
		kind, rest, _ := strings.Cut(block, "\n")
		input, _, _ := strings.Cut(rest, "\n> ")
		input = strings.TrimSuffix(input, "\n")
		text := map[string]string{
			"key":   valid + "    " + strings.ReplaceAll(input, "\n", "\n    ") + "\n",
			"file":  valid + input + "\n",
			"whole": input + "\n",
		}[kind]
		found := problemsOf(t, text)
		if found == "" {
			t.Errorf("case %d is accepted:\n%s", i, input)
		}
		got.WriteString("## " + kind + "\n" + input + "\n> " + strings.ReplaceAll(found, "\n", "\n> ") + "\n")
	}
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(strings.Split(string(data), "\n"), strings.Split(got.String(), "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}
