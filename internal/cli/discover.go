package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/jedib0t/go-pretty/v6/text"

	"streamproof/internal/discover"
	"streamproof/internal/draft"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/sample"
	"streamproof/internal/schema"
	"streamproof/internal/terminal"
)

// discoverPermissions are what discover needs on AWS.
const discoverPermissions = "kinesis:ListShards, GetShardIterator and GetRecords on the stream, or s3:ListBucket and s3:GetObject on the bucket; " +
	"and for --stack cloudformation:DescribeStacks"

type discoverCmd struct {
	Stream    string `help:"Sample this Kinesis stream on AWS, or on a local stack with --state-dir, instead of a stack's own." xor:"what" placeholder:"NAME"`
	File      string `help:"Sample a file, which may be gzipped." type:"existingfile" xor:"what" placeholder:"FILE"`
	S3        string `help:"Sample the objects under an S3 prefix." name:"s3" xor:"what" placeholder:"s3://BUCKET/PREFIX"`
	Records   int    `help:"Most records to read; in files and objects, lines." default:"1000"`
	Seconds   int    `help:"Most seconds to read a stream." default:"10"`
	From      string `help:"Where to begin in a stream: at the oldest record (start), or at new ones (latest)." enum:"start,latest" default:"start"`
	Delimiter string `help:"Delimiter of the CSV (default: detected); \\t is a tab." placeholder:"CHARACTER"`
	Header    *bool  `help:"Whether the CSV has a header (default: detected)." negatable:""`
	Schema    string `help:"Schema to compare with, and to write (default: pipeline/schema.json in the project's directory)." type:"path" placeholder:"FILE"`
	Write     bool   `help:"Write the schema. What a person wrote into it is kept."`
	Replace   bool   `help:"With --write, keep nothing of the existing schema."`
	Samples   bool   `help:"With --write and --file, have the producer send the records of that file: it is copied beside the schema."`
	target    `embed:""`
}

// Validate is called by kong.
func (c *discoverCmd) Validate() error {
	switch {
	case c.Records < 1:
		return fmt.Errorf("--records is %d: give a number above 0", c.Records)
	case c.Seconds < 1:
		return fmt.Errorf("--seconds is %d: give a number above 0", c.Seconds)
	case c.Replace && !c.Write:
		return errors.New("--replace requires --write")
	case c.Samples && (!c.Write || c.File == ""):
		return errors.New("--samples requires --write and --file")
	case c.Stack != "" && c.Stream+c.File+c.S3 != "":
		return errors.New("--stack samples the stack's own stream: give either --stack, or one of --stream, --file and --s3")
	case c.File != "" && c.Region+c.StateDir != "":
		return errors.New("--file is a local file: leave out --region and --state-dir")
	case c.Region != "" && c.StateDir != "":
		return errors.New("--region is for AWS and --state-dir for a local stack: give one of them")
	case c.Region != "" && c.Stack+c.Stream+c.S3 == "":
		return errors.New("--region is for AWS: name what to sample with --stack, --stream or --s3")
	}
	if c.Delimiter == `\t` {
		c.Delimiter = "\t"
	}
	if c.Delimiter != "" {
		s := schema.Schema{Source: "s", Format: schema.DefaultFormat(), Columns: []schema.Column{{Name: "c", Alias: "c", Type: schema.Type{Kind: schema.VarChar}}}}
		s.Format.Delimiter = c.Delimiter
		if _, err := s.Encode(); err != nil {
			return fmt.Errorf("--delimiter is %q: give one ASCII character that is not a letter, digit, quote or line break", c.Delimiter)
		}
	}
	if c.S3 != "" {
		if _, _, err := parseS3(c.S3); err != nil {
			return err
		}
	}
	return nil
}

func parseS3(url string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("--s3 is %q, want s3://BUCKET/PREFIX", url)
	}
	return bucket, prefix, nil
}

type discovered struct {
	*draft.Discovered

	hint    string // what the user may do next
	samples []byte // the schema's samples
}

