//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"streamproof/e2e/browser"
	"streamproof/internal/console"
	"streamproof/internal/local"
	"streamproof/internal/local/firehose"
	"streamproof/internal/stack"
)

// TestConsole clicks through the course's exercise in a browser, in Spanish, from an empty stack to PROVEN, and to
// PROVEN again with another query. Then a loss is planted, which the page shows and explains.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := startWith(t, "default")
	checker, err := local.Checker("..")
	if err != nil {
		t.Fatal(err)
	}
	server, err := console.ServeStack(console.Stack{
		Name: s.Name, Region: s.Region, Local: true, Plan: checker.Check,
		Open: func(context.Context) (*stack.Stack, *local.Stack, error) { return s.Stack, s, nil },
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

	produceInPage(page, "500")
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
	page.Click("nav a", "Prueba")
	proveInPage(page)
	page.Shot("console 5, proven again")

	loseAnObject(s)
	page.Click("nav a", "Flujo")
	produceInPage(page, "200")
	verdictInPage(page, "NOT PROVEN")
	page.Shot("console 6, a loss")
	page.Click("nav a", "Prueba")
	page.Click("button", "Explicar")
	page.Sees("Explicar Hecho")
	browser.Await[bool](page, "the way of a missing row", `!!document.querySelector(".way li")`)
	page.Shot("console 7, a loss explained")
	checkConsole(t, page, "the exercise")

	b := browser.Start(t)
	for name, look := range looks {
		look.Language = "es-ES"
		for view, loaded := range map[string]string{"flow": "Del productor a S3", "schema": "La muestra", "sql": "Lo que ejecuta Flink", "proof": "Filas debidas"} {
			page := b.Open(server.URL+"#"+view, look)
			page.Sees(loaded)
			page.Sees("NOT PROVEN")
			page.Shot("console " + view + ", " + name)
			checkPage(t, page, view+", "+name)
		}
	}
}

// produceInPage sends a tick of so many records.
func produceInPage(page *browser.Page, records string) {
	page.Click("button", "Producir…")
	page.Type("dialog input", records)
	page.Click("dialog button", "Producir")
	browser.Await[bool](page, "the end of the dialog", `!document.querySelector("dialog[open]")`)
}

func proveInPage(page *browser.Page) { verdictInPage(page, "PROVEN") }

// verdictInPage has the page verify until the verdict is the wanted one.
func verdictInPage(page *browser.Page, want string) {
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Second) {
		page.Click("button", "Verificar ahora")
		time.Sleep(3 * time.Second)
		word := browser.Eval[string](page, `document.querySelector(".banner .word")?.innerText ?? ""`)
		place := browser.Eval[string](page, `document.querySelector(".banner .place")?.innerText ?? ""`)
		if strings.HasSuffix(word, " "+want) && (want != "PROVEN" || !strings.HasSuffix(word, "NOT PROVEN")) || strings.Contains(place, ": "+want+".") {
			return
		}
	}
	page.Sees("the verdict " + want)
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
