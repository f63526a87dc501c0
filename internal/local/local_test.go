package local_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"streamproof/internal/local"
)

// project makes a directory in which programs seem to be installed.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, program := range []string{".venv/bin/sam", ".venv/bin/ministack", ".venv/bin/python", "jdk/bin/java"} {
		file := filepath.Join(root, program)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\necho I only seem to be "+program+"\nexit 7\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("JAVA_HOME", filepath.Join(root, "jdk"))
	return root
}

func wantSetupError(t *testing.T, err error, parts ...string) {
	t.Helper()
	var setup *local.SetupError
	if !errors.As(err, &setup) {
		t.Fatalf("got %v, want an error of the set-up", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}

func TestStartNamesAllThatIsMissing(t *testing.T) {
	root := t.TempDir()
	t.Setenv("JAVA_HOME", filepath.Join(root, "jdk"))
	_, err := local.Start(t.Context(), local.Options{Root: root})
	wantSetupError(t, err, ".venv/bin/sam", ".venv/bin/ministack", "jdk/bin/java", "make build")
	if _, err := os.Stat(filepath.Join(root, local.StateDirName)); err == nil {
		t.Error("a state directory was made")
	}
}

// TestStartSaysWhatToInstall: the error is what the project's own check of its tools reports.
func TestStartSaysWhatToInstall(t *testing.T) {
	root := t.TempDir()
	t.Setenv("JAVA_HOME", filepath.Join(root, "jdk"))
	if err := os.Mkdir(filepath.Join(root, "tools"), 0o755); err != nil {
		t.Fatal(err)
	}
	check := filepath.Join(root, "tools", "check")
	for _, test := range []struct{ script, want string }{
		{"echo 'missing: a JDK' >&2; exit 1", "missing: a JDK"},
		{"exit 0", "run `make build`"},
		{"exit 127", "run `make build`"}, // it says nothing, so it is no help
	} {
		if err := os.WriteFile(check, []byte(test.script), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := local.Start(t.Context(), local.Options{Root: root})
		wantSetupError(t, err, test.want)
		_, err = local.Checker(root)
		wantSetupError(t, err, test.want)
	}
}

func TestStartRefusesAPath(t *testing.T) {
	for _, name := range []string{"a:b", "a!"} {
		root := filepath.Join(t.TempDir(), name)
		_, err := local.Start(t.Context(), local.Options{Root: root})
		wantSetupError(t, err, name, "use another directory")
		_, err = local.Start(t.Context(), local.Options{Root: project(t), StateDir: root})
		wantSetupError(t, err, name, "use another directory")
	}
}

func TestStartPortInUse(t *testing.T) {
	root := project(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = local.Start(t.Context(), local.Options{Root: root, Port: l.Addr().(*net.TCPAddr).Port})
	wantSetupError(t, err, "already in use", "--port")
	_, err = local.Open(t.Context(), filepath.Join(root, local.StateDirName))
	wantSetupError(t, err, "no local stack runs")
}

func TestStartEmulatorFails(t *testing.T) {
	root := project(t)
	var steps []string
	_, err := local.Start(t.Context(), local.Options{Root: root, Port: local.AnyPort, Step: func(name string) func(error) {
		return func(err error) { steps = append(steps, name+": "+err.Error()) }
	}})
	var failed *local.LogError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "exit status 7") {
		t.Fatalf("got %v, want the exit status and a log", err)
	}
	if log, err := os.ReadFile(failed.Log); err != nil || string(log) != "I only seem to be .venv/bin/python\n" {
		t.Errorf("got log %q, %v", log, err)
	}
	if len(steps) != 1 || !strings.HasPrefix(steps[0], "start the emulator: ") {
		t.Errorf("got steps %q, want the one that failed", steps)
	}
	found, err := local.Down(t.Context(), filepath.Join(root, local.StateDirName))
	if found || err != nil {
		t.Errorf("got %t, %v: something was left running", found, err)
	}
}

func TestDownWithoutAStack(t *testing.T) {
	t.Parallel()
	if found, err := local.Down(t.Context(), filepath.Join(t.TempDir(), "none")); found || err != nil {
		t.Errorf("got %t, %v, want nothing to stop", found, err)
	}
}