func (c *discoverCmd) Run(ctx context.Context, e *env) error {
	file, current, err := c.current(e)
	if err != nil {
		return err
	}
	p := newProgress(e)
	st := p.begin("sample")
	source, records, err := c.sample(ctx, e)
	st.End(err)
	p.stop()
	if err != nil {
		return needs(err, discoverPermissions)
	}
	found, err := draft.Discover(source, records, discover.Options{Delimiter: c.Delimiter, Header: c.Header})
	if err != nil {
		if len(records) == 0 && c.File+c.S3 == "" {
			return fmt.Errorf("%s gave no record in %d s: send some, or wait longer with --seconds", source, c.Seconds)
		}
		return err
	}
	out := &discovered{Discovered: found}
	out.File = file
	if current != nil {
		if err := out.Combine(file, *current); err != nil {
			if c.Write {
				return fmt.Errorf("%s was not written: %w; name another file with --schema, or replace this one with --replace", file, err)
			}
			out.File = ""
		}
	}
	if err := c.findSamples(out); err != nil {
		return err
	}
	if err := c.finish(out, e); err != nil {
		return err
	}
	if c.JSON {
		err = e.printJSON(out)
	} else {
		err = e.stdout.Print(discoveredText(out))
	}
	if err == nil && c.Write && len(out.Refused) > 0 {
		var why []error
		for _, one := range out.Refused {
			why = append(why, errors.New(one))
		}
		err = fmt.Errorf("%s was not written, because the rest of the system does not support this schema: %w", file, errors.Join(why...))
	}
	return err
}

// current reads the schema to compare with: the one that is named, or written, or that of the stack that is sampled.
// It is nil if there is none.
func (c *discoverCmd) current(e *env) (file string, current *schema.Schema, err error) {
	own := c.Stream+c.File+c.S3 == ""
	if file = c.Schema; file == "" {
		if !c.Write && !own {
			return "", nil, nil
		}
		root, err := e.root()
		if err != nil {
			if c.Write || c.Stack == "" {
				return "", nil, err
			}
			return "", nil, nil // a stack on AWS can be sampled from anywhere
		}
		file = filepath.Join(root, "pipeline", "schema.json")
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && (c.Write || c.Schema == "") {
		return file, nil, nil
	}
	if err != nil {
		return "", nil, &usageError{err}
	}
	if c.Replace {
		return file, nil, nil
	}
	schema, err := schema.Parse(data)
	if err != nil {
		return "", nil, &usageError{fmt.Errorf("read the existing schema %s: %w; fix it, or replace it with --write --replace", file, err)}
	}
	return file, &schema, nil
}

// sample reads what the flags select, and describes it.
func (c *discoverCmd) sample(ctx context.Context, e *env) (source string, records []discover.Record, err error) {
	if c.File != "" {
		record, err := sample.File(c.File, c.Records)
		return c.File, []discover.Record{record}, err
	}
	options := sample.Options{Records: c.Records, For: time.Duration(c.Seconds) * time.Second, Latest: c.From == "latest"}
	if c.Stream+c.S3 == "" {
		s, _, err := c.open(ctx, e)
		if err != nil {
			return "", nil, err
		}
		read, err := s.Sample(ctx, options)
		return streamSource(s.Outputs.StreamName, read, err)
	}
	config, err := c.config(ctx, e)
	if err != nil {
		return "", nil, err
	}
	if c.Stream != "" {
		read, err := sample.Stream(ctx, kinesis.NewFromConfig(config), c.Stream, options)
		if errors.As(err, new(*kinesistypes.ResourceNotFoundException)) {
			err = &usageError{err}
		}
		return streamSource(c.Stream, read, err)
	}
	bucket, prefix, _ := parseS3(c.S3) // Validate has checked it
	records, err = sample.Objects(ctx, s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = c.StateDir != "" }), bucket, prefix, c.Records)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket" {
		err = &usageError{err}
	}
	return fmt.Sprintf("%d objects under %s", len(records), c.S3), records, err
}

func streamSource(name string, read *sample.Sample, err error) (string, []discover.Record, error) {
	if err != nil {
		return "", nil, err
	}
	return read.Source(name), read.Records, nil
}

