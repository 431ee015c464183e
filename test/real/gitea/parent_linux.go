package gitea

import "syscall"

// dieWithParent has the kernel end the server when a test is killed before its
// cleanups ran.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
