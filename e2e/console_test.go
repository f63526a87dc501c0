//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"streamproof/e2e/browser"
	"streamproof/internal/console"
	"streamproof/internal/local"
	"streamproof/internal/local/firehose"
	"streamproof/internal/local/process"
	operating "streamproof/internal/operate"
	"streamproof/internal/stack"
)

// TestConsole clicks through the course's exercise in a browser, in Spanish, from an empty stack to PROVEN, and to
// PROVEN again with another query. Then a loss is planted, which the page shows, explains and repairs. At last the
// stack is killed, and another one in its place is followed on the same page.
func TestConsole(t *testing.T) {
	inTurn(t, 200*time.Second)
	s := startWith(t, "default")
	checker, err := local.Checker("..")
	if err != nil {
		t.Fatal(err)
	}
	var runs atomic.Pointer[local.Stack]
	runs.Store(s)
	var calls calls
	server, err := console.ServeStack(console.Stack{
		Name: s.Name, Region: s.Region, Local: true, Plan: checker.Check,
		Open: func(ctx context.Context) (*stack.Stack, *local.Stack, error) {
			here := runs.Load()
			config := here.AWS
			config.HTTPClient = &calls
			opened, err := stack.Open(ctx, config, here.Name)
			return opened, here, err
		},
		Deploy: func(ctx context.Context, parameters map[string]string, step func(string) operating.Step) error {
			st := step("deploy the template")
			err := runs.Load().Update(ctx, parameters)
			st.End(err)
			return err
		},
	}, console.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	page := browser.Start(t).Open(server.URL, browser.Window{Width: 1440, Height: 900, Language: "es-ES"})
	page.Sees("Del productor a S3")
	page.Shot("console 1, empty")

	produceInPage(page, "500", "")
	proveInPage(page)
	page.Shot("console 2, proven")
	discoverInPage(page)

	exercise, err := os.ReadFile("../pipeline/pipeline.sql")
	if err != nil {
		t.Fatal(err)
	}
	page.Click("nav a", "SQL")
	checkQueryInPage(page, string(exercise))
	runQueryInPage(page, string(exercise))
	if english := browser.Eval[[]string](page, `[...document.querySelectorAll(".steps [lang=en]")].map(e => e.textContent)`); len(english) > 0 {
		t.Errorf("got the steps %q in English, on a Spanish page", english)
	}
	page.Click("nav a", "Flujo")
	proveInPage(page)
	page.Shot("console 5, proven again")
	english := page.Beside(browser.Eval[string](page, `location.href.replace(/#.*/, "#flow")`), "en-US")
	english.Sees("From producer to S3")
	english.Shot("console 5, in English")
	reshapeInPage(page)
	alone := calls.in(callsFor)

	loseAnObject(s)
	page.Click("nav a", "Stream")
	produceInPage(page, "200", "VendorID")
	browser.Await[bool](page, "a record of the tail", `!!document.querySelector("main tbody tr")`)
	page.Click("nav a", "Prueba")
	verdictInPage(page, "NOT PROVEN")
	page.Click("nav a", "Flujo")
	page.Shot("console 6, a loss")
	page.Click("nav a", "Prueba")
	page.Click("button", "Explicar")
	page.Sees("Explicar Hecho")
	browser.Await[bool](page, "the way of a missing row", `!!document.querySelector(".way li")`)
	page.Shot("console 7, a loss explained")

	lookAtConsole(t, server.URL)
	tabs(t, page)
	most, all := alone+alone/2, calls.in(callsFor)
	for tries := 1; all > most && tries < 10; tries++ { // pages that have just been opened ask for more
		all = calls.in(callsFor)
	}
	if all > most {
		t.Errorf("got %d calls in %s with many pages open, want about the %d of one", all, callsFor, alone)
	}
	repairInPage(page)
	checkConsole(t, page, "the exercise")

	killUnder(t, page, &runs)
}

// callsFor is how long calls are counted for.
const callsFor = 6 * time.Second

// calls counts those of the console.
type calls struct{ n atomic.Int64 }

func (c *calls) Do(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultClient.Do(r)
}

// in is how many calls are made in so long.
func (c *calls) in(d time.Duration) int64 {
	before := c.n.Load()
	time.Sleep(d)
	return c.n.Load() - before
}

// lookAtConsole opens every view in every look.
func lookAtConsole(t *testing.T, address string) {
	b := browser.Start(t)
	for name, look := range looks {
		look.Language = "es-ES"
		page := b.Open(address, look)
		page.Sees("NOT PROVEN")
		for view, loaded := range map[string]string{
			"flow": "Del productor a S3", "stream": "Registros en vivo", "schema": "Esquema de los registros", "sql": "Lo que ejecuta Flink",
			"delivery": "Escrito", "proof": "Filas debidas",
		} {
			browser.Eval[string](page, fmt.Sprintf("location.hash = %q", view))
			page.Sees(loaded)
			page.Shot("console " + view + ", " + name)
			checkPage(t, page, view+", "+name)
		}
	}
}

// tabs opens more tabs than a browser opens connections to a server. All of them follow the stack.
func tabs(t *testing.T, page *browser.Page) {
	root := browser.Eval[string](page, "location.href")
	for i := range 8 {
		tab := page.Beside(root, "es-ES")
		tab.Sees("NOT PROVEN")
		checkConsole(t, tab, fmt.Sprintf("tab %d", i))
	}
}

// produceInPage sends a tick of so many records, by a partition key if there is one.
func produceInPage(page *browser.Page, records, key string) {
	page.Click("button", "Producir…")
	page.Type("dialog input", records)
	page.Choose("dialog select", key)
	page.Click("dialog button", "Producir")
	browser.Await[bool](page, "the end of the dialog", `!document.querySelector("dialog[open]")`)
}

func proveInPage(page *browser.Page) { verdictInPage(page, "PROVEN") }

// judged is when the verdict was made that the page shows.
const judged = `document.querySelector(".banner time")?.dateTime ?? ""`

// verdictInPage has the page verify until a new verdict is the wanted one.
func verdictInPage(page *browser.Page, want string) {
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		before := browser.Eval[string](page, judged)
		page.Click("button", "Verificar ahora")
		browser.Await[bool](page, "a new verdict", fmt.Sprintf("(%s) !== %q", judged, before))
		word := browser.Eval[string](page, `document.querySelector(".banner .word").innerText`)
		place := browser.Eval[string](page, `document.querySelector(".banner .place").innerText`)
		if strings.HasSuffix(word, " "+want) && (want != "PROVEN" || !strings.HasSuffix(word, "NOT PROVEN")) || strings.Contains(place, ": "+want+".") {
			return
		}
	}
	page.Sees("the verdict " + want)
}

