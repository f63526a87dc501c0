package process_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"streamproof/internal/local/process"
)

func start(t *testing.T, file string, script string) *process.Process {
	t.Helper()
	p, err := process.Start(exec.Command("/bin/sh", "-c", script), file, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.End(t.Context(), 0) })
	return p
}

func TestEndTakesTheChildrenToo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	childFile := file + ".child"
	start(t, file, `trap "" TERM; sh -c 'trap "" TERM; sleep 60 & wait' & echo $! > `+childFile+`; wait`)
	child := waitForPID(t, childFile)

	found, err := process.Find(file)
	if err != nil || found == nil || !found.Alive() {
		t.Fatalf("got %v, %v, want the process that was started", found, err)
	}
	if err := found.End(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); !errors.Is(err, syscall.ESRCH) && !zombie(child) {
		t.Errorf("child %d still lives", child)
	}
	if again, err := process.Find(file); again != nil || err != nil {
		t.Errorf("got %v, %v after the end, want nothing", again, err)
	}
}

func TestEndFindsOrphans(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	childFile := file + ".child"
	p := start(t, file, `sleep 60 & echo $! > `+childFile+`; wait`)
	child := waitForPID(t, childFile)
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if p.Err() == nil {
		t.Error("got no error of a killed process")
	}
	found, err := process.Find(file)
	if err != nil || found == nil || found.Alive() {
		t.Fatalf("got %v, %v, want the group of a leader that is dead", found, err)
	}
	if err := found.End(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); !errors.Is(err, syscall.ESRCH) && !zombie(child) {
		t.Errorf("child %d still lives", child)
	}
}

func TestAnotherProcessOfTheSameNumberIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, filepath.Join(dir, "pid"), "sleep 60")
	for name, change := range map[string]func(*process.Identity){
		"other start": func(i *process.Identity) { i.Start-- },
		"other boot":  func(i *process.Identity) { i.Boot = "another" },
	} {
		other := p.Identity
		change(&other)
		data, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := process.Find(file); found != nil || err != nil {
			t.Errorf("%s: got %v, %v, want nothing", name, found, err)
		}
	}
	if !p.Alive() {
		t.Error("the process was ended")
	}
}

func TestStartRefusesASecond(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	start(t, file, "sleep 60")
	if _, err := process.Start(exec.Command("/bin/sleep", "60"), file, true); !errors.Is(err, process.ErrRunning) {
		t.Errorf("got %v, want %v", err, process.ErrRunning)
	}
}

func waitForPID(t *testing.T, file string) int {
	t.Helper()
	for range 500 {
		if data, err := os.ReadFile(file); err == nil && bytes.HasSuffix(data, []byte("\n")) {
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s was not written", file)
	return 0
}

// zombie reports whether a process has ended but its parent has not asked for its status. In a container it may never.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}
