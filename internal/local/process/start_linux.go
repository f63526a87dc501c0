package process

import (
	"os/exec"
	"runtime"
	"syscall"
)

// run starts the command and waits for it. The kernel's parent-death signal comes when the *thread* that started the
// child ends, so this thread is kept as long as the child lives.
func (p *Process) run(cmd *exec.Cmd, tied bool, started chan<- error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if tied {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	err := cmd.Start()
	started <- err
	if err == nil {
		p.err = cmd.Wait()
	}
	close(p.done)
}
