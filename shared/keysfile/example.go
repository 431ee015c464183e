package keysfile

import _ "embed"

//go:embed example.yaml
var example string

// Example returns a starter file: valid, commented, and with every section
// shown.
func Example() string { return example }