// reshapeInPage has objects compressed from now on.
func reshapeInPage(page *browser.Page) {
	page.Click("nav a", "Entrega")
	page.Click("button", "Cambiar la forma de los objetos")
	page.Choose("dialog .field:last-of-type select", "GZIP")
	page.Click("dialog button", "Desplegar")
	page.Sees("Cambiar la forma de los objetos Hecho")
	browser.Await[bool](page, "the new compression", `document.querySelector(".facts").innerText.includes("GZIP")`)
	if !browser.Eval[bool](page, `fetch("api/flow").then(r => r.json()).then(f => f.delivery.waiting !== null)`) {
		page.Sees("what waits in the buffer")
	}
}

// repairInPage looks at what a repair would do, and does it.
func repairInPage(page *browser.Page) {
	page.Type("fieldset + .field input", "0")
	page.Click("button", "Ver qué haría")
	page.Sees("Se escribirían")
	page.Shot("console 8, a repair planned")
	page.Click("button", "Reparar y verificar")
	page.Sees("Después: PROVEN")
	browser.Await[bool](page, "the verdict over everything", `/(^|[^T] )PROVEN$/.test(document.querySelector(".banner .word").innerText)`)
	page.Shot("console 9, repaired")
}

// killUnder kills the stack that a page shows, and brings another one up in its place.
func killUnder(t *testing.T, page *browser.Page, runs *atomic.Pointer[local.Stack]) {
	s := runs.Load()
	browser.Eval[bool](page, "window.neverReloaded = true")
	emulator, err := process.Find(filepath.Join(s.StateDir(), "emulator.pid"))
	if err != nil || emulator == nil {
		t.Fatalf("got the emulator %v, %v", emulator, err)
	}
	if err := syscall.Kill(emulator.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	page.Sees("El stack no responde")
	page.Shot("console 10, the stack is gone")
	if err := s.Stop(t.Context()); err != nil {
		t.Log(err) // what its delivery streams held has nowhere to go
	}
	again, err := start(t, local.Options{
		Root: "..", StateDir: s.StateDir(), Port: local.AnyPort, Parameters: parameters(t, "default"), Prebuilt: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := again.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	runs.Store(again)
	browser.Await[bool](page, "the stack that is back", `window.neverReloaded && !document.querySelector(".lost")`)
	page.Click("nav a", "Flujo")
	produceInPage(page, "100", "")
	page.Sees("Producir Hecho")
	page.Shot("console 11, the stack is back")
}

// checkQueryInPage types a query that Flink would refuse, and sees why and where.
func checkQueryInPage(page *browser.Page, exercise string) {
	page.Type(".editor", strings.Replace(exercise, "SELECT COL0", "SELECT NADA", 1))
	browser.Await[bool](page, "a fault", `!!document.querySelector(".faults li")`)
	page.Sees("NADA")
	page.Shot("console 3, a fault")
}

// runQueryInPage changes the exercise's query and has the application run it.
func runQueryInPage(page *browser.Page, exercise string) {
	page.Type(".editor", strings.Replace(exercise, "< 3", "< 2", 1))
	page.Click("button", "Guardar y ejecutar")
	page.Sees("Primeras filas")
	page.Shot("console 4, the query runs")
}

// loseAnObject has the delivery stream lose the next object. It returns that one's bytes, nil until then.
func loseAnObject(s *local.Stack) func() []byte {
	var mu sync.Mutex
	var lost []byte
	s.Deliveries().SetHooks(firehose.Hooks{Write: func(_ context.Context, o firehose.Object, put func(firehose.Object) error) error {
		mu.Lock()
		defer mu.Unlock()
		if o.Stream != s.Outputs.DeliveryStreamName || lost != nil {
			return put(o)
		}
		lost = bytes.Clone(o.Body)
		return nil
	}})
	return func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return lost
	}
}
