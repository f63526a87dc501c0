package dialect

// A Script is a list of statements, all in one dialect.
type Script struct {
	Dialect    Dialect
	Statements []Statement
	// comments follow the last statement.
	comments []string
}

// A Statement is one of *CreateStream, *CreatePump, *AlterPump, *CreateTable, *CreateView, *Insert and *Opaque.
type Statement interface {
	Start() Position
	base() *statement
}

// statement is what all statements have in common.
type statement struct {
	Pos Position
	// Text is the statement as written, without the semicolon.
	Text string
	// Comments precede it.
	Comments []string

	tokens []token // with the end
}

func (s *statement) Start() Position  { return s.Pos }
func (s *statement) base() *statement { return s }

// begins reports whether these keywords are the statement's first.
func (s *statement) begins(words ...string) bool {
	p := parser{tokens: s.tokens}
	return p.take(words...)
}

// A CreateStream is the legacy dialect's CREATE STREAM, for an in-application stream.
type CreateStream struct {
	statement
	Name    Ident
	Columns []*Column
}

// A CreatePump is the legacy dialect's CREATE PUMP … AS INSERT INTO ….
type CreatePump struct {
	statement
	Name    Ident
	Stopped bool
	Insert  *Insert
}

// An AlterPump is the legacy dialect's ALTER PUMP … START or STOP, for the named pumps or for All.
type AlterPump struct {
	statement
	Names []Ident
	All   bool
	Stop  bool
}

// A CreateTable is Flink's CREATE TABLE with nothing but columns.
type CreateTable struct {
	statement
	Name    Ident
	Columns []*Column
}

// A Column is one of a CREATE STREAM or CREATE TABLE.
type Column struct {
	Name       Ident
	Type       TypeName
	NotNull    bool
	NotNullPos Position
}

// A CreateView is Flink's CREATE VIEW.
type CreateView struct {
	statement
	Name    Ident
	Columns []Ident // may be none
	Query   Query
}

// An Insert is INSERT INTO … SELECT ….
type Insert struct {
	statement
	Into    Ident
	Columns []Ident // may be none
	Query   Query
}

// An Opaque is a Flink SQL statement that goes beyond this package's grammar. Err is why it could not be parsed.
type Opaque struct {
	statement
	Err *Error
}

// IsTable reports whether it is a CREATE TABLE.
func (o *Opaque) IsTable() bool { return o.begins("CREATE", "TABLE") }

// A Query is a *Select or a *Union.
type Query interface{ isQuery() }

// A Select is SELECT … FROM ….
type Select struct {
	Pos         Position
	Distinct    bool
	DistinctPos Position
	Items       []*Item
	From        *From
	Where       Expr // nil without
	GroupBy     []Expr
	GroupPos    Position
	Having      Expr
}

// An Item is one of a SELECT.
type Item struct {
	X     Expr // may be a *Star
	Alias *Ident
}

// A From is what a query reads: a table or another query. If Tumble is set, it reads the table through that function.
type From struct {
	Pos   Position
	Table *Ident
	Query Query
	Alias *Ident
	// Tumble has the other arguments of Flink's TUMBLE(TABLE …, DESCRIPTOR(…), …).
	Tumble *Tumble
}

// Tumble has the arguments of Flink's window function TUMBLE.
type Tumble struct {
	Time Ident
	Size Expr
}

// A Union is UNION ALL.
type Union struct{ Left, Right Query }

func (s *Select) isQuery() {}
func (u *Union) isQuery()  {}

// An Ident is a name. The legacy dialect reads an unquoted name in upper case, and so Name has it.
type Ident struct {
	Name   string
	Pos    Position
	Quoted bool
}

// A TypeName is a type as written, in upper case: DECIMAL with Args 10 and 2.
type TypeName struct {
	Pos  Position
	Name string
	Args []int
}

// An Expr is one of the types below.
type Expr interface{ Start() Position }

type place struct{ Pos Position }

func (p place) Start() Position { return p.Pos }

type (
	// A Name is a column, with any names that stand before it.
	Name struct {
		place
		Parts []Ident
	}
	// A Star is * or name.*.
	Star struct {
		place
		Of *Ident
	}
	// A Literal is a constant. Text is its SQL; Value is what stands between its quotes, or the number.
	Literal struct {
		place
		Kind        LiteralKind
		Text, Value string
	}
	// An Interval is INTERVAL '1' MINUTE. Value may have a sign.
	Interval struct {
		place
		Value string
		Unit  IntervalUnit
	}
	// A Unary is an operator before its operand: + - NOT.
	Unary struct {
		place
		Op string
		X  Expr
	}
	// A Binary is an operator between its operands: OR AND = <> < > <= >= IS [NOT] DISTINCT FROM + - * / % ||.
	Binary struct {
		place
		Op          string
		OpPos       Position
		Left, Right Expr
	}
	// A Predicate is Args[0] [NOT] Op and the other Args. Op is IS NULL, IS TRUE, IS FALSE or IS UNKNOWN, where NOT is
	// its second word, BETWEEN or BETWEEN SYMMETRIC, IN, LIKE or SIMILAR TO. A third of LIKE's Args is that of ESCAPE.
	Predicate struct {
		place
		Op    string
		OpPos Position
		Not   bool
		Args  []Expr
	}
	// A Case is both forms of CASE.
	Case struct {
		place
		Operand Expr // nil without
		Whens   []When
		Else    Expr // nil without
	}
	// A Cast is CAST, or TRY_CAST.
	Cast struct {
		place
		Try  bool
		X    Expr
		Type TypeName
	}
	// A Difference is (Left - Right) Unit.
	Difference struct {
		place
		Left, Right Expr
		Unit        IntervalUnit
	}
	// A Call is a function call; Name is in upper case. Unit is the word in EXTRACT(Unit FROM x), FLOOR(x TO Unit),
	// TRIM(Unit x FROM y) and TIMESTAMPADD(Unit, x, y).
	Call struct {
		place
		Name      string
		Bare      bool // without parentheses, as CURRENT_DATE
		Distinct  bool
		Star      bool // COUNT(*)
		Unit      string
		By        bool // STEP(x BY y)
		Args      []Expr
		Qualified bool // the name has others before it
	}
)

func (n *Name) last() Ident { return n.Parts[len(n.Parts)-1] }

// A When is WHEN … THEN ….
type When struct{ If, Then Expr }

// A LiteralKind is the kind of a literal.
type LiteralKind int

// The kinds of literals.
const (
	NumberLiteral LiteralKind = iota
	TextLiteral
	BinaryLiteral
	BooleanLiteral
	NullLiteral
	DateLiteral
	TimeLiteral
	TimestampLiteral
)

// An IntervalUnit is DAY, or DAY TO HOUR, each with its precision if one is written.
type IntervalUnit struct {
	From, To           string
	FromArgs, ToDigits string
}
