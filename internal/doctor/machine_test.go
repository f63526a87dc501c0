package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"streamproof/internal/doctor"
)

// result finds a check by its name.
func result(t *testing.T, checks []doctor.Check, name string) doctor.Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q in %+v", name, checks)
	return doctor.Check{}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	built := t.TempDir()
	for _, path := range []string{".venv/bin/sam", "analytics/target/local/x", ".aws-sam/local/template.yaml"} {
		file := filepath.Join(built, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := func() (doctor.Machine, *doctor.Resources) {
		r := &doctor.Resources{OS: "linux", Architecture: "amd64", Cores: 2, Memory: 4 << 30, Disk: 9 << 30}
		return doctor.Machine{
			Root: built, Port: 4566,
			Tools:     func(context.Context, string) (string, error) { return "", nil },
			Running:   func(context.Context) (string, bool) { return "", false },
			PortFree:  func(int) error { return nil },
			Resources: func(string) (doctor.Resources, error) { return *r, nil },
		}, r
	}
	inUse := func(int) error { return errors.New("port 4566 is already in use") }
	for name, test := range map[string]struct {
		change func(m *doctor.Machine, r *doctor.Resources)
		check  string
		want   doctor.Result
		found  string
	}{
		"all is well": {func(*doctor.Machine, *doctor.Resources) {}, "tools", doctor.OK, "new enough"},
		"a tool": {func(m *doctor.Machine, _ *doctor.Resources) {
			m.Tools = func(context.Context, string) (string, error) { return "missing: a JDK", nil }
		}, "tools", doctor.Fault, "missing: a JDK"},
		"no check": {func(m *doctor.Machine, _ *doctor.Resources) {
			m.Tools = func(context.Context, string) (string, error) { return "", errors.New("x") }
		}, "tools", doctor.Warning, "did not run"},
		"not built":   {func(m *doctor.Machine, _ *doctor.Resources) { m.Root = "/nowhere" }, "built", doctor.Warning, ".venv/bin/sam"},
		"port in use": {func(m *doctor.Machine, _ *doctor.Resources) { m.PortFree = inUse }, "ports", doctor.Fault, "4566 is already in use"},
		"our own stack": {func(m *doctor.Machine, _ *doctor.Resources) {
			m.PortFree, m.Running = inUse, func(context.Context) (string, bool) { return "http://127.0.0.1:4566", true }
		}, "ports", doctor.OK, "http://127.0.0.1:4566"},
		"memory":   {func(_ *doctor.Machine, r *doctor.Resources) { r.Memory = 1 << 30 }, "memory", doctor.Warning, "1.0 GiB"},
		"disk":     {func(_ *doctor.Machine, r *doctor.Resources) { r.Disk = 1 << 30 }, "disk", doctor.Warning, "1.0 GiB"},
		"one core": {func(_ *doctor.Machine, r *doctor.Resources) { r.Cores = 1 }, "system", doctor.Warning, "1 cores"},
		"macOS":    {func(_ *doctor.Machine, r *doctor.Resources) { r.OS = "darwin" }, "system", doctor.Fault, "darwin"},
		"no answer": {func(m *doctor.Machine, _ *doctor.Resources) {
			m.Resources = func(string) (doctor.Resources, error) { return doctor.Resources{}, fmt.Errorf("no /proc") }
		}, "memory", doctor.Warning, "no answer"},
	} {
		m, r := good()
		test.change(&m, r)
		checks := m.Checks(t.Context())
		if got := result(t, checks, test.check); got.Result != test.want || !strings.Contains(got.Found, test.found) {
			t.Errorf("%s: got %+v, want %s with %q", name, got, test.want, test.found)
		}
		for _, c := range checks {
			if (c.Result == doctor.OK) != (c.Means == "") {
				t.Errorf("%s: want what it means of all that is not well, got %+v", name, c)
			}
		}
		if test.want == doctor.OK && doctor.Worst(checks) != doctor.OK {
			t.Errorf("%s: got %+v, want all of it well", name, checks)
		}
	}
}

// TestThisMachine reads the real one.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	m := doctor.Machine{
		Root:     t.TempDir(),
		Tools:    func(context.Context, string) (string, error) { return "", nil },
		Running:  func(context.Context) (string, bool) { return "", false },
		PortFree: func(int) error { return nil },
	}
	for _, name := range []string{"system", "memory", "disk"} {
		if got := result(t, m.Checks(t.Context()), name); got.Found == "no answer" || got.Found == "" {
			t.Errorf("got %+v, want what the machine has", got)
		}
	}
}