// findSamples reads the file that the producer is to take records from: the sampled one, or the one that the existing
// schema names.
func (c *discoverCmd) findSamples(out *discovered) (err error) {
	if !c.Samples {
		if out.Schema.Samples != "" {
			out.samples, err = os.ReadFile(filepath.Join(filepath.Dir(out.File), out.Schema.Samples))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // refusals reports it
		}
		return err
	}
	if out.samples, err = sample.Whole(c.File, pipeline.MaxSamples); err != nil {
		return err
	}
	out.Schema.Samples = samplesName(c.File, out.Schema.Format.OrDefault())
	if out.Merge == nil {
		for i := range out.Schema.Columns {
			out.Schema.Columns[i].Fake = schema.Fake{} // unused beside samples
		}
	}
	return nil
}

// samplesName is the name of a file of samples beside the schema: its own name, if that is allowed.
func samplesName(file string, format schema.Format) string {
	name := strings.TrimSuffix(filepath.Base(file), ".gz")
	switch {
	case schema.IsSamplesName(name):
		return name
	case format.Type == schema.JSON:
		return "samples.jsonl"
	default:
		return "samples.csv"
	}
}

// finish writes the schema, if the flags say so and nothing speaks against it.
func (c *discoverCmd) finish(out *discovered, e *env) error {
	out.Refused = append(out.Refused, draft.Refusals(out.Schema, out.samples)...)
	samples := filepath.Join(filepath.Dir(out.File), out.Schema.Samples)
	same := !c.Samples
	if c.Samples {
		there, err := os.ReadFile(samples)
		same = err == nil && bytes.Equal(there, out.samples)
	}
	switch {
	case out.Merge != nil && !out.Merge.Changed && same:
		out.hint = fmt.Sprintf("%s already says this.", out.File)
		return nil
	case len(out.Refused) > 0:
		if !c.Write {
			out.hint = "It cannot be written yet: " + strings.Join(out.Refused, "; ") + "."
		}
		return nil
	case !c.Write:
		out.hint = "`streamproof discover --write`, with the same flags, writes this to pipeline/schema.json."
		return nil
	}
	written := out.samples
	if same {
		written = nil
	}
	if err := draft.Write(out.File, out.Schema, written); err != nil {
		return err
	}
	out.Written = true
	out.hint = fmt.Sprintf("%s is written.", out.File)
	if !same {
		out.hint = fmt.Sprintf("%s is written, and its samples %s.", out.File, samples)
	}
	sql, err := os.ReadFile(filepath.Join(filepath.Dir(out.File), "pipeline.sql"))
	if err != nil {
		return nil //nolint:nilerr // there is no query beside this schema
	}
	if _, err := query.Compile(&pipeline.Pipeline{Schema: out.Schema, SQL: sql}); err != nil {
		_ = e.stderr.Printf("pipeline.sql does not fit this schema, change it, too: %v\n", err)
	}
	return nil
}

const (
	exampleWidth = 24
	rowWidth     = 30
	shownRows    = 3
)

