package wire

import "context"

type staleKey struct{}

// WithStale marks a call that must be answered from the state before the last
// write, as an eventually consistent service may.
func WithStale(ctx context.Context) context.Context {
	return context.WithValue(ctx, staleKey{}, true)
}

// Stale reports whether ctx was marked by [WithStale].
func Stale(ctx context.Context) bool {
	stale, _ := ctx.Value(staleKey{}).(bool)
	return stale
}
