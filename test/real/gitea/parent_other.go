//go:build !linux

package gitea

import "syscall"

// dieWithParent does nothing: only Linux has it.
func dieWithParent(*syscall.SysProcAttr) {}
