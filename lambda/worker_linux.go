package lambda

import (
	"os"
	"syscall"
)

// bound has the kernel kill a worker when the program is no more, and gives it a
// process group of its own, so that Ctrl-C reaches the program alone. The bond is
// to the thread that starts it; should that end sooner, the worker is found gone
// and replaced.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// program is this program, even when its file was replaced since it started.
func program() (string, error) {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running, nil
	}
	return os.Executable()
}
