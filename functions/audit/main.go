// The audit function: see package audit in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/audit"
)

func main() { boot.Start(audit.Name, audit.Open, audit.Needs()...) }
