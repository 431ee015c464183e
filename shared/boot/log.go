package boot

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// newLogger returns a logger that writes JSON with time, level, msg, service
// and, inside an invocation, request_id.
func newLogger(w io.Writer, service string, level slog.Level) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(requestHandler{h.WithAttrs([]slog.Attr{slog.String("service", service)})})
}

// requestHandler adds the request ID that the context carries, so that nobody
// has to pass a logger per invocation.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := requestID(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(a)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// requestID returns Lambda's ID of the invocation, "" outside one.
func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// FunctionARN returns the ARN that the function was invoked by, with its alias
// if it has one; "" outside an invocation.
func FunctionARN(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.InvokedFunctionArn
	}
	return ""
}

func parseLevel(s string) (level slog.Level, bad []string) {
	switch s {
	case "", "info":
	case "debug":
		level = slog.LevelDebug
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		bad = []string{string(logLevel) + " is not debug, info, warn or error: correct it, or leave it out for info"}
	}
	return level, bad
}
