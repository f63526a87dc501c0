package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/procfs"
)

// What a local stack needs.
const (
	wantCores  = 2
	wantMemory = 2 << 30
	// wantDisk is for what make fetches and builds (tools 0.5 GB, the JAR and its libraries 0.2, packages 0.1), the
	// caches of Go and Maven, and a stack's files.
	wantDisk = 3 << 30
)

// A Machine is this machine, and how to check it.
type Machine struct {
	Root string // the project's directory
	Port int    // of the emulator that `up` starts
	// Tools says what is missing, empty if nothing is; see local.CheckTools.
	Tools func(ctx context.Context, root string) (string, error)
	// Running reports whether the stack that `up` starts is running, and where.
	Running func(ctx context.Context) (endpoint string, running bool)
	// PortFree says why the port cannot be used.
	PortFree func(port int) error
	// Resources reads the machine's resources; nil asks the operating system.
	Resources func(dir string) (Resources, error)
}

// Resources are the resources of a machine.
type Resources struct {
	OS, Architecture string
	Cores            int
	Memory           uint64 // bytes that are available without swapping
	Disk             uint64 // bytes free where the project is
}

// Checks checks the machine.
func (m Machine) Checks(ctx context.Context) []Check {
	return together(ctx, m.system, m.tools, m.built, m.port, m.memory, m.disk)
}

func (m Machine) resources() (Resources, error) {
	if m.Resources != nil {
		return m.Resources(m.Root)
	}
	return readResources(m.Root)
}

func (m Machine) system(context.Context) Check {
	c := Check{Name: "system", Result: OK}
	r, err := m.resources()
	c.Found = fmt.Sprintf("%s on %s, %d cores", r.OS, r.Architecture, r.Cores)
	switch {
	case err != nil:
		return unknown(c, err)
	case r.OS != "linux":
		c.Result = Fault
		c.Means = "the local stack runs on Linux only; deploying to AWS works from here"
		c.Do = "use a Linux machine, or WSL 2 on Windows, for the local stack"
	case r.Cores < wantCores:
		c.Result = Warning
		c.Means = "the local stack is slow on one core, and its waits may be over before it is done"
		c.Do = fmt.Sprintf("give it %d cores", wantCores)
	}
	return c
}

func (m Machine) tools(ctx context.Context) Check {
	c := Check{Name: "tools", Result: OK, Found: "Go, a JDK, Maven and Python are there and new enough"}
	missing, err := m.Tools(ctx, m.Root)
	switch {
	case err != nil:
		c.Found = "tools/check did not run"
		return unknown(c, err)
	case missing != "":
		var lines []string
		for line := range strings.Lines(missing) {
			lines = append(lines, strings.TrimSpace(line))
		}
		c.Result, c.Found = Fault, strings.Join(lines, "; ")
		c.Means = "make cannot build the project"
		c.Do = "as it says"
	}
	return c
}

func (m Machine) built(context.Context) Check {
	c := Check{Name: "built", Result: OK, Found: "the tools, the JAR and the functions"}
	var absent []string
	for _, path := range []string{".venv/bin/sam", "analytics/target/local", ".aws-sam/local/template.yaml"} {
		if _, err := os.Stat(filepath.Join(m.Root, path)); err != nil {
			absent = append(absent, path)
		}
	}
	if len(absent) > 0 {
		c.Result, c.Found = Warning, "not there yet: "+strings.Join(absent, ", ")
		c.Means = "`streamproof up` has nothing to start"
		c.Do = "run `make build`, which fetches and builds them"
	}
	return c
}

func (m Machine) port(ctx context.Context) Check {
	c := Check{Name: "ports", Result: OK, Found: fmt.Sprintf("%d, for the emulator, is free; all others are any free ones", m.Port)}
	if endpoint, running := m.Running(ctx); running {
		c.Found = "a local stack runs at " + endpoint
		return c
	}
	if err := m.PortFree(m.Port); err != nil {
		c.Result, c.Found = Fault, err.Error()
		c.Means = "`streamproof up` cannot start its emulator there; `make demo` and the tests take any free port"
		c.Do = "end the program that listens there, or use `streamproof up --port PORT`"
	}
	return c
}

func (m Machine) memory(context.Context) Check {
	return m.resource("memory", func(r Resources) (uint64, string) { return r.Memory, "to spare" }, wantMemory, Check{
		Means: fmt.Sprintf("a local stack takes up to %s (Flink's JVM, the emulator, the functions, a build), and may be killed", humanize.IBytes(wantMemory)),
		Do:    "end other programs, or give the machine or container more memory",
	})
}

func (m Machine) disk(context.Context) Check {
	return m.resource("disk", func(r Resources) (uint64, string) { return r.Disk, "free in " + m.Root }, wantDisk, Check{
		Means: fmt.Sprintf("a first build and a stack take up to %s with the caches of Go, Maven and Python", humanize.IBytes(wantDisk)),
		Do:    "free some space (`make clean` removes all that make has made)",
	})
}

// resource checks that there is enough of a resource, which get returns with where it is. Otherwise lacking says what
// follows, and what to do.
func (m Machine) resource(name string, get func(Resources) (bytes uint64, where string), want uint64, lacking Check) Check {
	c := Check{Name: name, Result: OK}
	r, err := m.resources()
	bytes, where := get(r)
	switch {
	case err != nil:
		return unknown(c, err)
	case r.OS != "linux":
		c.Found = "not checked on " + r.OS
		return c
	case bytes < want:
		c.Result, c.Means, c.Do = Warning, lacking.Means, lacking.Do
	}
	c.Found = humanize.IBytes(bytes) + " " + where
	return c
}

func unknown(c Check, err error) Check {
	c.Result = Warning
	c.Found = cmp.Or(c.Found, "no answer")
	c.Means = fmt.Sprintf("it cannot be known: %v", err)
	return c
}

// readResources asks the operating system, and its container, whose limit counts.
func readResources(dir string) (Resources, error) {
	r := Resources{OS: runtime.GOOS, Architecture: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0)} // within a container's limit
	if r.OS != "linux" {
		return r, nil
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return r, err
	}
	memory, err := fs.Meminfo()
	if err != nil {
		return r, err
	}
	if memory.MemAvailableBytes == nil {
		return r, fmt.Errorf("the kernel does not say how much memory is available")
	}
	r.Memory = *memory.MemAvailableBytes
	limit, errLimit := readNumber("/sys/fs/cgroup/memory.max") // "max" without a limit
	used, errUsed := readNumber("/sys/fs/cgroup/memory.current")
	if errLimit == nil && errUsed == nil {
		r.Memory = min(r.Memory, limit-min(used, limit))
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return r, fmt.Errorf("free space in %s: %w", dir, err)
	}
	r.Disk = stat.Bavail * uint64(stat.Bsize)
	return r, nil
}

func readNumber(file string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}
