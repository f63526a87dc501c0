package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cli/browser"

	"streamproof/internal/report"
)

// page writes the report as an HTML page and opens it, if the flags say so. It is no error if no browser opens,
// because the page's path is printed.
func (c *verifyCmd) page(e *env, r *report.Report) error {
	if c.HTML == "" && !c.Open {
		return nil
	}
	file, err := c.pageFile(e)
	if err != nil {
		return err
	}
	if err := writePage(e, file, r); err != nil {
		return err
	}
	if !c.Open {
		return nil
	}
	browse := c.browse
	if browse == nil {
		browse = openBrowser
	}
	if err := browse(file); err != nil {
		_ = e.stderr.Printf("No browser was opened (%v): open the page yourself.\n", err)
	}
	return nil
}

func writePage(e *env, file string, r *report.Report) error {
	var b bytes.Buffer
	if err := report.HTML(&b, r); err != nil {
		return err
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_ = e.stderr.Printf("Page: %s\n", file)
	return nil
}

// pageFile is the file that the flags name; or one in the state directory, which a sandboxed browser can read, too;
// or, outside the project, a temporary file.
func (c *verifyCmd) pageFile(e *env) (string, error) {
	if c.HTML != "" {
		return c.HTML, nil
	}
	name := "report.html"
	switch {
	case c.Dir != "":
		name = "report-of-copy.html"
	case c.Stack != "":
		name = "report-" + c.Stack + ".html"
	}
	dir, err := e.stateDir(c.StateDir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		return filepath.Join(dir, name), nil
	}
	f, err := os.CreateTemp("", "streamproof-*.html")
	if err != nil {
		return "", fmt.Errorf("write the page: %w", err)
	}
	return f.Name(), f.Close()
}

// browserTimeout is how long the platform's opener may take. If it takes longer, it is the browser itself.
const browserTimeout = 5 * time.Second

func openBrowser(file string) error {
	return open(func() error { return browser.OpenFile(file) })
}

// open has the platform open something in a browser.
func open(how func() error) error {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY")+os.Getenv("WAYLAND_DISPLAY")+os.Getenv("WSL_DISTRO_NAME") == "" {
		return errors.New("there is no display") // where xdg-open would look for a browser that takes the terminal
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	opened := make(chan error, 1)
	go func() { opened <- how() }()
	select {
	case err := <-opened:
		return err
	case <-time.After(browserTimeout):
		return nil
	}
}
