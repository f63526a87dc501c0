package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"streamproof/internal/schema"
)

// A kind is a type without its sizes.
type kind int

const (
	unknown kind = iota // not certain: never reported
	null
	boolean
	tinyInt
	smallInt
	integer
	bigInt
	decimal
	float // 32-bit: the legacy dialect's REAL, Flink's FLOAT
	double
	char
	varChar
	varBinary
	date
	timeOfDay
	timestamp
	interval // of days to seconds
)

// A sqlType is a type. Length is the length of a text, 0 if it is unlimited, or the precision of a DECIMAL or
// TIMESTAMP.
type sqlType struct {
	kind   kind
	length int
	scale  int // of a DECIMAL; for an interval, its unit in milliseconds
}

// maxDecimal is the precision of numbers in the legacy dialect.
const maxDecimal = 19

// String returns Flink's name of the type.
func (t sqlType) String() string {
	switch t.kind {
	case decimal:
		return fmt.Sprintf("DECIMAL(%d, %d)", t.length, t.scale)
	case char:
		return fmt.Sprintf("CHAR(%d)", t.length)
	case varChar:
		if t.length == 0 {
			return "STRING"
		}
		return fmt.Sprintf("VARCHAR(%d)", t.length)
	case timestamp:
		return fmt.Sprintf("TIMESTAMP(%d)", t.length)
	default:
		return [...]string{unknown: "a value", null: "NULL", boolean: "BOOLEAN", tinyInt: "TINYINT", smallInt: "SMALLINT", integer: "INTEGER",
			bigInt: "BIGINT", float: "FLOAT", double: "DOUBLE", varBinary: "BYTES", date: "DATE", timeOfDay: "TIME", interval: "INTERVAL"}[t.kind]
	}
}

// legacyName is the legacy dialect's name of the type.
func (t sqlType) legacyName() string {
	switch {
	case t.kind == float:
		return "REAL"
	case t.kind == varChar && t.length == 0:
		return "VARCHAR"
	case t.kind == timestamp:
		return "TIMESTAMP"
	case t.kind == decimal:
		return "DECIMAL"
	}
	return t.String()
}

// column is the type in a CREATE TABLE. A TIMESTAMP has no precision there, as in schema.json.
func (t sqlType) column() string {
	if t.kind == timestamp || t.kind == varChar {
		return t.legacyName()
	}
	return t.String()
}

func (t sqlType) isInteger() bool { return t.kind >= tinyInt && t.kind <= bigInt }
func (t sqlType) isNumber() bool  { return t.kind >= tinyInt && t.kind <= double }
func (t sqlType) isText() bool    { return t.kind == char || t.kind == varChar }
func (t sqlType) isDatetime() bool {
	return t.kind == date || t.kind == timeOfDay || t.kind == timestamp
}
func (t sqlType) isCertain() bool { return t.kind != unknown && t.kind != null }

// longest is a longest text of a value of each kind whose length does not depend on the type's.
var longest = map[kind]string{
	boolean: "FALSE", tinyInt: "-128", smallInt: "-32768", integer: "-2147483648", bigInt: "-9223372036854775808",
	float: "-1.17549435E-38", double: "-2.2250738585072014E-308", date: "2000-01-01", timeOfDay: "00:00:00.000",
}

// textLength is the longest text that a value may become, 0 if that is not certain.
func (t sqlType) textLength() int {
	switch {
	case t.kind == decimal && t.length > 0:
		return t.length + len("-0.")
	case t.isText():
		return t.length
	case t.kind == timestamp:
		return len("2000-01-01 00:00:00.") + t.length
	}
	return len(longest[t.kind])
}

// ofSchema is the type of schema.json's column in the source's view.
func ofSchema(c schema.Column) sqlType {
	t := c.Type
	k := map[schema.Kind]kind{schema.Integer: integer, schema.BigInt: bigInt, schema.Real: float, schema.Double: double,
		schema.Timestamp: timestamp, schema.Char: char, schema.VarChar: varChar, schema.Boolean: boolean,
		schema.Decimal: decimal, schema.Date: date}[t.Kind]
	typ := sqlType{k, t.Length, t.Scale}
	if k == timestamp {
		typ.length = c.TimePattern().Digits()
	}
	return typ
}

