//go:build !linux

package lambda

import (
	"os"
	"syscall"
)

// bound has nothing to ask of this kernel: a worker ends when its pipe closes,
// and its own watch ends a job that nobody waits for.
func bound() *syscall.SysProcAttr { return nil }

// program is the file of this program.
func program() (string, error) { return os.Executable() }
