package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize/english"

	"streamproof/internal/dialect"
	"streamproof/internal/generator"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
)

type sqlCmd struct {
	Run       sqlRunCmd      `cmd:"" help:"Have the application run another query, without a deploy, and show its first rows."`
	Show      sqlShowCmd     `cmd:"" help:"Show the query that the application runs."`
	Versions  sqlVersionsCmd `cmd:"" help:"List the queries that the stack runs and has run, or print one of them."`
	Check     checkCmd       `cmd:"" help:"Have Flink plan a query, as a deploy would, and print every fault with its place. Nothing is run."`
	Translate translateCmd   `cmd:"" help:"Print a query as the Flink SQL that runs: the SQL of Kinesis Data Analytics is rewritten, Flink SQL is not."`
}

const defaultSchema = "pipeline/schema.json"

type translateCmd struct {
	File   string `arg:"" help:"The query's file, or - for standard input."`
	Schema string `help:"Schema of the source's records." default:"${defaultSchema}" placeholder:"FILE"`

	stdin io.Reader // stands in for standard input in tests
}

func (c *translateCmd) Run(e *env) error {
	t, err := c.translate(e)
	if err != nil {
		return err
	}
	return e.printSQL(t)
}

type checkCmd struct {
	translateCmd `embed:""`
	JSON         bool `help:"Print JSON, for scripts." name:"json"`

	// plan stands in for Flink in tests.
	plan func(ctx context.Context, e *env, schema []byte, sql string) ([]flink.Fault, error)
}

func (c *checkCmd) Run(ctx context.Context, e *env) error {
	name, p, err := c.load(e)
	if err != nil {
		return err
	}
	if c.plan == nil {
		c.plan = plan
	}
	checked := operate.Check(p)
	if err := checked.Plan(ctx, p, func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error) {
		return c.plan(ctx, e, schema, sql)
	}); err != nil {
		return err
	}
	if c.JSON {
		if err := e.printJSON(checked); err != nil {
			return err
		}
	} else {
		for _, w := range checked.Warnings {
			_ = e.stderr.Printf("%s:%d:%d: warning: %s\n", name, w.Line, w.Column, w.Message)
		}
		for _, fault := range checked.Faults {
			_ = e.stderr.Println(faultText(name, fault))
		}
	}
	faults := english.Plural(len(checked.Faults), "fault", "")
	switch {
	case len(checked.Faults) > 0 && !checked.Planned:
		return &usageError{fmt.Errorf("%s is not translated: it has %s", name, faults)}
	case len(checked.Faults) > 0:
		return &usageError{fmt.Errorf("%s is refused by Flink: it has %s", name, faults)}
	case c.JSON:
		return nil
	}
	return e.stdout.Printf("%s: Flink accepts it\n", name)
}

// load reads the query and the schema.
func (c *translateCmd) load(e *env) (name string, p *pipeline.Pipeline, err error) {
	name, text, err := readQuery(c.File, c.stdin)
	if err != nil {
		return "", nil, &usageError{err}
	}
	schema, folder, err := c.schema(e)
	if err != nil {
		return "", nil, err
	}
	samples, err := pipeline.ReadSamples(folder, schema)
	if err != nil {
		return "", nil, &usageError{err}
	}
	if p, err = pipeline.ParseWithSamples(schema, text, samples); err != nil {
		return "", nil, &usageError{err}
	}
	if samples != nil {
		// Every build runs this, and must not end in a producer that cannot start.
		if _, err := generator.New(p, 0); err != nil {
			return "", nil, &usageError{err}
		}
	}
	return name, p, nil
}

// translate reads a query and returns it as Flink runs it. It prints what is wrong with the query.
func (c *translateCmd) translate(e *env) (string, error) {
	name, p, err := c.load(e)
	if err != nil {
		return "", err
	}
	var translated string
	script, err := dialect.Parse(string(p.SQL))
	if err == nil {
		translated, err = script.Translate(string(p.SQL), p.Schema)
	}
	if err != nil {
		faults := dialect.Faults(err)
		for _, fault := range faults {
			_ = e.stderr.Printf("%s\n", fault.In(name))
		}
		return "", &usageError{fmt.Errorf("%s is not translated: it has %s", name, english.Plural(len(faults), "fault", ""))}
	}
	for _, warning := range script.Warnings(p.Schema) {
		_ = e.stderr.Printf("%s\n", warning.WarningIn(name))
	}
	return translated, nil
}

// readQuery returns the text of a file, or of standard input if the file is -, and its name for messages.
func readQuery(file string, stdin io.Reader) (name string, text []byte, err error) {
	if file == "-" {
		if stdin == nil {
			stdin = os.Stdin
		}
		text, err = io.ReadAll(stdin)
		return "standard input", text, err
	}
	text, err = os.ReadFile(file)
	return file, text, err
}

// schema reads the schema and returns its directory. The default is the project's schema, from anywhere inside it.
func (c *translateCmd) schema(e *env) ([]byte, fs.FS, error) {
	file := c.Schema
	if file == defaultSchema {
		root, err := e.root()
		if err != nil {
			return nil, nil, &usageError{fmt.Errorf("%w; or name a schema with --schema", err)}
		}
		file = filepath.Join(root, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	return data, os.DirFS(filepath.Dir(file)), nil
}