// legacyTypes are the legacy dialect's types without a size, and how many sizes each takes.
var legacyTypes = map[string]struct {
	typ   sqlType
	sizes int
}{
	"BOOLEAN":           {sqlType{kind: boolean}, 0},
	"TINYINT":           {sqlType{kind: tinyInt}, 0},
	"SMALLINT":          {sqlType{kind: smallInt}, 0},
	"INTEGER":           {sqlType{kind: integer}, 0},
	"INT":               {sqlType{kind: integer}, 0},
	"BIGINT":            {sqlType{kind: bigInt}, 0},
	"DECIMAL":           {sqlType{kind: decimal, length: maxDecimal}, 2},
	"DEC":               {sqlType{kind: decimal, length: maxDecimal}, 2},
	"NUMERIC":           {sqlType{kind: decimal, length: maxDecimal}, 2},
	"REAL":              {sqlType{kind: float}, 0},
	"DOUBLE":            {sqlType{kind: double}, 0},
	"DOUBLE PRECISION":  {sqlType{kind: double}, 0},
	"FLOAT":             {sqlType{kind: double}, 0},
	"CHAR":              {sqlType{kind: char, length: 1}, 1},
	"CHARACTER":         {sqlType{kind: char, length: 1}, 1},
	"VARCHAR":           {sqlType{kind: varChar}, 1},
	"CHARACTER VARYING": {sqlType{kind: varChar}, 1},
	"BINARY":            {sqlType{kind: varBinary}, 1},
	"VARBINARY":         {sqlType{kind: varBinary}, 1},
	"BINARY VARYING":    {sqlType{kind: varBinary}, 1},
	"DATE":              {sqlType{kind: date}, 0},
	"TIME":              {sqlType{kind: timeOfDay}, 1},
	"TIMESTAMP":         {timestampMillis, 1},
}

// legacyType is what the legacy dialect means by a type.
func legacyType(t TypeName) (sqlType, *Error) {
	fault := func(format string, args ...any) (sqlType, *Error) {
		return sqlType{}, &Error{Pos: t.Pos, Problem: fmt.Sprintf(format, args...)}
	}
	rule, known := legacyTypes[t.Name]
	typ := rule.typ
	switch {
	case t.Name == "INTERVAL":
		return fault("INTERVAL cannot be the type of a column: CAST it, as CAST((a - b) SECOND AS BIGINT)")
	case !known:
		return fault("SQL type %s is not supported", t.Name)
	case len(t.Args) > rule.sizes:
		return fault("SQL type %s takes no such length", t.Name)
	case len(t.Args) == 0 || typ.kind == varBinary || typ.kind == timeOfDay || typ.kind == timestamp:
		return typ, nil // a timestamp always has milliseconds
	}
	typ.length = t.Args[0]
	if typ.length == 0 || typ.kind == decimal && typ.length > 38 {
		return fault("SQL type %s cannot have a length of %d", t.Name, typ.length)
	}
	if len(t.Args) > 1 {
		if typ.scale = t.Args[1]; typ.scale > typ.length {
			return fault("SQL type %s cannot have a scale above its precision", t.Name)
		}
	}
	return typ, nil
}

// flinkType is what Flink means by a type, or the unknown type.
func flinkType(t TypeName) sqlType {
	switch t.Name {
	case "STRING":
		return sqlType{kind: varChar}
	case "FLOAT":
		return sqlType{kind: float}
	case "REAL", "INTERVAL", "BINARY", "VARBINARY":
		return sqlType{}
	}
	typ, err := legacyType(t)
	if err != nil {
		return sqlType{}
	}
	return typ
}

// numberType is the type of a number literal.
func numberType(text string) sqlType {
	whole, fraction, point := strings.Cut(text, ".")
	switch {
	case strings.ContainsAny(text, "eE"):
		return sqlType{kind: double}
	case point:
		return sqlType{decimal, min(len(whole)+len(fraction), 38), len(fraction)}
	}
	if _, err := strconv.ParseInt(text, 10, 32); err == nil {
		return sqlType{kind: integer}
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return sqlType{kind: bigInt}
	}
	return sqlType{decimal, min(len(text), 38), 0}
}

// common returns a type for values of both types. ok is false if there certainly is none.
func common(a, b sqlType) (t sqlType, ok bool) {
	switch {
	case a.kind == null:
		return b, true
	case b.kind == null || a == b:
		return a, true
	case a.kind == unknown || b.kind == unknown:
		return sqlType{}, true
	case a.isNumber() && b.isNumber():
		return commonNumber(a, b), true
	case a.isText() && b.isText():
		if a.length == 0 || b.length == 0 {
			return sqlType{kind: varChar}, true
		}
		return sqlType{kind: varChar, length: max(a.length, b.length)}, true
	case a.kind == timestamp && b.kind == timestamp:
		return sqlType{kind: timestamp, length: max(a.length, b.length)}, true
	case a.kind == b.kind:
		return a, true
	}
	return sqlType{}, false
}

// commonNumber returns the wider of two types. It is DOUBLE for a REAL and a DECIMAL.
func commonNumber(a, b sqlType) sqlType {
	if a.kind > b.kind {
		a, b = b, a
	}
	switch {
	case b.kind == float && a.kind == decimal:
		return sqlType{kind: double}
	case b.kind == decimal && a.kind == decimal:
		scale := max(a.scale, b.scale)
		return sqlType{decimal, min(max(a.length-a.scale, b.length-b.scale)+scale, 38), scale}
	case b.kind == decimal:
		// Enough digits for any integer.
		return sqlType{decimal, max(b.length, min(maxDecimal+b.scale, 38)), b.scale}
	}
	return b
}
