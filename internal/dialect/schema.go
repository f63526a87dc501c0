package dialect

import "streamproof/internal/schema"

// MetadataSuffix is what the name of the source's second view ends with: that which has the columns of Metadata, too.
const MetadataSuffix = "_WITH_METADATA"

// Metadata are the columns that the source's second view has after those of schema.json. The job has to make that view
// where a translated query reads it. In the legacy dialect they are columns of the source, which * leaves out.
func Metadata() []MetadataColumn {
	return []MetadataColumn{
		{"APPROXIMATE_ARRIVAL_TIME", "TIMESTAMP(3)"}, // in UTC
		{"PARTITION_KEY", "STRING"},
		{"SEQUENCE_NUMBER", "STRING"},
		{"SHARD_ID", "STRING"},
	}
}

// A MetadataColumn says something of the record that a row came in. Type is Flink's.
type MetadataColumn struct{ Name, Type string }

// errorStream is the stream of what could not be read, as the job has it.
const errorStream = "error_stream"

// rowTime is a column of every stream of the legacy dialect. It is no column of Flink's tables: in windows it is processing
// time, and elsewhere the time now, which Flink takes once for a row.
const rowTime = "ROWTIME"

// A relation is what can stand behind FROM.
type relation struct {
	name    string // in Flink
	columns []relColumn
	// hidden are the columns that * leaves out, and that take another view.
	hidden map[string]sqlType
	// withHidden is the name of that view.
	withHidden string
	// expand gives the columns that are another expression in Flink.
	expand map[string]Expr
}

type relColumn struct {
	name string
	typ  sqlType
}

func (r *relation) column(name string) (relColumn, bool) { return find(r.columns, name) }

// sourceRelation is the stream that schema.json describes.
func sourceRelation(schema schema.Schema) *relation {
	r := &relation{name: schema.Source, withHidden: schema.Source + MetadataSuffix, hidden: map[string]sqlType{}}
	for _, m := range Metadata() {
		r.hidden[m.Name] = sqlType{kind: varChar}
		if m.Name == "APPROXIMATE_ARRIVAL_TIME" {
			r.hidden[m.Name] = sqlType{kind: timestamp, length: 3}
		}
	}
	for _, c := range schema.Columns {
		r.columns = append(r.columns, relColumn{c.Alias, ofSchema(c)})
		delete(r.hidden, c.Alias)
	}
	return r
}

// errorColumns are those of the job's own error_stream.
var errorColumns = []relColumn{
	{"reason", sqlType{kind: varChar}},
	{"column", sqlType{kind: varChar}},
	{"data", sqlType{kind: varBinary}},
	{"shard", sqlType{kind: varChar}},
	{"sequence_number", sqlType{kind: varChar}},
	{"arrival_time", sqlType{kind: timestamp, length: 3}},
}

// errorRelation is error_stream with the columns that it had in the legacy service, made of those that the job's has.
func errorRelation() *relation {
	col := func(name string) Expr { return &Name{Parts: []Ident{{Name: name}}} }
	text := func(s string) Expr { return &Literal{Kind: TextLiteral, Text: "'" + s + "'", Value: s} }
	concat := func(a, b Expr) Expr { return &Binary{Op: "||", Left: a, Right: b} }
	arrival := tryCast(col("arrival_time"), timestampMillis.String()) // with a zone, in the job
	return &relation{
		name: errorStream,
		columns: []relColumn{
			{"ERROR_TIME", sqlType{kind: timestamp, length: 3}},
			{"ERROR_LEVEL", sqlType{kind: varChar, length: 10}},
			{"ERROR_NAME", sqlType{kind: varChar}},
			{"MESSAGE", sqlType{kind: varChar}},
			{"DATA_ROWTIME", sqlType{kind: timestamp, length: 3}},
			{"DATA_ROW", sqlType{kind: varChar}},
			{"PUMP_NAME", sqlType{kind: varChar}},
		},
		expand: map[string]Expr{
			"ERROR_TIME":  arrival,
			"ERROR_LEVEL": text("ERROR"),
			"ERROR_NAME":  col("reason"),
			"MESSAGE": &Call{Name: "COALESCE", Args: []Expr{
				concat(concat(col("column"), text(": ")), col("reason")), col("reason")}},
			"DATA_ROWTIME": arrival,
			// The bytes as text, since Flink's HEX takes no bytes.
			"DATA_ROW":  &Call{Name: "HEX", Args: []Expr{&Call{Name: "DECODE", Args: []Expr{col("data"), text("UTF-8")}}}},
			"PUMP_NAME": tryCast(&Literal{Kind: NullLiteral, Text: "NULL"}, "STRING"),
		},
	}
}
