package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"streamproof/internal/report"
)

// verifyCopy judges an empty copy, which is UNDECIDED, with these settings.
func verifyCopy(t *testing.T, c verifyCmd) (stdout, stderr string) {
	t.Helper()
	c.Dir, c.Prefix, c.Errors, c.Deadline = t.TempDir(), "rows/", "rows-errors/", time.Minute
	var out, err bytes.Buffer
	e := newEnv(&out, &err)
	if got := e.report(c.Run(t.Context(), e)); got != exitFault {
		t.Errorf("got exit status %d, want that of UNDECIDED: %s", got, err.String())
	}
	return out.String(), err.String()
}

func isPage(t *testing.T, file string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.Contains(page, []byte("UNDECIDED")) {
		t.Errorf("%s: got %.100s, %v, want the report's page", file, page, err)
	}
}

func TestVerifyOpen(t *testing.T) {
	dir := project(t)
	want := filepath.Join(dir, ".streamproof", "report-of-copy.html")
	var opened string
	stdout, stderr := verifyCopy(t, verifyCmd{Open: true, browse: func(file string) error { opened = file; return nil }})
	if opened != want || stderr != "Page: "+want+"\n" {
		t.Errorf("opened %q and said %q, want %q", opened, stderr, want)
	}
	if lines := strings.Split(strings.TrimSpace(stdout), "\n"); !strings.HasPrefix(lines[len(lines)-1], "UNDECIDED: ") {
		t.Errorf("got %q, want the verdict in the last line", stdout)
	}
	isPage(t, want)
}

// TestVerifyOpenNowhere: without a browser the verdict stands, and the page with it.
func TestVerifyOpenNowhere(t *testing.T) {
	t.Chdir(t.TempDir()) // outside of the project
	t.Setenv("TMPDIR", t.TempDir())
	var opened string
	_, stderr := verifyCopy(t, verifyCmd{Open: true, browse: func(file string) error { opened = file; return errors.New("there is no display") }})
	if want := "Page: " + opened + "\nNo browser was opened (there is no display): open the page yourself.\n"; stderr != want {
		t.Errorf("got %q, want %q", stderr, want)
	}
	isPage(t, opened)
}

func TestVerifyHTML(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	status := Run(t.Context(), []string{"verify", "--dir", t.TempDir(), "--json", "--html", "page.html"}, &stdout, &stderr)
	var r report.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); status != exitFault || err != nil {
		t.Errorf("got status %d, %v, want UNDECIDED as JSON and nothing else: %s", status, err, stdout.String())
	}
	isPage(t, "page.html")

	stderr.Reset()
	status = Run(t.Context(), []string{"verify", "--dir", t.TempDir(), "--html", filepath.Join("none", "page.html")}, &stdout, &stderr)
	if status != exitFault || !strings.Contains(stderr.String(), "write the page") {
		t.Errorf("got status %d, %q, want that the page cannot be written", status, stderr.String())
	}
}
