// Package process starts programs that outlive a command, and ends them later without ever hitting another process.
//
// A started process leads a session of its own, so its children share its process group. A file records what tells it
// from a later process with the same number: the machine's boot, and its start in clock ticks since then.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"streamproof/internal/local/jsonfile"
)

// ErrRunning reports that the file already names a living process.
var ErrRunning = errors.New("already running")

// Identity distinguishes a process from every other of this machine, past and future.
type Identity struct {
	PID     int       `json:"pid"`
	Start   uint64    `json:"start"` // in clock ticks since the machine's boot
	Boot    string    `json:"boot"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
}

// A Process is one that a file records.
type Process struct {
	Identity
	file string
	done chan struct{} // nil unless it is this process's child
	err  error
}

// Start starts the command in its own session and records it in file. The kernel kills a tied process when its parent
// ends in any way; an untied one keeps running.
func Start(cmd *exec.Cmd, file string, tied bool) (*Process, error) {
	if old, err := Find(file); err != nil {
		return nil, err
	} else if old != nil {
		return nil, fmt.Errorf("%s is %w as process %d", filepath.Base(cmd.Path), ErrRunning, old.PID)
	}
	p := &Process{file: file, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(cmd, tied, started)
	if err := <-started; err != nil {
		return nil, err
	}
	identity, err := identify(cmd.Process.Pid)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH): // it has ended already; Done reports it
		p.PID, p.Command = cmd.Process.Pid, filepath.Base(cmd.Path)
		return p, nil
	case err == nil:
		p.Identity = *identity
		err = jsonfile.Write(file, p.Identity)
	}
	if err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return nil, fmt.Errorf("write down process %d: %w", cmd.Process.Pid, err)
	}
	return p, nil
}

// Find returns the process that the file names, nil if there is no file or the process and its children have ended.
func Find(file string) (*Process, error) {
	p := &Process{file: file}
	found, err := jsonfile.Read(file, &p.Identity)
	if err != nil || !found || !p.Alive() && !p.groupIsOurs() {
		return nil, err
	}
	return p, nil
}

// Alive reports whether the recorded process still runs.
func (p *Process) Alive() bool {
	now, err := identify(p.PID)
	return err == nil && now.Boot == p.Boot && now.Start == p.Start
}

// Done is closed when a process that this one started has ended; Err then says how. It is nil for one from Find.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how a process that is Done has ended: nil for exit status 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// End asks the process and its children to end, and kills them after the grace period. It returns when none is left.
// The context shortens the grace period only, not the killing.
func (p *Process) End(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if p.signal(syscall.SIGTERM) {
		p.wait(ctx)
	}
	if p.signal(syscall.SIGKILL) {
		killed, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		p.wait(killed)
	}
	if p.groupIsOurs() {
		return fmt.Errorf("process %d (%s) does not end, even when killed", p.PID, p.Command)
	}
	if err := os.Remove(p.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// signal sends the signal to the group and reports whether there was one.
func (p *Process) signal(s syscall.Signal) bool {
	return p.groupIsOurs() && syscall.Kill(-p.PID, s) == nil
}

func (p *Process) wait(ctx context.Context) {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for p.groupIsOurs() {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// groupIsOurs reports whether a living member of the process's group is left. The kernel reuses a number only when no
// process, group or session has it. So either the leader is the recorded process, or it is gone and the members left
// are its children.
func (p *Process) groupIsOurs() bool {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return false
	}
	if leader, err := procfs.NewProc(p.PID); err == nil {
		if stat, err := leader.Stat(); err == nil && stat.Starttime != p.Start {
			return false
		}
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return p.Alive()
	}
	for _, proc := range all {
		if stat, err := proc.Stat(); err == nil && stat.PGRP == p.PID && !ended(stat) {
			return true
		}
	}
	return false
}

// ended reports whether a process is a zombie: it has ended and waits for its parent to ask how.
func ended(stat procfs.ProcStat) bool { return stat.State == "Z" || stat.State == "X" }

func identify(pid int) (*Identity, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return nil, err
	}
	stat, err := proc.Stat()
	if err != nil {
		return nil, err
	}
	if ended(stat) {
		return nil, fs.ErrNotExist
	}
	return &Identity{PID: pid, Start: stat.Starttime, Boot: boot, Command: stat.Comm, Started: time.Now().UTC().Truncate(time.Second)}, nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}
