package draft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"streamproof/internal/dialect"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// A Base is what a draft begins with: the pipeline of a project's folder, or that of a stack.
type Base struct {
	*pipeline.Pipeline
	// Folder is where a draft is saved, empty for the pipeline of a stack.
	Folder string
}

// Open reads the pipeline of a folder.
func Open(folder string) (*Base, error) {
	p, err := pipeline.Read(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return &Base{p, folder}, nil
}

// File is the file of the schema.
func (b *Base) File() string { return filepath.Join(b.Folder, schema.File) }

// A Draft is a schema in place of a base's, as text: faults and all.
type Draft struct {
	Schema []byte
	// Rename has the base's query call the columns what the draft calls them.
	Rename bool
}

// Checked is what can be said of a draft.
type Checked struct {
	// Base is the hash of the pipeline that it replaces.
	Base string `json:"base"`
	// Faults keep it from being a schema. Nothing else is known then.
	Faults []Fault `json:"faults"`
	// Refused says why the producer could not make records by it. It cannot be saved either.
	Refused []string `json:"refused"`
	// Notes say what else its deployment would need.
	Notes []string `json:"notes"`
	// Text is the file as it would be, and Was as it is.
	Text string `json:"text"`
	Was  string `json:"was"`
	// Reading is what it makes of a sample, if there is one.
	Reading *Reading `json:"reading,omitempty"`
	// Effect is what it does to the query.
	Effect *Effect `json:"effect,omitempty"`

	Pipeline *pipeline.Pipeline `json:"-"` // that it makes with the query, nil with Faults
	schema   schema.Schema
}

// A Fault is one of a schema.
type Fault struct {
	Column  int    `json:"column"` // its index, or -1
	Message string `json:"message"`
}

// An Effect is what a schema does to the query.
type Effect struct {
	*operate.Checked
	// SQL is the query that was checked, and WasSQL the base's.
	SQL    string `json:"sql"`
	WasSQL string `json:"wasSQL"`
	// Before and After are the columns of its rows with the base's schema and with this one; nil if it has none.
	Before []Output `json:"before"`
	After  []Output `json:"after"`
	// Renames reports whether the query has other names for columns than this schema, and can be given those: the
	// verifier computes the same rows of it then.
	Renames bool `json:"renames"`
}

// An Output is a column of the rows that a query writes.
type Output struct {
	Name  string `json:"name"`
	Alias string `json:"alias"`
	Type  string `json:"type"`
}

// Check says what is wrong with a draft, what it makes of a sample, which may be nil, and what it does to the query.
func (b *Base) Check(d Draft, sample *Sample) *Checked {
	c := &Checked{Base: b.Hash(), Faults: []Fault{}, Refused: []string{}, Notes: []string{}, Text: string(d.Schema), Was: string(b.SchemaJSON)}
	s, err := schema.Parse(d.Schema)
	if err != nil {
		for _, fault := range schema.Faults(err) {
			c.Faults = append(c.Faults, faultOf(fault))
		}
		return c
	}
	c.schema = implicit(s)
	text, err := c.schema.Encode()
	if err != nil {
		c.Faults = append(c.Faults, faultOf(err))
		return c
	}
	if c.Text = string(text); c.schema.Equal(b.Schema) {
		c.Text, text = c.Was, b.SchemaJSON // as somebody has laid it out
	}
	samples, err := b.samples(c.schema)
	if err != nil {
		c.Refused = append(c.Refused, err.Error())
	} else {
		c.Refused = Refusals(c.schema, samples)
	}
	if sample != nil {
		c.Reading = sample.Read(c.schema)
	}
	renamed := b.rename(c.schema)
	sql := b.SQL
	if d.Rename && renamed != nil {
		sql = renamed
	}
	c.Pipeline = &pipeline.Pipeline{Schema: c.schema, SchemaJSON: text, SQL: sql, Samples: samples}
	c.Effect = &Effect{
		Checked: operate.Check(c.Pipeline), SQL: string(sql), WasSQL: string(b.SQL),
		Before: outputs(b.Pipeline), After: outputs(c.Pipeline), Renames: renamed != nil,
	}
	return c
}

func faultOf(err error) Fault {
	var column *schema.ColumnError
	if errors.As(err, &column) {
		return Fault{column.Index, column.Err.Error()}
	}
	return Fault{-1, err.Error()}
}

// implicit leaves out the paths that are a column's name.
func implicit(s schema.Schema) schema.Schema {
	s.Columns = slices.Clone(s.Columns)
	for i := range s.Columns {
		if c := &s.Columns[i]; len(c.Path) == 1 && c.Path[0] == c.Name {
			c.Path = nil
		}
	}
	return s
}

// samples reads what a schema in place of the base's names as its samples.
func (b *Base) samples(s schema.Schema) ([]byte, error) {
	switch {
	case s.Samples == b.Schema.Samples:
		return b.Samples, nil
	case s.Samples == "":
		return nil, nil
	case b.Folder == "":
		return nil, fmt.Errorf("the samples %s are not those of the stack", s.Samples)
	}
	samples, err := os.ReadFile(filepath.Join(b.Folder, s.Samples))
	if err != nil {
		return nil, fmt.Errorf("read the samples: %w", err)
	}
	return samples, nil
}

func outputs(p *pipeline.Pipeline) []Output {
	columns, err := query.Destination(p)
	if err != nil {
		return nil
	}
	all := []Output{}
	for _, c := range columns {
		all = append(all, Output{c.Name, c.Alias, c.Type.String()})
	}
	return all
}

// rename returns the query with a schema's aliases in place of the base's, nil if they are the same, or if the verifier
// would not compute the same rows of it.
func (b *Base) rename(s schema.Schema) []byte {
	names := map[string]string{}
	old := b.Schema
	old.Columns = slices.Clone(old.Columns)
	for i, c := range old.Columns {
		at := i
		if format := s.Format.OrDefault(); format.Type == schema.JSON || format.Header {
			at = slices.IndexFunc(s.Columns, func(other schema.Column) bool { return slices.Equal(other.Place(), c.Place()) })
		}
		if at < 0 || at >= len(s.Columns) || s.Columns[at].Alias == c.Alias {
			continue
		}
		names[c.Alias] = s.Columns[at].Alias
		old.Columns[i].Alias = s.Columns[at].Alias
	}
	if len(names) == 0 {
		return nil
	}
	renamed, err := dialect.Rename(string(b.SQL), names)
	if err != nil || renamed == string(b.SQL) {
		return nil
	}
	before, err := query.Compile(b.Pipeline)
	if err != nil {
		return nil
	}
	after, err := query.Compile(&pipeline.Pipeline{Schema: old, SQL: []byte(renamed)})
	if err != nil || !reflect.DeepEqual(before.Parts, after.Parts) || !slices.Equal(types(before.Output), types(after.Output)) {
		return nil
	}
	return []byte(renamed)
}

func types(s row.Schema) (all []schema.Type) {
	for _, c := range s {
		all = append(all, c.Type)
	}
	return all
}

// Saved says what Save wrote.
type Saved struct {
	File string `json:"file"`
	// QueryFile is the query's, empty if it was not written.
	QueryFile string `json:"queryFile,omitempty"`
	// Was and WasSQL are what the files had before.
	Was    string `json:"was"`
	WasSQL string `json:"wasSQL,omitempty"`
	// Pipeline is the hash of the pipeline as it now is, which runs once it is deployed.
	Pipeline string `json:"pipeline"`
}

// Save writes a draft into the base's folder, unless the files there are others than those with the given hash.
func (b *Base) Save(d Draft, hash string) (*Saved, error) {
	if b.Folder == "" {
		return nil, errors.New("there is no project to save it in: run the console in the project's directory")
	}
	if b.Hash() != hash {
		return nil, fmt.Errorf("the files in %s have changed since this draft was checked: look at them, and save again", b.Folder)
	}
	c := b.Check(d, nil)
	var why []error
	for _, fault := range c.Faults {
		if fault.Column >= 0 {
			why = append(why, fmt.Errorf("columns[%d]: %s", fault.Column, fault.Message))
		} else {
			why = append(why, errors.New(fault.Message))
		}
	}
	for _, one := range c.Refused {
		why = append(why, errors.New(one))
	}
	if len(why) > 0 {
		return nil, fmt.Errorf("%s was not written, because the rest of the system does not support this schema: %w", b.File(), errors.Join(why...))
	}
	saved := &Saved{File: b.File(), Was: c.Was, Pipeline: c.Pipeline.Hash()}
	if sql := c.Pipeline.SQL; string(sql) != string(b.SQL) {
		saved.QueryFile, saved.WasSQL = filepath.Join(b.Folder, pipeline.SQLFile), string(b.SQL)
		if err := replace(saved.QueryFile, sql); err != nil {
			return nil, err
		}
	}
	if c.Text == c.Was {
		return saved, nil
	}
	return saved, Write(b.File(), c.schema, nil)
}
