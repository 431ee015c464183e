// The rotatenow function: see package rotatenow in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/rotatenow"
)

func main() { boot.Start(rotatenow.Name, rotatenow.Open, rotatenow.Needs()...) }
