//go:build !linux

package boot

// muteStderr does nothing: Lambda is Linux.
func muteStderr() {}
