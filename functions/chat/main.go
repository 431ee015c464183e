// The chat function: see package chat in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/chat"
)

func main() { boot.Start(chat.Name, chat.Open, chat.Needs()...) }
