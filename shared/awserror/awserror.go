// Package awserror makes errors of the AWS SDK safe to print: AWS's text may
// repeat what it was sent, its code does not.
package awserror

import (
	"context"
	"errors"

	"github.com/aws/smithy-go"
)

// Error is what is left of an SDK error: the operation and AWS's code.
type Error struct {
	Op   string // "PutItem"
	Code string // "" if there was no answer

	ended error // the context's error, or nil
}

// Error says the operation and the code.
func (e *Error) Error() string {
	switch {
	case e.Code != "":
		return e.Op + ": " + e.Code
	case e.ended != nil:
		return e.Op + ": " + e.ended.Error()
	}
	return e.Op + ": no answer"
}

// Unwrap returns context.Canceled or context.DeadlineExceeded where that ended
// the call, and nothing else.
func (e *Error) Unwrap() error { return e.ended }

// Safe returns err, the outcome of op, without AWS's text. Safe of nil is nil.
func Safe(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Code: Code(err)}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			e.ended = ended
		}
	}
	return e
}

// Code returns AWS's error code, "" if err is nil or no answer of AWS's.
func Code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
