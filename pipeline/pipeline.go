// Package pipeline says what the data is and what the analytics do with it.
//
// schema.json names the columns of a record (name, COLn alias, SQL type) and how a fake value of each is made, or the file of
// samples that records are taken from; pipeline.sql is the query. The Flink job, the producer, the verifier and the tests read
// these files, and nothing else in the project repeats a column's name, type or position.
package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"streamproof/internal/encoding"
)

// A Pipeline is one schema with one query over it.
type Pipeline struct {
	Schema Schema
	// SchemaJSON and SQL are the two files, byte by byte. Samples is the third one, nil where the schema names none.
	SchemaJSON, SQL, Samples []byte
}

// A Schema describes the records of the source stream.
type Schema struct {
	// Source is the name of the in-application stream that the query reads.
	Source string `json:"source"`
	// Format is how a row is written: the zero value is DefaultFormat.
	Format Format `json:"format,omitzero"`
	// Samples names a file beside schema.json, of rows in this format: each record that is produced is one of them. Where it is
	// empty, the records are made of the columns' fake values.
	Samples string   `json:"samples,omitempty"`
	Columns []Column `json:"columns"`
}

// MaxSamples is how many bytes a file of samples may have: it is published in the ledger with each pipeline.
const MaxSamples = 1 << 20

// A Column is one field of a row: of CSV in the row's order, of JSON by its path.
type Column struct {
	Name  string `json:"name"`
	Alias string `json:"alias"` // the name that the query knows it by; it may be the Name
	// Path says where the value stands. In JSON it is a JSONPath that leads to one value, as $.user.id, and $.NAME where
	// it is empty. In CSV with a header it is what the header calls the column, and the Name where it is empty.
	Path string `json:"path,omitempty"`
	// Unnamed reports whether the header of CSV has no name for the column, as spreadsheets and data frames write for an index.
	Unnamed bool `json:"unnamed,omitzero"`
	Type    Type `json:"type"`
	// Pattern is how a TIMESTAMP or DATE is written: see ParsePattern. The empty one is that of TimestampPattern or DatePattern.
	Pattern string `json:"pattern,omitempty"`
	// Nullable columns may be NULL: one of the format's nulls in CSV, null or nothing in JSON.
	Nullable bool `json:"nullable,omitzero"`
	// Fake is not looked at where the schema has Samples.
	Fake Fake `json:"fake,omitzero"`
}

// Fake says how the producer makes a value: exactly one of Text, Integers, Time and Sum is set. The value is that in SQL; a
// record has it as its format and the column's pattern say.
type Fake struct {
	// Text is a constant.
	Text string `json:"text,omitempty"`
	// Integers are inclusive ranges; a number from each is written after Prefix, padded with zeros to Width digits.
	Prefix   string     `json:"prefix,omitempty"`
	Integers [][2]int64 `json:"integers,omitempty"`
	Width    int        `json:"width,omitzero"`
	// Time is "planned", the moment at which the record is planned to be sent, or an earlier column made of a Time;
	// a whole number of minutes out of the inclusive range PlusMinutes is added to it.
	Time        string   `json:"time,omitempty"`
	PlusMinutes [2]int64 `json:"plusMinutes,omitzero"`
	// Sum names earlier columns of at most two decimals; their sum is written with two decimals.
	Sum []string `json:"sum,omitempty"`
}

// PlannedTime is the value of Fake.Time that stands for the record's own planned time.
const PlannedTime = "planned"

// TimestampLayout is how a TIMESTAMP is written in a record, in UTC.
const TimestampLayout = "2006-01-02 15:04:05"

// A Kind is a SQL type without its length.
type Kind string

// The kinds that a record or a result may have. Real is a 32-bit float, Double a 64-bit one. A result has no
// Decimal: see docs/decisions/0010.
const (
	Integer   Kind = "INTEGER"
	BigInt    Kind = "BIGINT"
	Real      Kind = "REAL"
	Double    Kind = "DOUBLE"
	Decimal   Kind = "DECIMAL"
	Timestamp Kind = "TIMESTAMP"
	Date      Kind = "DATE"
	Char      Kind = "CHAR"
	VarChar   Kind = "VARCHAR"
	Boolean   Kind = "BOOLEAN"
)

// synonyms are other spellings that Flink SQL and the legacy dialect have for a kind.
var synonyms = map[string]Kind{
	"INT": Integer, "FLOAT": Real, "DOUBLE PRECISION": Double, "STRING": VarChar, "NUMERIC": Decimal, "DEC": Decimal,
}

// MaxPrecision is the most digits that a DECIMAL has.
const MaxPrecision = 38

// A Type is a SQL type. Length is that of CHAR(n) and VARCHAR(n), in characters, 0 where unbounded; of DECIMAL(p, s) it is
// the precision, and Scale how many of these digits stand behind the point.
type Type struct {
	Kind          Kind
	Length, Scale int
}

