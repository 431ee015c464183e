package wire

import (
	"context"
	"net/http"
	"strings"
)

// Handler carries out one operation.
type Handler func(ctx context.Context, c *Call) (*Reply, error)

// Typed makes a [Handler] of f for the JSON protocols: it decodes the body of
// the call into an In and encodes the Out that f returns.
func Typed[In, Out any](f func(ctx context.Context, c *Call, in *In) (*Out, error)) Handler {
	return func(ctx context.Context, c *Call) (*Reply, error) {
		in := new(In)
		if err := c.Decode(in); err != nil {
			return nil, err
		}
		out, err := f(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return JSON(out)
	}
}

// Target returns the operation that r's X-Amz-Target names after prefix, or ""
// if it names another service.
func Target(r *http.Request, prefix string) string {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), prefix+".")
	if !ok {
		return ""
	}
	return operation
}
