//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestElsewhere builds the project from its sources and runs the demo in a folder whose name has spaces and letters
// that are not ASCII, in the locale C and behind a proxy that does not answer.
func TestElsewhere(t *testing.T) {
	inTurn(t, 120*time.Second)
	parent := t.TempDir()
	root, temp := filepath.Join(parent, "Año 2026 – streamproof"), filepath.Join(parent, "tmp dir")
	for _, dir := range []string{root, temp} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "LC_ALL=C", "TMPDIR="+temp)
	run := func(env []string, name string, args ...string) string {
		t.Helper()
		began := time.Now()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = root, env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make and streamproof have children, which end with them
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
		cmd.WaitDelay = 30 * time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
		}
		t.Logf("%5.1f s  %s %s", time.Since(began).Seconds(), filepath.Base(name), strings.Join(args, " "))
		return string(out)
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	run(env, "sh", "-c", `tar -C "$1" --exclude './.*' --exclude ./bin --exclude ./analytics/target -cf - . | tar -xf -`, "sh", here)
	run(env, "make", "setup", "cli") // what they download may need the user's own proxy
	out := run(append(env, "http_proxy=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9"), filepath.Join(root, "bin", "streamproof"), "demo")
	if !strings.Contains(out, "\nPROVEN: owed ") {
		t.Errorf("the demo does not end with PROVEN:\n%s", out)
	}
}
