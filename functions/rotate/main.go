// The rotate function: see package rotate in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/rotate"
)

func main() { boot.Start(rotate.Name, rotate.Open, rotate.Needs()...) }
