package query

import "unicode"

// An Expr is a checked expression over the columns of a record, as package engine computes it.
type Expr struct {
	// Op is an operator, in symbols or upper case, or one of package engine's functions, in lower case. A function
	// computes all of its arguments, and may find that its result is not certain.
	Op   string
	Args []*Expr
	// Column is which column of the source a Column is, from 0.
	Column int
	// Value is that of a Literal: int64 (0 and 1 for BOOLEAN), float64, string, or nil for NULL.
	Value any

	size   int  // how many parts it has
	mayErr bool // whether it has a function
}

// Operators of an Expr that has no arguments.
const (
	Column  = "COLUMN"
	Literal = "LITERAL"
)

func apply(op string, args ...*Expr) *Expr {
	x := &Expr{Op: op, Args: args, size: 1, mayErr: unicode.IsLower(rune(op[0]))}
	for _, a := range args {
		x.size += a.size
		x.mayErr = x.mayErr || a.mayErr
	}
	return x
}

func constant(value any) *Expr { return &Expr{Op: Literal, Value: value, size: 1} }
