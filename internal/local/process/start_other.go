//go:build !linux

package process

import (
	"errors"
	"os/exec"
)

// run refuses: the local stack runs the functions' Linux binaries, so nothing is ever started elsewhere.
func (p *Process) run(_ *exec.Cmd, _ bool, started chan<- error) {
	started <- errors.New("the local stack runs on Linux only: the functions are Linux programs")
	close(p.done)
}
