package daemon

import "syscall"

// DieWithParent has the kernel end the server when a test is killed before its
// cleanups ran.
func DieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