var typeSyntax = regexp.MustCompile(`^([A-Z]+(?: [A-Z]+)*)(?:\(([1-9][0-9]{0,8})(?:, ?([0-9]{1,2}))?\))?$`)

// ParseType reads a SQL type as INTEGER, REAL, CHAR(1) or DECIMAL(10,2).
func ParseType(text string) (Type, error) {
	m := typeSyntax.FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return Type{}, fmt.Errorf("%q is not a SQL type", text)
	}
	kind := Kind(m[1])
	if other, ok := synonyms[m[1]]; ok {
		kind = other
	}
	sized := false
	switch kind {
	case Char, VarChar:
		sized = true
	case Decimal:
		return parseDecimal(text, m[2], m[3])
	case Integer, BigInt, Real, Double, Timestamp, Date, Boolean:
	default:
		return Type{}, fmt.Errorf("SQL type %s is not supported", text)
	}
	if m[2] != "" && !sized {
		return Type{}, fmt.Errorf("SQL type %s takes no length", m[1])
	}
	if m[3] != "" {
		return Type{}, fmt.Errorf("SQL type %s takes no scale", m[1])
	}
	length, _ := strconv.Atoi(m[2])
	return Type{Kind: kind, Length: length}, nil
}

// parseDecimal reads what stands in the parentheses. Without any, a DECIMAL has ten digits and no point, as in Flink.
func parseDecimal(text, precision, scale string) (Type, error) {
	t := Type{Kind: Decimal, Length: 10}
	if precision != "" {
		t.Length, _ = strconv.Atoi(precision)
	}
	t.Scale, _ = strconv.Atoi(scale)
	if t.Length > MaxPrecision || t.Scale > t.Length {
		return Type{}, fmt.Errorf("SQL type %s: a DECIMAL has at most %d digits, and no more of them behind the point", text, MaxPrecision)
	}
	return t, nil
}

// String gives the type as SQL.
func (t Type) String() string {
	if t.Kind == Decimal {
		return fmt.Sprintf("%s(%d,%d)", t.Kind, t.Length, t.Scale)
	}
	if t.Length > 0 {
		return fmt.Sprintf("%s(%d)", t.Kind, t.Length)
	}
	return string(t.Kind)
}

// UnmarshalText reads the type from schema.json.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = ParseType(string(text))
	return err
}

// MarshalText writes the type as SQL.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Parse reads a schema that names no samples, and a query; the error names every fault of the schema. The
// query is parsed by those who run it.
func Parse(schemaJSON, sql []byte) (*Pipeline, error) { return ParseWithSamples(schemaJSON, sql, nil) }

// ParseWithSamples is Parse with the file of samples, nil where there is none. Its rows are read by those who make records of them.
func ParseWithSamples(schemaJSON, sql, samples []byte) (*Pipeline, error) {
	if !utf8.Valid(sql) {
		return nil, notUTF8("pipeline.sql", sql)
	}
	schema, err := ParseSchema(schemaJSON)
	if err != nil {
		return nil, err
	}
	if err := schema.checkSamples(samples); err != nil {
		return nil, err
	}
	return &Pipeline{Schema: schema, SchemaJSON: schemaJSON, SQL: sql, Samples: samples}, nil
}

func (s Schema) checkSamples(samples []byte) error {
	switch {
	case s.Samples == "" && samples != nil:
		return errors.New("there are samples, and schema.json names none")
	case s.Samples != "" && samples == nil:
		return fmt.Errorf("schema.json names the samples %s, which are not there: put that file beside it", s.Samples)
	case len(samples) > MaxSamples:
		return fmt.Errorf("%s has %d bytes, which is more than the %d that samples may have: leave out rows", s.Samples, len(samples), MaxSamples)
	case !utf8.Valid(samples):
		return notUTF8(s.Samples, samples)
	}
	return nil
}

// notUTF8 is the error of a file that the ledger's JSON could not hold as it is.
func notUTF8(name string, text []byte) error {
	if in := encoding.Name(text); in != "" {
		return fmt.Errorf("%s is not UTF-8: save it as that (%s)", name, strings.TrimSuffix(strings.TrimPrefix(in, "not UTF-8, "), ", not UTF-8"))
	}
	return fmt.Errorf("%s is not UTF-8: save it as that", name)
}

// Hash identifies the pipeline: the hexadecimal SHA-256 of its two or three files, each preceded by its length.
func (p *Pipeline) Hash() string {
	files := [][]byte{p.SchemaJSON, p.SQL}
	if p.Samples != nil {
		files = append(files, p.Samples)
	}
	h := sha256.New()
	for _, file := range files {
		fmt.Fprintf(h, "%d\n", len(file))
		h.Write(file)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Index returns the position of the column with the given name or alias (in any case), or -1.
func (s Schema) Index(name string) int {
	for i, c := range s.Columns {
		if strings.EqualFold(c.Name, name) || strings.EqualFold(c.Alias, name) {
			return i
		}
	}
	return -1
}
