package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
)

// notInvoked explains why a function gave no answer. named is how the operator
// says which function it is.
func notInvoked(ctx context.Context, err error, key, named string) error {
	if f, ok := errors.AsType[*function.Error](err); ok {
		if f.Ended() {
			return failed(typeUnclear, "the function "+f.Function+" did not come to an end: "+f.Error(), "see how far it came: keyturn status "+key)
		}
		return &failure{exit: exitFailed, fromFunction: true, Type: f.Type, What: f.Message, Next: advice(f.Type, key)}
	}
	api, refused := errors.AsType[smithy.APIError](err)
	switch {
	case refused && api.ErrorCode() == "ResourceNotFoundException":
		return failed(typeAWS, "the function is not there: "+api.ErrorMessage(), "deploy it: make deploy", "or say which it is: "+named, "check Region and account: aws sts get-caller-identity")
	case refused && !function.Ran(err):
		return described(ctx, err)
	case ctx.Err() != nil:
		return failed(typeStopped, "interrupted before the function answered", "see whether it did something: keyturn status "+key)
	}
	return failed(typeUnclear, fmt.Sprintf("the function's answer was lost (%v)", err), "see whether it did something: keyturn status "+key)
}
