//go:build !linux

package daemon

import "syscall"

// DieWithParent does nothing: only Linux has it.
func DieWithParent(*syscall.SysProcAttr) {}
