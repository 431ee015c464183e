// The review function: see package review in shared/function.
package main

import (
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/review"
)

func main() { boot.Start(review.Name, review.Open, review.Needs()...) }