func discoveredText(d *discovered) terminal.Text {
	var b terminal.Builder
	n := d.Sample
	b.Addf("Sampled %s: %d records, %d bytes, %d rows", d.Source, n.Records, n.Bytes, n.Rows)
	for _, count := range []struct {
		n    int
		what string
	}{{n.MostRows, "in the record with the most"}, {n.Headers, "headers"}, {n.FaultyRows, "rows of another form"}, {n.Rejected, "rejected"}, {n.Empty, "empty records"}, {n.Unreadable, "unreadable records"}} {
		if count.n > 1 || count.n == 1 && count.what != "in the record with the most" {
			b.Addf(", %d %s", count.n, count.what)
		}
	}
	b.Addf(".\nFormat: %s.\n", formatText(d.Format))

	w := terminal.NewTable()
	header := []any{"Column", "Type", "Null", "Agree", "Examples"}
	if d.Merge != nil {
		header = append(header, filepath.Base(d.File))
	}
	w.Header(header...)
	for i, c := range d.Columns {
		name, typ, null := terminal.Format("%s", c.Name), terminal.Format("%s", c.Type), ""
		if c.Path != "" {
			name = terminal.Format("%s\n%s", name, c.Path)
		}
		if c.Pattern != nil {
			typ = terminal.Format("%s\n%s", typ, c.Pattern.String())
		}
		if c.Nulls > 0 {
			null = fmt.Sprint(c.Nulls)
		}
		var shown []string
		for _, example := range c.Examples {
			shown = append(shown, printable(example, exampleWidth))
		}
		row := []any{name, typ, null, fmt.Sprintf("%d of %d", c.Agree, c.Values), strings.Join(shown, " · ")}
		if d.Merge != nil {
			now := d.Merge.Now[i]
			kept := now.Name + " " + now.Type.String()
			if now.Pattern != nil {
				kept += " " + now.Pattern.String()
			}
			if misfits := d.Merge.Misfits[i]; misfits > 0 {
				kept += fmt.Sprintf(" (not %d)", misfits)
			}
			row = append(row, kept)
		}
		w.Row(row...)
	}
	b.Addf("%s\n", w.Text())

	if len(d.Rows) > 0 {
		w := terminal.NewTable()
		header := []any{"Sample"}
		for i := range d.Rows[:min(len(d.Rows), shownRows)] {
			header = append(header, fmt.Sprintf("Row %d", i+1))
		}
		w.Header(header...)
		for i, c := range d.Columns {
			name := c.Name
			if d.Merge != nil {
				name = d.Merge.Now[i].Name
			}
			row := []any{name}
			for _, values := range d.Rows[:min(len(d.Rows), shownRows)] {
				value := "NULL"
				if values[i] != nil {
					value = printable(*values[i], rowWidth)
				}
				row = append(row, value)
			}
			w.Row(row...)
		}
		b.Addf("%s\n", w.Text())
	}
	for _, c := range d.Columns {
		if c.Agree < c.Values {
			var some []string
			for _, v := range c.Disagreeing {
				some = append(some, fmt.Sprintf("%s (%d)", printable(v.Text, rowWidth), v.Count))
			}
			b.Addf("- column %s: %d of %d values are not %s: %s; %s holds all\n", c.Name, c.Values-c.Agree, c.Values, c.Type, strings.Join(some, ", "), c.Widest)
		}
		for _, note := range c.Notes {
			b.Addf("- column %s: %s\n", c.Name, note)
		}
	}
	for _, f := range d.Faults {
		b.Addf("- rejected: %s\n", f)
	}
	for _, note := range d.Notes {
		b.Addf("- %s\n", note)
	}
	if d.Merge != nil {
		for _, change := range d.Merge.Changes {
			b.Addf("- changed: %s\n", change)
		}
		for _, warning := range d.Merge.Warnings {
			b.Addf("- warning: %s\n", warning)
		}
	}
	if d.hint != "" {
		b.Addf("%s\n", d.hint)
	}
	return b.Text()
}

func formatText(f schema.Format) string {
	if f.Type == schema.JSON {
		return "JSON, an object a row"
	}
	words := []string{fmt.Sprintf("CSV, delimiter %q", f.Delimiter)}
	if f.Quote == "" {
		words = append(words, "no quote")
	} else {
		words = append(words, "quote "+f.Quote)
	}
	if f.Newline != "\n" {
		words = append(words, fmt.Sprintf("rows end with %q", f.Newline))
	}
	if f.Decimal != "." {
		words = append(words, fmt.Sprintf("decimal %q", f.Decimal))
	}
	if f.Multiline {
		words = append(words, "newlines within quotes")
	}
	if f.Header {
		words = append(words, "with a header")
	} else {
		words = append(words, "no header")
	}
	if len(f.Nulls) > 0 {
		words = append(words, fmt.Sprintf("NULL is %q", f.Nulls))
	}
	return strings.Join(words, ", ")
}

// printable shortens a value, and quotes it if a terminal would not show it as it is, or would obey it.
func printable(value string, width int) string {
	plain := value != "" && strings.TrimSpace(value) == value && utf8.ValidString(value) &&
		!strings.ContainsFunc(value, func(r rune) bool { return !strconv.IsPrint(r) })
	if !plain {
		value = strconv.Quote(value)
	}
	return text.Snip(value, width, "…")
}
