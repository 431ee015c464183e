// The retire function: see package retire in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/retire"
)

func main() { boot.Start(retire.Name, retire.Open, retire.Needs()...) }
