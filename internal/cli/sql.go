package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"streamproof/internal/dialect"
	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
)

type sqlCmd struct {
	Run       sqlRunCmd    `cmd:"" help:"Save and run: have the application run another query, without a deploy, and show its first rows."`
	Show      sqlShowCmd   `cmd:"" help:"Show the query that the application runs."`
	Translate translateCmd `cmd:"" help:"Print a query as the Flink SQL that runs: Flink SQL as it is, that of Kinesis Data Analytics for SQL rewritten."`
}

const defaultSchema = "pipeline/schema.json"

type translateCmd struct {
	File   string `arg:"" help:"The query's file, or - for standard input."`
	Schema string `help:"What the records of the source are: a file like the project's own." default:"${defaultSchema}" placeholder:"FILE"`

	stdin io.Reader // stands in for standard input in tests
}

func (c *translateCmd) Run(e *env) error {
	name, text, err := readQuery(c.File, c.stdin)
	if err != nil {
		return &usageError{err}
	}
	schema, folder, err := c.schema(e)
	if err != nil {
		return err
	}
	samples, err := pipeline.ReadSamples(folder, schema)
	if err != nil {
		return &usageError{err}
	}
	p, err := pipeline.ParseWithSamples(schema, text, samples)
	if err != nil {
		return &usageError{err}
	}
	if samples != nil {
		// Every build comes by here, and none is to end in a producer that cannot start.
		if _, err := generator.New(p, 0); err != nil {
			return &usageError{err}
		}
	}
	script, err := dialect.Parse(string(text))
	var flink string
	if err == nil {
		flink, err = script.Translate(string(text), p.Schema)
	}
	if err != nil {
		faults := dialect.Faults(err)
		for _, fault := range faults {
			_ = e.stderr.Printf("%s\n", fault.In(name))
		}
		found := "1 fault"
		if len(faults) > 1 {
			found = fmt.Sprintf("%d faults", len(faults))
		}
		return &usageError{fmt.Errorf("%s is not translated: it has %s", name, found)}
	}
	for _, warning := range script.Warnings(string(text), p.Schema) {
		_ = e.stderr.Printf("%s\n", warning.WarningIn(name))
	}
	return e.printSQL(flink)
}

// readQuery gives the text of a file, or of standard input where it is called -, and what errors call it.
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

// schema reads the schema, and gives its folder. The default is the project's, from wherever in it.
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
