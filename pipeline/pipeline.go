// Package pipeline says what the data is and what the analytics do with it.
//
// schema.json names the columns of a record (name, COLn alias, SQL type) and how a fake value of each is made;
// pipeline.sql is the query. The Flink job, the producer, the verifier and the tests read these two files, and
// nothing else in the project repeats a column's name, type or position.
package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Pipeline is one schema with one query over it.
type Pipeline struct {
	Schema Schema
	// SchemaJSON and SQL are the two files, byte by byte.
	SchemaJSON, SQL []byte
}

// A Schema describes the records of the source stream: headerless CSV lines.
type Schema struct {
	// Source is the name of the in-application stream that the query reads.
	Source  string   `json:"source"`
	Columns []Column `json:"columns"`
}

// A Column is one field of a record, in the record's order.
type Column struct {
	Name  string `json:"name"`
	Alias string `json:"alias"` // the name that the query knows it by
	Type  Type   `json:"type"`
	Fake  Fake   `json:"fake"`
}

// Fake says how the producer makes a value: exactly one of Text, Integers, Time and Sum is set.
type Fake struct {
	// Text is a constant.
	Text string `json:"text,omitempty"`
	// Integers are inclusive ranges; a number from each is written after Prefix, padded with zeros to Width digits.
	Integers [][2]int64 `json:"integers,omitempty"`
	Prefix   string     `json:"prefix,omitempty"`
	Width    int        `json:"width,omitempty"`
	// Time is "planned", the moment at which the record is planned to be sent, or an earlier TIMESTAMP column;
	// a whole number of minutes out of the inclusive range PlusMinutes is added to it.
	Time        string   `json:"time,omitempty"`
	PlusMinutes [2]int64 `json:"plusMinutes,omitempty"`
	// Sum names earlier columns of at most two decimals; their sum is written with two decimals.
	Sum []string `json:"sum,omitempty"`
}

// PlannedTime is the value of Fake.Time that stands for the record's own planned time.
const PlannedTime = "planned"

// TimestampLayout is how a TIMESTAMP is written in a record, in UTC.
const TimestampLayout = "2006-01-02 15:04:05"

// A Kind is a SQL type without its length.
type Kind string

// The kinds that a record or a result may have. Real is a 32-bit float, Double a 64-bit one.
const (
	Integer   Kind = "INTEGER"
	BigInt    Kind = "BIGINT"
	Real      Kind = "REAL"
	Double    Kind = "DOUBLE"
	Timestamp Kind = "TIMESTAMP"
	Char      Kind = "CHAR"
	VarChar   Kind = "VARCHAR"
	Boolean   Kind = "BOOLEAN"
)

// synonyms are other spellings that Flink SQL and the legacy dialect have for a kind.
var synonyms = map[string]Kind{"INT": Integer, "FLOAT": Real, "DOUBLE PRECISION": Double, "STRING": VarChar}

// A Type is a SQL type. Length is that of CHAR(n) and VARCHAR(n), in characters, 0 where unbounded.
type Type struct {
	Kind   Kind
	Length int
}

var typeSyntax = regexp.MustCompile(`^([A-Z]+(?: [A-Z]+)*)(?:\(([1-9][0-9]{0,8})\))?$`)

// ParseType reads a SQL type as INTEGER, REAL or CHAR(1).
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
	case Integer, BigInt, Real, Double, Timestamp, Boolean:
	default:
		return Type{}, fmt.Errorf("SQL type %s is not supported", text)
	}
	if m[2] != "" && !sized {
		return Type{}, fmt.Errorf("SQL type %s takes no length", m[1])
	}
	length, _ := strconv.Atoi(m[2])
	return Type{Kind: kind, Length: length}, nil
}

// String gives the type as SQL.
func (t Type) String() string {
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

// Parse reads a schema and a query; the error names every fault of the schema. The query is parsed by those who run it.
func Parse(schemaJSON, sql []byte) (*Pipeline, error) {
	for name, file := range map[string][]byte{"schema.json": schemaJSON, "pipeline.sql": sql} {
		if !utf8.Valid(file) {
			return nil, fmt.Errorf("%s is not UTF-8: save it as that", name) // the ledger's JSON could not hold it as it is
		}
	}
	p := &Pipeline{SchemaJSON: schemaJSON, SQL: sql}
	decoder := json.NewDecoder(bytes.NewReader(schemaJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p.Schema); err != nil {
		return nil, fmt.Errorf("read schema.json: %w", err)
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if p.Schema.Source == "" {
		fault("source is empty")
	}
	if len(p.Schema.Columns) == 0 {
		fault("columns is empty")
	}
	seen := map[string]bool{}
	for i, c := range p.Schema.Columns {
		for _, name := range []string{c.Name, c.Alias} {
			if name == "" || seen[strings.ToUpper(name)] {
				fault("columns[%d]: name %q is empty or taken", i, name)
			}
			seen[strings.ToUpper(name)] = true
		}
		if c.Type.Kind == "" {
			fault("columns[%d]: type is missing", i)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("schema.json: %w", err)
	}
	return p, nil
}

// Hash identifies the pipeline: the hexadecimal SHA-256 of both files, each preceded by its length.
func (p *Pipeline) Hash() string {
	h := sha256.New()
	for _, file := range [][]byte{p.SchemaJSON, p.SQL} {
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
