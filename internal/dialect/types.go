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
	unknown kind = iota // not certain: nothing is said about it
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

// A sqlType is a type. Length is that of a text, 0 where it has no bound; or the precision of a DECIMAL or TIMESTAMP.
type sqlType struct {
	kind   kind
	length int
	scale  int // of a DECIMAL; of an interval, how many milliseconds its unit has
}

// maxDecimal is the precision that the legacy dialect's numbers have.
const maxDecimal = 19

// String gives the type as Flink calls it.
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

// legacyName is the type as the legacy dialect calls it.
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

// column is the type as a CREATE TABLE has it. A TIMESTAMP there has no precision, as in schema.json.
func (t sqlType) column() string {
	switch {
	case t.kind == timestamp:
		return "TIMESTAMP"
	case t.kind == varChar && t.length == 0:
		return "VARCHAR"
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

// textLength is how many characters a value may have as text, 0 where that is not certain.
func (t sqlType) textLength() int {
	switch t.kind {
	case boolean:
		return len("FALSE")
	case tinyInt:
		return len("-128")
	case smallInt:
		return len("-32768")
	case integer:
		return len("-2147483648")
	case bigInt:
		return len("-9223372036854775808")
	case decimal:
		if t.length > 0 {
			return t.length + len("-0.")
		}
	case float:
		return len("-1.17549435E-38")
	case double:
		return len("-2.2250738585072014E-308")
	case char, varChar:
		return t.length
	case date:
		return len("2000-01-01")
	case timeOfDay:
		return len("00:00:00.000")
	case timestamp:
		return len("2000-01-01 00:00:00") + 1 + t.length
	}
	return 0
}

// ofSchema is the type that a column of schema.json has in the source's view.
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

// legacyType is what the legacy dialect means by a type.
func legacyType(t TypeName) (sqlType, *Error) {
	typ, sizes := sqlType{}, 0
	switch t.Name {
	case "BOOLEAN":
		typ.kind = boolean
	case "TINYINT":
		typ.kind = tinyInt
	case "SMALLINT":
		typ.kind = smallInt
	case "INTEGER", "INT":
		typ.kind = integer
	case "BIGINT":
		typ.kind = bigInt
	case "DECIMAL", "DEC", "NUMERIC":
		typ, sizes = sqlType{decimal, maxDecimal, 0}, 2
	case "REAL":
		typ.kind = float
	case "DOUBLE", "DOUBLE PRECISION", "FLOAT":
		typ.kind = double
	case "CHAR", "CHARACTER":
		typ, sizes = sqlType{kind: char, length: 1}, 1
	case "VARCHAR", "CHARACTER VARYING":
		typ, sizes = sqlType{kind: varChar}, 1
	case "BINARY", "VARBINARY", "BINARY VARYING":
		typ.kind, sizes = varBinary, 1
	case "DATE":
		typ.kind = date
	case "TIME":
		typ.kind, sizes = timeOfDay, 1
	case "TIMESTAMP":
		typ, sizes = sqlType{kind: timestamp, length: 3}, 1
		if len(t.Args) == 1 {
			return typ, nil // always milliseconds
		}
	case "INTERVAL":
		return typ, &Error{Pos: t.Pos, Problem: "INTERVAL is not a type of a value that is kept: CAST it, as CAST((a - b) SECOND AS BIGINT)"}
	default:
		return typ, &Error{Pos: t.Pos, Problem: fmt.Sprintf("SQL type %s is not supported", t.Name)}
	}
	if len(t.Args) > sizes {
		return typ, &Error{Pos: t.Pos, Problem: fmt.Sprintf("SQL type %s takes no such length", t.Name)}
	}
	if len(t.Args) > 0 && typ.kind != varBinary && typ.kind != timeOfDay {
		typ.length = t.Args[0]
		if typ.length == 0 || typ.kind == decimal && typ.length > 38 {
			return typ, &Error{Pos: t.Pos, Problem: fmt.Sprintf("SQL type %s cannot have a length of %d", t.Name, typ.length)}
		}
	}
	if len(t.Args) > 1 {
		if typ.scale = t.Args[1]; typ.scale > typ.length {
			return typ, &Error{Pos: t.Pos, Problem: fmt.Sprintf("SQL type %s cannot have a scale above its precision", t.Name)}
		}
	}
	return typ, nil
}

// flinkType is what Flink means by a type; unknown, where this package does not know it.
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

// numberType is the type of a number as it is written.
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

// common is the type that values of both can have; ok is false where there certainly is none.
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

// commonNumber is the wider of two, where a REAL and a DECIMAL make a DOUBLE.
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
		// As many digits as an integer may have.
		return sqlType{decimal, max(b.length, min(maxDecimal+b.scale, 38)), b.scale}
	}
	return b
}
