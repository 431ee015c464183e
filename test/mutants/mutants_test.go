package mutants

import (
	"cmp"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	all  = flag.Bool("all", false, "try every mutant, not a sample")
	only = flag.String("only", "", "try the mutants with one of these, separated by commas, in their names")
	seed = flag.Uint64("seed", 0, "of the sample; 0: made of the list, so that it changes with it")
)

const sample = 2

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every entry fits the code as it is.
func TestList(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range List() {
		if _, err := m.Source(root(t)); err != nil {
			t.Error(err)
		}
		if seen[m.Name] || m.Name == "" || m.Why == "" || strings.Contains(m.Name, "/") {
			t.Errorf("%q: it needs a name of its own and a why", m.Name)
		}
		seen[m.Name] = true
		for _, p := range m.packages() {
			if files, _ := filepath.Glob(filepath.Join(root(t), p, "*_test.go")); len(files) == 0 {
				t.Errorf("%s: there are no tests in %s", m.Name, p)
			}
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d mutants", len(seen))
	}
}

// The tests find each mutant.
func TestMutants(t *testing.T) {
	t.Parallel()
	list := chosen(t)
	verdicts := make([]Verdict, len(list))
	t.Cleanup(func() {
		caught := 0
		for i, m := range list {
			if verdicts[i] == Caught {
				caught++
			}
			if verdicts[i] != Caught && *all {
				fmt.Fprintf(os.Stdout, "%s, again: go test ./test/mutants -run TestMutants -only %s\n", cmp.Or(verdicts[i], Broken), m.Name)
			}
		}
		fmt.Fprintf(os.Stdout, "mutants %d caught %d\n", len(list), caught)
	})
	turns := make(chan struct{}, 2)
	for i, m := range list {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			v, said, err := m.Try(t.Context(), root(t), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			verdicts[i] = v
			if *all || *only != "" {
				fmt.Fprintf(os.Stdout, "%-9s %-28s %s\n", v, m.Name, m.File)
			}
			if v != Caught {
				t.Errorf("%s %s: %s\n%s", m.Name, v, m.Why, said)
			}
		})
	}
	// That tests fail says something only if they pass otherwise.
	t.Run("nothing changed", func(t *testing.T) {
		t.Parallel()
		turns <- struct{}{}
		defer func() { <-turns }()
		if !*all && *only == "" {
			return // make test runs them all besides
		}
		var pkgs []string
		for _, m := range list {
			for _, p := range m.packages() {
				pkgs = append(pkgs, "./"+p)
			}
		}
		slices.Sort(pkgs)
		args := append([]string{"test", "-vet=off", "-p=1", "-timeout=" + Timeout.String()}, slices.Compact(pkgs)...)
		if out, err := command(t.Context(), root(t), "go", args...); err != nil {
			t.Errorf("without a mutant, tests fail: %s", out)
		}
	})
}

func chosen(t *testing.T) []Mutant {
	t.Helper()
	list := List()
	switch {
	case *all:
		return list
	case *only != "":
		parts := strings.Split(*only, ",")
		return slices.DeleteFunc(list, func(m Mutant) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(m.Name, part) })
		})
	}
	s := *seed
	if s == 0 {
		h := fnv.New64a()
		for _, m := range list {
			_, _ = h.Write([]byte(m.Name + m.New))
		}
		s = h.Sum64()
	}
	t.Logf("sample of seed %d", s)
	rand.New(rand.NewPCG(s, s)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:sample]
}
