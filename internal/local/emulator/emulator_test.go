package emulator_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"streamproof/internal/local/emulator"
)

func TestPortInUse(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = emulator.Start(t.Context(), emulator.Config{Port: l.Addr().(*net.TCPAddr).Port})
		if !errors.Is(err, emulator.ErrPortInUse) {
			t.Errorf("%s: got %v, want %v", address, err, emulator.ErrPortInUse)
		}
	}
}

// TestEmulator runs the real one.
func TestEmulator(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs("../../../.venv/bin/ministack")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("the emulator is not installed: make .venv")
	}
	dir := t.TempDir()
	e, err := emulator.Start(t.Context(), emulator.Config{
		Program: program,
		Dir:     dir,
		PIDFile: filepath.Join(dir, "pid"),
		LogFile: filepath.Join(dir, "log"),
		Region:  "eu-west-1",
		Tied:    true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.End(context.Background()) }()
	if !emulator.Healthy(t.Context(), e.Port) {
		t.Error("not healthy after the start")
	}
	// What starts late, starts after the answer to the first health check.
	time.Sleep(2 * time.Second)
	for inode, address := range listeners(t) {
		if owns(t, e.PID, inode) && address != net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port)) {
			t.Errorf("it listens on %s", address)
		}
	}
	if err := e.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if emulator.Healthy(t.Context(), e.Port) {
		t.Error("still healthy after the end")
	}
}

// listeners returns the addresses that any program listens on, by the inode of the socket.
func listeners(t *testing.T) map[string]string {
	t.Helper()
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	const listening = 10
	found := map[string]string{}
	tcp, err := fs.NetTCP() //nolint:staticcheck // netlink would be another dependency for a handful of lines
	if err != nil {
		t.Fatal(err)
	}
	tcp6, err := fs.NetTCP6() //nolint:staticcheck // as above
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, line := range append(tcp, tcp6...) {
		if line.St == listening {
			found["socket:["+strconv.FormatUint(line.Inode, 10)+"]"] = net.JoinHostPort(line.LocalAddr.String(), strconv.FormatUint(line.LocalPort, 10))
		}
	}
	return found
}

func owns(t *testing.T, pid int, socket string) bool {
	t.Helper()
	proc, err := procfs.NewProc(pid)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := proc.FileDescriptorTargets()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		if target == socket {
			return true
		}
	}
	return false
}
