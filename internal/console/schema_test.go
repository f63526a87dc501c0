package console

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"streamproof/internal/draft"
	"streamproof/internal/stack/stacktest"
)

// hostile clears a terminal's screen, turns the direction of the text around, and is a script in a page.
const hostile = "\x1b[2J\u202e<script>alert(1)</script>"

// projectFolder is a pipeline folder with what the world's stack runs.
func projectFolder(t *testing.T) (world *stacktest.World, folder string) {
	t.Helper()
	world, p := stacktest.New(t)
	folder = t.TempDir()
	for name, data := range map[string][]byte{"schema.json": p.SchemaJSON, "pipeline.sql": p.SQL} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return world, folder
}

const trip = "1,2026-11-29 10:00:00,2026-11-29 10:09:00,2,3.5,-73.99,40.7,1,N,-73.98,40.75,1,12,0.5,0.5,2,0,0.3,15.3\n"

// TestSchema: a schema is discovered, edited with its sample and the query beside it, and saved.
func TestSchema(t *testing.T) {
	t.Parallel()
	world, folder := projectFolder(t)
	world.PartitionKey = "VendorID"
	world.Stream = []string{trip + strings.Replace(trip, "N", "NO", 1), trip, hostile}
	o := serveProject(t, world, true, folder)
	var shown struct {
		Schema                                                json.RawMessage
		File, Problem, Text, Running, SQL, RunningSQL, Sample string
		Deploy                                                []string
	}
	o.get(t, "api/schema", &shown)
	if shown.File != filepath.Join(folder, "schema.json") || shown.Problem != "" || shown.Text != shown.Running || shown.SQL != shown.RunningSQL || shown.Sample != "" || len(shown.Deploy) != 1 {
		t.Fatalf("got %+v, want the project's schema, which runs", shown)
	}

	_, ended := o.post(t, "discover", `{"schema": `+string(shown.Schema)+`}`)
	var found draft.Discovered
	if err := json.Unmarshal(ended.Result, &found); err != nil || ended.State != done || found.Merge == nil || found.Merge.Changed || len(found.Columns) != 19 || len(found.Faults) == 0 {
		t.Fatalf("got %+v, %v, want the schema as it is", ended, err)
	}
	if _, ended := o.post(t, "discover", `{"records": 1000000}`); ended.State != failed || !strings.Contains(ended.Error, "give 1 to") {
		t.Errorf("got %+v, want that so many records are refused", ended)
	}
	if _, ended := o.post(t, "discover", `{"schema": {"columns": []}}`); ended.State != failed || !strings.Contains(ended.Error, "is no schema") {
		t.Errorf("got %+v, want that this is no schema", ended)
	}

	check := func(schema string, more draftRequest) (c draft.Checked) {
		t.Helper()
		more.Schema = json.RawMessage(schema)
		if status := o.ask(t, "schema/check", more, &c); status != http.StatusOK {
			t.Fatalf("got %d for a draft", status)
		}
		return c
	}
	c := check(string(shown.Schema), draftRequest{})
	if c.Text != c.Was || c.Reading.Read != 2 || c.Reading.Rejected != 2 || c.Reading.Columns[8] != 1 || len(c.Notes) > 0 || c.Effect.Renames || !c.Effect.Judged {
		t.Errorf("got %+v, %+v, want 2 rows, and a flag of two letters", c, c.Reading)
	}
	if p := c.Reading.Problems[1]; p.Text != hostile {
		t.Errorf("got %+v, want the line as it is", p)
	}
	renamed := strings.NewReplacer(`"VendorID"`, `"vendor"`, `"COL0"`, `"VENDOR"`).Replace(string(shown.Schema))
	c = check(renamed, draftRequest{})
	if !c.Effect.Renames || c.Effect.Judged || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "PartitionKey is VendorID") || c.Effect.Before[0] == c.Effect.After[0] {
		t.Errorf("got %+v, %+v, want that the query lacks a column, and the producer its key", c, c.Effect)
	}
	c = check(renamed, draftRequest{Rename: true, Plan: true})
	if len(c.Effect.Faults) > 0 || !c.Effect.Planned || !strings.Contains(c.Effect.SQL, "WHERE VENDOR < 3") {
		t.Errorf("got %+v, want a query that Flink can plan", c.Effect)
	}
	if got := check(`{"columns": [{"name": 1}]}`, draftRequest{}); len(got.Faults) != 1 || got.Effect != nil {
		t.Errorf("got %+v, want a fault only", got)
	}
	named := check(strings.Replace(string(shown.Schema), `"VendorID"`, string(mustJSON(t, hostile)), 1), draftRequest{})
	if len(named.Faults)+len(named.Refused) > 0 || named.Effect.After[0].Name != hostile {
		t.Errorf("got %+v, want a column with that name", named)
	}

	save := draftRequest{Schema: json.RawMessage(renamed), Rename: true, Base: "another"}
	if _, ended := o.post(t, "schema", string(mustJSON(t, save))); ended.State != failed || !strings.Contains(ended.Error, "have changed") {
		t.Errorf("got %+v, want that files which have changed are kept", ended)
	}
	save.Base = c.Base
	_, ended = o.post(t, "schema", string(mustJSON(t, save)))
	var saved savedDraft
	if err := json.Unmarshal(ended.Result, &saved); err != nil || ended.State != done || saved.Was != shown.Text || len(saved.Deploy) != 1 {
		t.Fatalf("got %+v, %v, want that it is saved", ended, err)
	}
	o.get(t, "api/schema", &shown)
	if shown.Text != c.Text || shown.SQL != c.Effect.SQL || shown.Text == shown.Running || shown.SQL == shown.RunningSQL || shown.Sample == "" {
		t.Errorf("got %+v, want the new files, which do not run yet", shown)
	}
}

