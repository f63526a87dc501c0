package dialect

import "streamproof/internal/schema"

// MetadataSuffix ends the name of the source's second view, which also has the columns of Metadata.
const MetadataSuffix = "_WITH_METADATA"

// Metadata are the columns that follow schema.json's in the source's second view. The job creates that view if the
// query reads it. In the legacy dialect they are columns of the source, which * leaves out.
func Metadata() []MetadataColumn {
	return []MetadataColumn{
		{"APPROXIMATE_ARRIVAL_TIME", "TIMESTAMP(3)"}, // in UTC
		{"PARTITION_KEY", "STRING"},
		{"SEQUENCE_NUMBER", "STRING"},
		{"SHARD_ID", "STRING"},
	}
}

// A MetadataColumn describes the record of a row. Type is Flink's.
type MetadataColumn struct{ Name, Type string }

// errorStream is the job's stream of records that could not be read.
const errorStream = "error_stream"

// rowTime is a column of every stream in the legacy dialect. Flink's tables do not have it: in windows it is processing
// time, elsewhere the current time, which Flink reads once for each row.
const rowTime = "ROWTIME"

// A relation can stand behind FROM.
type relation struct {
	name    string // in Flink
	columns []relColumn
	// hidden are the columns that * leaves out. Only the view withHidden has them.
	hidden     map[string]sqlType
	withHidden string
	// expand has the columns that are another expression in Flink.
	expand map[string]Expr
}

type relColumn struct {
	name string
	typ  sqlType
}

func (r *relation) column(name string) (relColumn, bool) { return find(r.columns, name) }

// sourceRelation returns the stream that schema.json describes.
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

// errorColumns are the columns of the job's error_stream.
var errorColumns = []relColumn{
	{"reason", sqlType{kind: varChar}},
	{"column", sqlType{kind: varChar}},
	{"data", sqlType{kind: varBinary}},
	{"shard", sqlType{kind: varChar}},
	{"sequence_number", sqlType{kind: varChar}},
	{"arrival_time", sqlType{kind: timestamp, length: 3}},
}

// errorRelation returns error_stream with the legacy service's columns, computed from the job's.
func errorRelation() *relation {
	arrival := tryCast(column("arrival_time"), timestampMillis.String()) // with a zone, in the job
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
			"ERROR_TIME":   arrival,
			"ERROR_LEVEL":  textLiteral("ERROR"),
			"ERROR_NAME":   column("reason"),
			"MESSAGE":      function("COALESCE", infix(infix(column("column"), "||", textLiteral(": ")), "||", column("reason")), column("reason")),
			"DATA_ROWTIME": arrival,
			// The bytes as text, since Flink's HEX takes no bytes.
			"DATA_ROW":  function("HEX", function("DECODE", column("data"), textLiteral("UTF-8"))),
			"PUMP_NAME": tryCast(nullLiteral(), "STRING"),
		},
	}
}
