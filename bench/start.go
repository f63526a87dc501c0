package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// patience is how long a function may take to ask for its first event.
const patience = 20 * time.Second

// A startCmd builds the functions as `sam build` does, for both architectures, and measures their packages; and of this
// machine's, how long each takes from the start of its process until it asks Lambda's runtime API for its first event,
// and what memory it has by then. docs/operations/functions.md has its table.
type startCmd struct {
	Runs int `help:"Starts of each function, of which the median is shown." default:"10"`
}

func (c *startCmd) Run(ctx context.Context, dir tempDir) error {
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.AppendHeader(table.Row{"function", "zip, arm64", "binary", "zip, x86_64", "binary", "start", "memory then"})
	for _, function := range []string{"Producer", "Verifier", "Transform", "Deployer"} {
		row := table.Row{function}
		var native string
		for _, architecture := range []string{"arm64", "x86_64"} {
			artifacts := filepath.Join(string(dir), architecture, function)
			if err := build(ctx, architecture, function, artifacts); err != nil {
				return err
			}
			zipped, binary, err := sizes(artifacts)
			if err != nil {
				return err
			}
			row = append(row, megabytes(zipped), megabytes(binary))
			if architecture == map[string]string{"amd64": "x86_64"}[runtime.GOARCH] || architecture == runtime.GOARCH {
				native = filepath.Join(artifacts, "bootstrap")
			}
		}
		var starts []time.Duration
		var memories []int64
		for range c.Runs {
			took, memory, err := start(ctx, native)
			if err != nil {
				return fmt.Errorf("start %s: %w", function, err)
			}
			starts, memories = append(starts, took), append(memories, memory)
		}
		slices.Sort(starts)
		slices.Sort(memories)
		t.AppendRow(append(row, starts[len(starts)/2].Round(100*time.Microsecond), megabytes(memories[len(memories)/2])))
	}
	t.Render()
	return nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// build makes a function's package with the makefile that SAM uses.
func build(ctx context.Context, architecture, function, artifacts string) error {
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "make", "--silent", "-f", filepath.Join("tools", "sam", architecture, "Makefile"),
		"build-"+function+"Function", "ARTIFACTS_DIR="+artifacts)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %s: %w: %s", function, architecture, err, out)
	}
	return nil
}

// sizes gives those of the package, zipped as SAM does, and of the binary in it.
func sizes(artifacts string) (zipped, binary int64, err error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	if err := w.AddFS(os.DirFS(artifacts)); err != nil {
		return 0, 0, err
	}
	if err := w.Close(); err != nil {
		return 0, 0, err
	}
	info, err := os.Stat(filepath.Join(artifacts, "bootstrap"))
	if err != nil {
		return 0, 0, err
	}
	return int64(packed.Len()), info.Size(), nil
}

// start starts a function beside a runtime API that has no event, and ends it when it asks for one.
func start(ctx context.Context, program string) (took time.Duration, memory int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := make(chan time.Time, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- time.Now():
		default:
		}
		<-r.Context().Done()
	}))
	defer api.Close()
	defer api.CloseClientConnections()

	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdout, cmd.Stderr = &said, &said
	// What the template gives the functions; each takes its own.
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + api.Listener.Addr().String(), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none",
		"STACK_NAME=s", "BUCKET=b", "STREAM_NAME=s", "RECORDS_PER_TICK=1000", "SPREAD_SECONDS=20",
		"DATA_PREFIX=rows/", "ERRORS_PREFIX=rows-errors/", "DELIVERY_DEADLINE_SECONDS=600", "OUTPUT=JSON", "DELIMITER=;",
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case at := <-asked:
		memory, err = peak(cmd.Process.Pid)
		return at.Sub(began), memory, err
	case err := <-ended:
		return 0, 0, fmt.Errorf("it ended before it asked for an event: %w: %s", err, said.Bytes())
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process has had, in bytes.
func peak(pid int) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kilobytes * 1024, err
}
