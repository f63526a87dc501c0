//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/e2e/browser"
)

// looks are the ways in which a page is looked at: on a phone and on a desk, light and dark.
var looks = map[string]browser.Window{
	"phone":      {Width: 360, Height: 740},
	"phone dark": {Width: 360, Height: 740, Dark: true},
	"desk":       {Width: 1440, Height: 900},
	"desk dark":  {Width: 1440, Height: 900, Dark: true},
}

// TestReportPage draws pages of reports in a browser. axe-core finds nothing, and nothing is wider than the window.
func TestReportPage(t *testing.T) {
	inTurn(t, 10*time.Second)
	b := browser.Start(t)
	for _, name := range []string{"not-proven", "epochs"} {
		for look, window := range looks {
			page := b.Open("file://"+absolute(filepath.Join("../internal/report/testdata", name+".html")), window)
			page.Sees("NOT PROVEN")
			page.Shot(fmt.Sprintf("report %s, %s", name, look))
			checkPage(t, page, name+", "+look)
		}
	}
}

// checkPage checks what holds for every page.
func checkPage(t *testing.T, page *browser.Page, what string) {
	t.Helper()
	for _, violation := range page.Violations() {
		t.Errorf("%s: axe-core: %s", what, violation)
	}
	if got, want := page.Width(), browser.Eval[float64](page, "document.documentElement.clientWidth"); got > want {
		t.Errorf("%s: the page is %g pixels wide, in a window of %g", what, got, want)
	}
	checkConsole(t, page, what)
}

// checkConsole checks that the page has no error or warning on its console, such as one of the Content-Security-Policy.
func checkConsole(t *testing.T, page *browser.Page, what string) {
	t.Helper()
	for _, text := range page.Complaints() {
		t.Errorf("%s: on the page's console: %s", what, text)
	}
}

// TestChecksOfPages: what checkPage looks for, it finds.
func TestChecksOfPages(t *testing.T) {
	inTurn(t, 10*time.Second)
	page := browser.Start(t).Open("data:text/html,<html><body><img src='data:,'><p style='width:500px'>wide<script>console.error('bad')</script>", looks["phone"])
	page.Sees("wide")
	if got := strings.Join(page.Violations(), "\n"); !strings.Contains(got, "image-alt") {
		t.Errorf("got %s of an image without a text, want image-alt", got)
	}
	if got := page.Width(); got < 500 {
		t.Errorf("got a width of %g, want 500 at least", got)
	}
	if got := page.Complaints(); !slices.Contains(got, "bad") {
		t.Errorf("got %q on the console, want bad", got)
	}
}

// TestClicksOfPages clicks a button over which something lies at first, and which the first click pushes away.
func TestClicksOfPages(t *testing.T) {
	inTurn(t, 10*time.Second)
	page := browser.Start(t).Open(`data:text/html,<html><body><p id=banner hidden style='height:100px'>pushed</p>
		<button onclick='document.title = "clicked"'>Go</button><a href='javascript:document.title="wrong"'>elsewhere</a>
		<div id=cover style='position:fixed;inset:0'></div>
		<script>
			setTimeout(() => cover.remove(), 500);
			addEventListener("mousedown", () => banner.hidden = false, {capture: true, once: true});
		</script>`, looks["phone"])
	page.Click("button", "Go")
	if got := browser.Eval[string](page, "document.title"); got != "clicked" {
		t.Errorf("got the title %q, want clicked", got)
	}
}

// TestCrashOfAPage crashes a page. Nothing waits for what it will never show.
func TestCrashOfAPage(t *testing.T) {
	inTurn(t, 10*time.Second)
	test := &failing{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		page := browser.Start(test).Open("data:text/html,here", looks["phone"])
		page.Crash()
		page.Sees("gone")
	}()
	<-ended
	if !strings.Contains(test.said, "the page's process has crashed") {
		t.Errorf("got the failure %q, want one that says that the page has crashed", test.said)
	}
}

// failing keeps what a test fails with.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Fatal(what ...any) {
	f.said = fmt.Sprint(what...)
	runtime.Goexit()
}

func (f *failing) Fatalf(format string, what ...any) { f.Fatal(fmt.Sprintf(format, what...)) }
