// Package browser opens pages in a headless Chromium, for tests: one that is installed, or else the one that `make e2e`
// gets from npm, which needs neither root nor a display.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what a test waits for, such as the rows of a query that has just
// started.
const patience = 3 * time.Minute

// A Browser is a running Chromium. Each of its windows has cookies and storage of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Start starts a browser, which ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	program, env, err := find()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(program),
		chromedp.Env(append(env, "HOME="+t.TempDir())...),
		// Its sandbox needs a user namespace or a program of root's. The tests open pages of their own only.
		chromedp.NoSandbox,
		// Drawn without a GPU, and without a program that plays one, a page takes a third less of a processor.
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-software-rasterizer", true),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return &Browser{t, ctx}
}

// A Window says how a page is looked at.
type Window struct {
	Width, Height int64
	Dark          bool
	Language      string // such as es-ES
}

// A Page is an open page.
type Page struct {
	t      testing.TB
	ctx    context.Context // ends with the page's process, or with the browser
	window Window
	mu     sync.Mutex
	said   []string // errors and warnings on its console
}

// Open opens an address in a window of its own.
func (b *Browser) Open(address string, w Window) *Page {
	b.t.Helper()
	return open(b.t, b.ctx, address, w, chromedp.WithNewBrowserContext())
}

// Beside opens an address in another tab, which has the same cookies and shares the connections to a server.
func (p *Page) Beside(address, language string) *Page {
	p.t.Helper()
	w := p.window
	w.Language = language
	return open(p.t, p.ctx, address, w)
}

func open(t testing.TB, in context.Context, address string, w Window, options ...chromedp.ContextOption) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in, options...)
	t.Cleanup(cancel)
	ctx, crashed := context.WithCancelCause(ctx)
	p := &Page{t: t, ctx: ctx, window: w}
	crashes := chromedp.Events(ctx, inspector.TargetCrashed)
	go func() {
		for _, err := range crashes {
			if err == nil {
				crashed(errors.New("the page's process has crashed"))
			}
			return
		}
	}()
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				p.mu.Lock()
				p.said = append(p.said, m.Text)
				p.mu.Unlock()
			}
		}
	}()
	p.do(chromedp.EmulateViewport(w.Width, w.Height))
	scheme := "light"
	if w.Dark {
		scheme = "dark"
	}
	p.must(chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	}))
	if w.Language != "" {
		agent := Eval[string](p, "navigator.userAgent")
		p.must(chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: w.Language}))
		p.must(chromedp.Call(ctx, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: w.Language}))
	}
	p.do(chromedp.Navigate(address))
	return p
}

func (p *Page) do(a chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.must(nil, chromedp.Do(p.ctx, a))
}

func (p *Page) must(_ any, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(p.why(err))
	}
}

// why is an error, with what has ended the page if it has ended.
func (p *Page) why(err error) error {
	if cause := context.Cause(p.ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// Eval evaluates JavaScript in the page, which may be a promise.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v", script, p.why(err))
	}
	return value
}

// Await waits until JavaScript gives something other than false, null, 0 or an empty text, and returns that. What says
// what is waited for.
func Await[T any](p *Page, what, script string) T {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		// A page that is being loaded has no answer yet.
		found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("(found => found ? JSON.stringify(found) : '')("+script+")"))
		if err == nil && found != "" {
			var value T
			if err := json.Unmarshal([]byte(found), &value); err != nil {
				p.t.Fatalf("%s: %v", what, err)
			}
			return value
		}
		if p.ctx.Err() != nil {
			p.t.Fatalf("%s: not seen: %v", what, p.why(err))
		}
		if time.Now().After(deadline) {
			p.Shot("given-up")
			p.t.Fatalf("%s: not seen within %s; the page says:\n%s", what, patience, p.Text())
		}
	}
}

// Crash ends the page's process, as a fault of the browser would.
func (p *Page) Crash() {
	go chromedp.Call(p.ctx, page.Crash, cdp.Empty{}) //nolint:errcheck // a page that has crashed gives no answer
}

// Text is the page's visible text.
func (p *Page) Text() string { return Eval[string](p, "document.body.innerText") }

