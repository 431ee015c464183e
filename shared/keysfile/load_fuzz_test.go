package keysfile_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Whatever is in the files, Load comes back, with a place for every problem or
// with what the functions can read.
func FuzzLoad(f *testing.F) {
	data, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "## ")[1:] {
		_, rest, _ := strings.Cut(block, "\n")
		input, _, _ := strings.Cut(rest, "\n> ")
		f.Add(valid+input, "")
		f.Add(input, input)
	}
	f.Add(valid, "keys: []")
	f.Add(whole, keysfile.Example())
	f.Add(valid+"name: "+strings.Repeat("[", 9999), "a: &a [*a]")
	f.Fuzz(func(t *testing.T, first, further string) {
		fsys := fstest.MapFS{"k.yaml": {Data: []byte(first)}, "keys/a.yaml": {Data: []byte(further)}}
		file, err := keysfile.Load(fsys, options(), "k.yaml")
		if err != nil {
			e, ok := errors.AsType[*keysfile.Error](err)
			if !ok {
				t.Fatalf("not a problem of the files: %v", err)
			}
			for _, p := range e.Problems {
				if p.At.File == "" && !strings.HasSuffix(p.What, "problems more") || p.What == "" || p.At.Line < 0 {
					t.Errorf("%+v has no place", p)
				}
			}
			return
		}
		c, err := config.Parse(file.Config(""), catalog.All())
		if err != nil || len(c.Keys()) != len(file.Keys) {
			t.Errorf("the functions do not read it: %v", err)
		}
		for _, k := range file.Keys {
			if s, err := keysfile.ParseSchedule(file.Expression(k)); err != nil || s.Longest() <= 0 {
				t.Errorf("%q is deployed as %q: %v", k.Schedule, file.Expression(k), err)
			}
		}
	})
}
