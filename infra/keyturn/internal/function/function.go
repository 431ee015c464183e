// Package function invokes the project's Lambda functions and tells apart how
// that can end: answered, failed, not run, and not known.
package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// API is what Invoke needs of the SDK's client.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Error is what a function that failed said of itself.
type Error struct {
	Function string
	Type     string `json:"errorType"` // "" if it said none
	Message  string `json:"errorMessage"`
}

// Error returns the function's type and message.
func (e *Error) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}

// Ended reports whether the function was cut short, by Lambda or by its own
// deadline, so that nobody knows how far it came.
func (e *Error) Ended() bool {
	return e.Type == "" || e.Type == "Timeout" || strings.HasPrefix(e.Type, "Sandbox.") || strings.HasPrefix(e.Type, "Runtime.")
}

// Repeat says what may be sent again by itself.
type Repeat bool

// Once is for a request that must not take effect twice: it is sent again only
// after an answer that says it was not run. Safe is for all others.
const (
	Once Repeat = false
	Safe Repeat = true
)

// Invoke runs a function and decodes its answer into out, unless out is nil. An
// *[Error] says that the function failed. Of any other error, [Ran] tells what
// is known.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func Invoke(ctx context.Context, api API, name string, repeat Repeat, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	answer, err := api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: payload}, func(o *lambda.Options) {
		if repeat == Once {
			o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
				s.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: map[string]struct{}{"TooManyRequestsException": {}}}}
			})
		}
	})
	if err != nil {
		return fmt.Errorf("invoke %s: %w", name, err)
	}
	if aws.ToString(answer.FunctionError) != "" {
		e := &Error{Function: name}
		if json.Unmarshal(answer.Payload, e) != nil || e.Type == "" && e.Message == "" {
			e.Message = "the function failed and did not say why"
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Payload, out); err != nil {
		// The decoder's words could repeat the answer.
		return fmt.Errorf("the answer of %s is not what this version of keyturn understands", name)
	}
	return nil
}

// Ran reports whether the function may have run, given Invoke's error: not if
// Lambda refused the request.
func Ran(err error) bool {
	if _, ok := errors.AsType[*Error](err); ok {
		return true
	}
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return !errors.Is(err, context.Canceled)
	}
	_, api := errors.AsType[smithy.APIError](err)
	return !api || answer.HTTPStatusCode() >= http.StatusInternalServerError
}
