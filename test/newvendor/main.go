package main

import (
	"fmt"
	"os"
)

const next = `shared/provider/%[1]s is written, and passes as it is:
  go test ./shared/provider/%[1]s/...
Then:
  1. Change what is marked FILL to what the vendor does, the stand-in first:
     grep -rn FILL shared/provider/%[1]s
  2. Name it in shared/catalog/catalog.go: the import, and All in its order.
  3. Add its row to the table of vendors in README.md, and a line to CHANGELOG.md.
  4. go test ./shared/keysfile/schema -update
  5. make check
`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, `usage, in the repository: go run ./test/newvendor acme "Acme Mail"`)
		os.Exit(2)
	}
	if err := write("shared/provider", os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf(next, os.Args[1])
}
