package boot

import (
	"os"
	"syscall"
)

// muteStderr leads the process's stderr nowhere; see [Start].
func muteStderr() {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return // a sandbox without /dev/null: there is nowhere to lead it
	}
	_ = syscall.Dup3(int(null.Fd()), int(os.Stderr.Fd()), 0)
}
