package binaries_test

import (
	"os"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/test/binaries"
)

// TestAll holds the list to the folders of functions.
func TestAll(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range folders {
		want = append(want, f.Name())
	}
	got := binaries.All()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("All is %q, and there are %q", got, want)
	}
}