// Width is how many pixels wide the page is, which may be more than its window.
func (p *Page) Width() float64 { return Eval[float64](p, "document.documentElement.scrollWidth") }

// Sees waits for a text, in capitals or not, with any blanks for blanks.
func (p *Page) Sees(text string) {
	p.t.Helper()
	Await[bool](p, "the text "+text, fmt.Sprintf(`document.body.innerText.replace(/\s+/g, " ").toLowerCase().includes(%s)`, quoted(strings.ToLower(text))))
}

// quoted is a text as JavaScript has it.
func quoted(text string) string {
	data, _ := json.Marshal(text) // a string is always JSON
	return string(data)
}

// element is JavaScript that finds the visible, enabled element of a CSS selector with a text, or any if it is empty.
func element(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].find(e =>
		e.checkVisibility() && !e.disabled && e.ariaDisabled !== "true" && (e.innerText + " " + (e.ariaLabel ?? "")).replace(/\s+/g, " ").includes(%s))`, quoted(selector), quoted(text))
}

// Click waits until an element is where it was a moment ago, with nothing over it, and clicks it with the mouse. A page
// whose data arrive may move it all the same: a click that would land elsewhere does nothing, and is tried again.
func (p *Page) Click(selector, text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		at := Await[[]float64](p, "the element "+selector+" "+text, `(e => {
			if (!e) return null;
			e.scrollIntoView({block: "center", behavior: "instant"});
			const r = e.getBoundingClientRect();
			const at = [r.x + r.width / 2, r.y + r.height / 2];
			const still = String(at) === e.wasAt;
			e.wasAt = String(at);
			if (!still || !e.contains(document.elementFromPoint(...at))) return null;
			window.clicked = false;
			window.aim?.abort();
			window.aim = new AbortController();
			const check = event => {
				if (event.target === e || e.contains(event.target)) window.clicked ||= event.type === "mouseup";
				else { event.preventDefault(); event.stopImmediatePropagation(); }
			};
			for (const type of ["mousedown", "mouseup", "click"]) addEventListener(type, check, {capture: true, signal: window.aim.signal});
			return at;
		})(`+element(selector, text)+`)`)
		p.do(chromedp.MouseClickXY(at[0], at[1]))
		if Eval[bool](p, "window.aim?.abort(), window.clicked ?? true") { // a page that the click left has neither
			return
		}
		if time.Now().After(deadline) {
			p.Shot("given-up")
			p.t.Fatalf("the element %s %s moves away from each click for %s", selector, text, patience)
		}
	}
}

// Type replaces what is in a field or an editor.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Click(selector, "")
	p.Press("a", chromedp.ModifierCtrl)
	p.must(chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text}))
}

// Choose chooses an option of a select element, by its value.
func (p *Page) Choose(selector, value string) {
	p.t.Helper()
	Await[bool](p, "the option "+value+" of "+selector, fmt.Sprintf(`(e => {
		if (![...e?.options ?? []].some(option => option.value === %[2]s)) return false;
		e.value = %[2]s;
		return e.dispatchEvent(new Event("input", {bubbles: true}));
	})(document.querySelector(%[1]s))`, quoted(selector), quoted(value)))
}

// Press presses a key.
func (p *Page) Press(key string, with ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(with...)))
}

// Pictures is where Shot keeps them.
const Pictures = "../.streamproof/pictures"

// Shot keeps a picture of what the window shows.
func (p *Page) Shot(name string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(Pictures, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(Pictures, name+".png"), picture, 0o644)
	}
	p.must(nil, err)
}

// Complaints are the errors and warnings on the page's console so far.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// Violations are what axe-core finds wrong for people who use the page in another way, such as with a screen reader.
func (p *Page) Violations() []string {
	p.t.Helper()
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		p.t.Fatalf("%v: run `make e2e/browser/node_modules`", err)
	}
	Eval[chromedp.Void](p, string(axe))
	return Eval[[]string](p, `axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(v =>
		v.id + ": " + v.help + ": " + v.nodes.slice(0, 5).map(n => n.target.join(" ") + " (" + n.failureSummary.replace(/\s+/g, " ") + ")").join("; ")))`)
}
