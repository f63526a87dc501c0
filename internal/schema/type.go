package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Kind is a SQL type without its length.
type Kind string

// The kinds that a record or a result may have. Real is a 32-bit float, Double a 64-bit one. A result has no Decimal:
// see docs/decisions/0010.
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

// synonyms are other names of a kind in Flink SQL and in Kinesis Data Analytics for SQL.
var synonyms = map[string]Kind{
	"INT": Integer, "FLOAT": Real, "DOUBLE PRECISION": Double, "STRING": VarChar, "NUMERIC": Decimal, "DEC": Decimal,
}

// MaxPrecision is the most digits that a DECIMAL has.
const MaxPrecision = 38

// A Type is a SQL type. Length is the n of CHAR(n) and VARCHAR(n), in characters, 0 if unbounded, or the p of
// DECIMAL(p,s), whose s is Scale.
type Type struct {
	Kind          Kind
	Length, Scale int
}

var typeSyntax = regexp.MustCompile(`^([A-Z]+(?: [A-Z]+)*)(?:\(([1-9][0-9]{0,8})(?:, ?([0-9]{1,2}))?\))?$`)

// ParseType reads a SQL type such as INTEGER, REAL, CHAR(1) or DECIMAL(10,2).
func ParseType(text string) (Type, error) {
	m := typeSyntax.FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return Type{}, fmt.Errorf("%q is not a SQL type", text)
	}
	kind := cmp.Or(synonyms[m[1]], Kind(m[1]))
	length, _ := strconv.Atoi(m[2])
	scale, _ := strconv.Atoi(m[3])
	switch kind {
	case Decimal:
		if m[2] == "" {
			length = 10 // as in Flink
		}
		if length > MaxPrecision || scale > length {
			return Type{}, fmt.Errorf("SQL type %s: a DECIMAL has at most %d digits, its scale included", text, MaxPrecision)
		}
		return Type{Kind: kind, Length: length, Scale: scale}, nil
	case Integer, BigInt, Real, Double, Timestamp, Date, Boolean:
		if m[2] != "" {
			return Type{}, fmt.Errorf("SQL type %s takes no length", m[1])
		}
	case Char, VarChar:
	default:
		return Type{}, fmt.Errorf("SQL type %s is not supported", text)
	}
	if m[3] != "" {
		return Type{}, fmt.Errorf("SQL type %s takes no scale", m[1])
	}
	return Type{Kind: kind, Length: length}, nil
}

// String returns the type as SQL.
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
