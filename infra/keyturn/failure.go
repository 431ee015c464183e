package main

import (
	"github.com/keyturn/keyturn/shared/config"
)

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitNothing = 3 // there was nothing to do
	exitWider   = 4 // a change lets more happen
)

// exit ends the command with a code, when everything has been said already.
type exit int

func (exit) Error() string { return "" }

// The types of failures that do not come from a function.
const (
	typeUsage   = "Usage"
	typeConfig  = "Config"
	typeKey     = "UnknownKey"
	typeAWS     = "AWS"     // AWS refused, or could not be reached
	typeUnclear = "Unclear" // the answer was lost: it may have been done
	typeTimeout = "Timeout"
	typeStopped = "Interrupted"
	typePlace   = "WrongEnvironment" // another AWS account or Region
)

// failure is an error as people and programs see it.
type failure struct {
	Type     string    `json:"type"`
	What     string    `json:"what"` // no capital, no full stop
	Next     []string  `json:"next"` // what to type, or to do
	Problems []problem `json:"problems,omitempty"`

	exit         int
	fromFunction bool // Type is a function's errorType
}

// problem is one of several things wrong with the configuration.
type problem struct {
	Path string `json:"path"`
	What string `json:"what"`
	Hint string `json:"hint"`
}

func (f *failure) Error() string { return f.What }

func usage(what string, next ...string) *failure {
	return &failure{exit: exitUsage, Type: typeUsage, What: what, Next: next}
}

func failed(kind, what string, next ...string) *failure {
	return &failure{exit: exitFailed, Type: kind, What: what, Next: next}
}

func badConfig(path string, err *config.Error) *failure {
	f := failed(typeConfig, "the configuration "+path+" is wrong")
	f.Next = []string{}
	for _, p := range err.Problems {
		f.Problems = append(f.Problems, problem(p))
	}
	return f
}
