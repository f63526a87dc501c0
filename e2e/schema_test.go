//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/e2e/browser"
	"streamproof/internal/console"
	"streamproof/internal/generator"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/stack"
	"streamproof/internal/stack/stacktest"
)

// hostileRow clears a terminal's screen, turns the direction of the text around, and would be a script in a page.
const hostileRow = "\x1b[2J\u202e<img src=x onerror=document.title='attacked'>"

// sampledWorld is a stack whose stream has trips, and a line that attacks who looks at it; and a project's folder with
// what it runs.
func sampledWorld(t *testing.T) (world *stacktest.World, folder string) {
	t.Helper()
	world, p := stacktest.New(t)
	g, err := generator.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		world.Stream = append(world.Stream, string(g.Append(nil, generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: 60}, i)))
	}
	world.Stream = append(world.Stream, hostileRow)
	folder = t.TempDir()
	for name, data := range map[string][]byte{"schema.json": p.SchemaJSON, "pipeline.sql": p.SQL} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return world, folder
}

// serveSampled serves the console of that stack, with the project's own Flink.
func serveSampled(t *testing.T, world *stacktest.World, folder string, write bool) *console.Server {
	t.Helper()
	found := world.Open()
	checker, err := local.Checker("..")
	if err != nil {
		t.Fatal(err)
	}
	server, err := console.ServeStack(console.Stack{
		Name: "streamproof", Region: "eu-west-1", Folder: folder, Plan: checker.Check, Deployment: []string{"bin/streamproof pause", "make deploy", "bin/streamproof resume"},
		Open: func(context.Context) (*stack.Stack, *local.Stack, error) { return found, nil, nil },
	}, console.Options{Write: write})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestSchemaPage discovers a schema in a browser, edits it with the sample and the query beside it, and saves it.
func TestSchemaPage(t *testing.T) {
	inTurn(t, 30*time.Second)
	world, folder := sampledWorld(t)
	server := serveSampled(t, world, folder, true)
	b := browser.Start(t)
	page := b.Open(server.URL+"#schema", browser.Window{Width: 1440, Height: 900, Language: "es-ES"})
	page.Sees("Todavía no hay muestra")
	page.Sees("No se ha cambiado nada")
	page.Click("button", "Descubrir")
	page.Sees("60 filas, y 1 línea que no es una fila")
	page.Sees("␛[2J\\u202e<img src=x")
	page.Shot("schema 1, discovered")

	page.Type(field("Tipo de VendorID"), "BOOLEAN")
	page.Sees("no vale para 60 líneas")
	page.Type(field("Tipo de VendorID"), "INTEGRE")
	page.Sees("SQL type INTEGRE is not supported")
	page.Sees("1 fallo en el esquema")
	page.Click("button", "Tomar INTEGER")
	page.Sees("60 filas, y 1 línea que no es una fila")
	page.Sees("No se ha cambiado nada")

	page.Type(field("Nombre de VendorID"), "vendedor")
	page.Type(field("En SQL de vendedor"), "VENDEDOR")
	page.Sees("Cambiar también los nombres en la consulta")
	page.Sees("WHERE VENDEDOR < 3;")
	page.Sees("VENDEDOR (vendedor) INTEGER")
	page.Shot("schema 2, renamed")
	page.Click("label", "Cambiar también")
	page.Sees("El verificador no puede juzgar")
	page.Sees("Flink todavía no la ha comprobado")
	page.Click("button", "Comprobar con Flink")
	page.Sees("Column 'COL0' not found")
	page.Click("label", "Cambiar también")
	page.Sees("habrá veredicto")
	page.Sees("Flink puede planificarla")
	page.Click("nav a", "Flujo") // what was edited is still there afterwards
	page.Click("nav a", "Esquema")
	page.Click("button", "Guardar en el proyecto")
	page.Sees("Guardado: " + filepath.Join(folder, "schema.json"))
	page.Sees("make deploy")
	page.Sees("El stack ejecuta otro esquema")
	page.Sees("No se ha cambiado nada")
	page.Shot("schema 3, saved")
	saved, err := pipeline.Read(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	if c := saved.Schema.Columns[0]; c.Name != "vendedor" || c.Alias != "VENDEDOR" || !strings.Contains(string(saved.SQL), "WHERE VENDEDOR < 3;") {
		t.Errorf("got the column %+v and the query %s, want the new names", c, saved.SQL)
	}

	// Another one, by the keyboard alone.
	browser.Eval[any](page, fmt.Sprintf("document.querySelector(%q).focus()", field("Nombre de vendedor")))
	for range 3 {
		page.Press("\t")
	}
	page.Press(" ")
	page.Sees(`"type": "INTEGER", "nullable": true`)
	if got := browser.Eval[string](page, "document.title"); got != "Esquema – Streamproof" {
		t.Errorf("got the title %q", got)
	}
	// And by its text.
	page.Click("summary", "Todo, como texto")
	page.Type("textarea.json", `{"source": "S", "columns": [{"name": "linea", "alias": "L", "type": "VARCHAR"`)
	page.Sees("No se ha tomado")
	page.Type("textarea.json", `{"source": "S", "format": {"type": "csv", "delimiter": "|"}, "columns": [{"name": "linea", "alias": "L", "type": "VARCHAR", "fake": {"text": "x"}}]}`)
	page.Sees("61 filas, y ninguna línea que no lo sea")
	page.Click("button", "Tomar el esquema propuesto")
	page.Sees("60 filas, y 1 línea que no es una fila")
	page.Click("button", "Volver al fichero")
	page.Sees("60 filas, y 1 línea que no es una fila")
	checkConsole(t, page, "the schema")

	for name, look := range looks {
		look.Language = "es-ES"
		page := b.Open(server.URL+"#schema", look)
		page.Sees("60 filas, y 1 línea")
		page.Sees("La muestra")
		page.Shot("schema, " + name)
		checkPage(t, page, "schema, "+name)
	}
	only := b.Open(serveSampled(t, world, "", false).URL+"#schema", browser.Window{Width: 3840, Height: 2160, Language: "en-GB"})
	only.Sees("Start it there to save a schema")
	only.Click("button", "Discover")
	only.Sees("60 rows, and 1 line that is no row")
	if got := browser.Eval[string](only, `[...document.querySelectorAll("button")].find(b => b.innerText === "Save in the project").ariaDisabled`); got != "true" {
		t.Errorf("got %q for a button that saves, in a read-only console", got)
	}
	only.Shot("schema, read-only")
	checkPage(t, only, "schema, read-only")
}

// TestSchemaOfHostileData discovers a schema whose names attack who looks at them, and renames one of them.
func TestSchemaOfHostileData(t *testing.T) {
	inTurn(t, 10*time.Second)
	world, folder := sampledWorld(t)
	name, err := json.Marshal(hostileRow)
	if err != nil {
		t.Fatal(err)
	}
	world.Stream = slices.Repeat([]string{`{"id": 1, ` + string(name) + `: "a"}` + "\n", `{"id": 2, ` + string(name) + `: "b"}` + "\n"}, 20)
	page := browser.Start(t).Open(serveSampled(t, world, folder, true).URL+"#schema", browser.Window{Width: 1440, Height: 900, Language: "en-GB"})
	page.Sees("No sample has been taken yet")
	page.Click("button", "Discover")
	page.Sees("schema.json does not describe this data")
	page.Sees("40 rows, and every line is one")
	page.Sees(`$['\u001b[2J\u202e<img src=x`)
	page.Sees("The parser finds no faults. Flink has not checked it yet.")
	page.Type(`tr:nth-child(1) td:nth-child(1) input`, "town")
	page.Sees(`"name": "town"`)
	page.Sees("40 rows, and every line is one") // its place is still called what it was
	page.Shot("schema, hostile")
	if got := browser.Eval[string](page, "document.title"); got != "Schema – Streamproof" {
		t.Errorf("got the title %q", got)
	}
	checkPage(t, page, "hostile names")
}

// discoverInPage discovers the schema of a running stack.
func discoverInPage(page *browser.Page) {
	page.Click("nav a", "Esquema")
	page.Click("button", "Descubrir")
	page.Sees("ninguna línea que no lo sea")
	page.Sees("No se ha cambiado nada")
	page.Shot("console 2b, the schema")
}

// field is the selector of a field with a name.
func field(name string) string { return fmt.Sprintf(`input[aria-label="%s"]`, name) }