// TestSchemaWithoutProject: there, a draft begins with what the stack runs, and is not saved.
func TestSchemaWithoutProject(t *testing.T) {
	t.Parallel()
	world, folder := projectFolder(t)
	if err := os.WriteFile(filepath.Join(folder, "schema.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for where, want := range map[string]string{"": "project's directory", folder: "unexpected EOF", filepath.Join(folder, "none"): "no such file"} {
		o := serveProject(t, world.Clone(t), true, where)
		var shown struct {
			Schema                       json.RawMessage
			File, Problem, Text, Running string
		}
		o.get(t, "api/schema", &shown)
		if shown.File != "" || !strings.Contains(shown.Problem, want) || shown.Text != shown.Running {
			t.Errorf("%q: got %+v, want the stack's schema, and why it is not saved", where, shown)
		}
		if _, ended := o.post(t, "discover", `{"seconds": 1}`); ended.State != failed || !strings.Contains(ended.Error, "no record") {
			t.Errorf("%q: got %+v, want that an empty stream gives no schema", where, ended)
		}
		var c draft.Checked
		o.ask(t, "schema/check", draftRequest{Schema: shown.Schema}, &c)
		if c.Reading != nil || c.Effect == nil || !c.Effect.Judged {
			t.Errorf("%q: got %+v, want the effect without a sample", where, c)
		}
		if _, ended := o.post(t, "schema", string(mustJSON(t, draftRequest{Schema: shown.Schema, Base: c.Base}))); ended.State != failed || !strings.Contains(ended.Error, want) {
			t.Errorf("%q: got %+v, want that nothing is saved", where, ended)
		}
	}
	if data, err := os.ReadFile(filepath.Join(folder, "schema.json")); string(data) != "{" {
		t.Errorf("got %s, %v, want the broken file as it was", data, err)
	}
}

// TestReadOnlySchema: a read-only console discovers and checks, and saves nothing.
func TestReadOnlySchema(t *testing.T) {
	t.Parallel()
	world, folder := projectFolder(t)
	world.Stream = []string{trip}
	o := serveProject(t, world, false, folder)
	if _, ended := o.post(t, "discover", `{}`); ended.State != done {
		t.Errorf("got %+v, want a proposal", ended)
	}
	if status, _ := o.post(t, "schema", `{}`); status != http.StatusForbidden {
		t.Errorf("got %d, want 403", status)
	}
	if len(world.Calls) > 0 {
		t.Errorf("got the calls %v, want none", world.Calls)
	}
}
