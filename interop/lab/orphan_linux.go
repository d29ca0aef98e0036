package lab

import (
	"os/exec"
	"syscall"
)

// noOrphan has the kernel kill a process when the test's own process is gone,
// however that ended: a test binary that is killed runs no cleanups. (The kernel
// watches the thread that started the process; Go ends a thread only with a
// goroutine that is locked to it, and no test here has one.)
func noOrphan(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
