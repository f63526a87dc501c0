package dialect

import (
	"fmt"
	"strings"
)

// reserved are the words that Flink 1.20 accepts as names only in backticks.
var reserved = words(`
	ABS ALL ALLOCATE ALLOW ALTER AND ANY ARE ARRAY ARRAY_CONCAT_AGG ARRAY_MAX_CARDINALITY AS ASENSITIVE ASYMMETRIC AT ATOMIC
	AUTHORIZATION AVG BEGIN BEGIN_FRAME BEGIN_PARTITION BETWEEN BIGINT BINARY BIT BLOB BOOLEAN BOTH BUCKETS BY BYTES CALL CALLED
	CARDINALITY CASCADED CASE CAST CATALOGS CEIL CEILING CHAR CHARACTER CHARACTER_LENGTH CHAR_LENGTH CHECK CLASSIFIER CLOB CLOSE
	COALESCE COLLATE COLLECT COLUMN COMMENT COMMIT CONDITION CONNECT CONSTRAINT CONTAINS CONTINUOUS CONVERT CORR CORRESPONDING COUNT
	COVAR_POP COVAR_SAMP CREATE CROSS CUBE CUME_DIST CURRENT CURRENT_CATALOG CURRENT_DATE CURRENT_DEFAULT_TRANSFORM_GROUP
	CURRENT_PATH CURRENT_ROLE CURRENT_ROW CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_TRANSFORM_GROUP_FOR_TYPE
	CURRENT_USER CURSOR CYCLE DATABASES DATE DAY DEALLOCATE DEC DECIMAL DECLARE DEFAULT DEFINE DELETE DENSE_RANK DEREF DESCRIBE
	DETERMINISTIC DISALLOW DISCONNECT DISTINCT DISTRIBUTED DISTRIBUTION DOT DOUBLE DROP DYNAMIC EACH ELEMENT ELSE EMPTY END
	END_FRAME END_PARTITION EQUALS ESCAPE EVERY EXCEPT EXEC EXECUTE EXISTS EXP EXPLAIN EXTEND EXTENDED EXTERNAL EXTRACT FALSE FETCH
	FILTER FIRST_VALUE FLOAT FLOOR FOR FOREIGN FRAME_ROW FREE FRESHNESS FROM FULL FUNCTION FUNCTIONS FUSION GET GLOBAL GRANT GROUP
	GROUPING GROUPS GROUP_CONCAT HASH HAVING HOLD HOUR IDENTITY ILIKE IMPORT IN INCLUDE INDICATOR INITIAL INNER INOUT INSENSITIVE
	INSERT INT INTEGER INTERSECT INTERSECTION INTERVAL INTO IS JOIN JSON_ARRAY JSON_ARRAYAGG JSON_EXISTS JSON_OBJECT JSON_OBJECTAGG
	JSON_QUERY JSON_VALUE LAG LANGUAGE LARGE LAST_VALUE LATERAL LEAD LEADING LEFT LIKE LIKE_REGEX LIMIT LN LOCAL LOCALTIME
	LOCALTIMESTAMP LOWER MATCH MATCHES MATCH_NUMBER MATCH_RECOGNIZE MATERIALIZED MAX MEASURES MEMBER MERGE METHOD MIN MINUS MINUTE
	MOD MODEL MODELS MODIFIES MODIFY MODULE MODULES MONTH MULTISET NATIONAL NATURAL NCHAR NCLOB NEW NEXT NO NONE NORMALIZE NOT
	NTH_VALUE NTILE NULL NULLIF NUMERIC OCCURRENCES_REGEX OCTET_LENGTH OF OFFSET OLD OMIT ON ONE ONLY OPEN OR ORDER OUT OUTER OVER
	OVERLAPS OVERLAY PARAMETER PARTITION PATTERN PER PERCENT PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PERIOD PERMUTE PIVOT
	PORTION POSITION POSITION_REGEX POWER PRECEDES PRECISION PREPARE PREV PRIMARY PROCEDURE PROCEDURES RANGE RANK RAW READS REAL
	RECURSIVE REF REFERENCES REFERENCING REFRESH REFRESH_MODE REGR_AVGX REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2 REGR_SLOPE
	REGR_SXX REGR_SXY REGR_SYY RELEASE RENAME RESET RESULT RESUME RETURN RETURNS REVOKE RIGHT RLIKE ROLLBACK ROLLUP ROW ROWS
	ROW_NUMBER RUNNING SAVEPOINT SCALA SCOPE SCROLL SEARCH SECOND SEEK SELECT SENSITIVE SEPARATOR SESSION_USER SET SHOW SIMILAR
	SKIP SMALLINT SOME SPECIFIC SPECIFICTYPE SQL SQLEXCEPTION SQLSTATE SQLWARNING SQRT START STATEMENT STATIC STDDEV_POP STDDEV_SAMP
	STREAM STRING STRING_AGG SUBMULTISET SUBSET SUBSTRING SUBSTRING_REGEX SUCCEEDS SUM SUSPEND SYMMETRIC SYSTEM SYSTEM_TIME
	SYSTEM_USER TABLE TABLES TABLESAMPLE THEN TIME TIMESTAMP TIMESTAMP_LTZ TIMEZONE_HOUR TIMEZONE_MINUTE TINYINT TO TRAILING
	TRANSLATE TRANSLATE_REGEX TRANSLATION TREAT TRIGGER TRIM TRIM_ARRAY TRUE TRUNCATE UESCAPE UNION UNIQUE UNKNOWN UNNEST UNPIVOT
	UPDATE UPPER UPSERT USE USER USING VALUE VALUES VALUE_OF VARBINARY VARCHAR VARYING VAR_POP VAR_SAMP VERSIONING VIEWS WATERMARK
	WATERMARKS WHEN WHENEVER WHERE WIDTH_BUCKET WINDOW WITH WITHIN WITHOUT YEAR`)

// quote returns a name in Flink SQL, in backticks unless it is a plain word.
func quote(name string) string {
	plain := name != "" && !reserved[strings.ToUpper(name)] && !structural[strings.ToUpper(name)]
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		plain = plain && (letter || i > 0 && r >= '0' && r <= '9')
	}
	if plain {
		return name
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// lineLength is the longest line on which a list is kept together.
const lineLength = 100

// A printer writes syntax trees as Flink SQL.
type printer struct {
	b strings.Builder
	// unqualified omits the names before a column's.
	unqualified bool
}

func (p *printer) write(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

// Print returns an expression in Flink SQL.
func Print(x Expr) string {
	var p printer
	p.expr(x, levelOr)
	return p.b.String()
}

func printStatements(all []Statement) string {
	var p printer
	for i, s := range all {
		if i > 0 {
			p.write("\n")
		}
		for _, c := range s.base().Comments {
			// A legacy comment may look like a hint to Flink.
			p.write("%s\n", strings.Replace(c, "/*+", "/* +", 1))
		}
		p.statement(s)
		p.write(";\n")
	}
	return p.b.String()
}

func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *CreateTable:
		p.write("CREATE TABLE %s (", quote(s.Name.Name))
		for i, c := range s.Columns {
			p.write("%s\n  %s %s", comma(i, ","), quote(c.Name.Name), c.Type.Name)
			if c.NotNull {
				p.write(" NOT NULL")
			}
		}
		p.write("\n)")
	case *CreateView:
		p.write("CREATE TEMPORARY VIEW %s", quote(s.Name.Name))
		for i, id := range s.Columns {
			p.write("%s%s", [...]string{" (", ", "}[min(i, 1)], quote(id.Name))
		}
		if len(s.Columns) > 0 {
			p.write(")")
		}
		p.write(" AS\n")
		p.query(s.Query)
	case *Insert:
		p.write("INSERT INTO %s\n", quote(s.Into.Name))
		p.query(s.Query)
	}
}

func comma(i int, text string) string {
	if i == 0 {
		return ""
	}
	return text
}

func (p *printer) query(q Query) {
	switch q := q.(type) {
	case *Union:
		p.query(q.Left)
		p.write("\nUNION ALL\n")
		p.query(q.Right)
	case *Select:
		p.list("SELECT ", q.Items, func(i *Item) {
			if s, ok := i.X.(*Star); ok && s.Of != nil {
				p.write("%s.", quote(s.Of.Name))
			}
			p.expr(i.X, levelOr)
			if i.Alias != nil {
				p.write(" AS %s", quote(i.Alias.Name))
			}
		})
		p.write("\nFROM ")
		p.from(q.From)
		if q.Where != nil {
			p.write("\nWHERE ")
			p.expr(q.Where, levelOr)
		}
		if len(q.GroupBy) > 0 {
			items := make([]*Item, len(q.GroupBy))
			for i, x := range q.GroupBy {
				items[i] = &Item{X: x}
			}
			p.list("\nGROUP BY ", items, func(i *Item) { p.expr(i.X, levelOr) })
		}
		if q.Having != nil {
			p.write("\nHAVING ")
			p.expr(q.Having, levelOr)
		}
	}
}

// list writes items on one line, or each on its own if that line would be too long.
func (p *printer) list(before string, items []*Item, write func(*Item)) {
	start := p.b.Len()
	p.write("%s", before)
	for i, item := range items {
		p.write("%s", comma(i, ", "))
		write(item)
	}
	line := p.b.String()[start:]
	if len(line) <= lineLength && !strings.Contains(strings.TrimPrefix(line, "\n"), "\n") {
		return
	}
	all := p.b.String()[:start]
	p.b.Reset()
	p.write("%s%s", all, strings.TrimRight(before, " "))
	for i, item := range items {
		p.write("%s\n  ", comma(i, ","))
		write(item)
	}
}

func (p *printer) from(f *From) {
	switch {
	case f.Tumble != nil:
		p.write("TABLE(TUMBLE(TABLE %s, DESCRIPTOR(%s), ", quote(f.Table.Name), quote(f.Tumble.Time.Name))
		p.expr(f.Tumble.Size, levelOr)
		p.write("))")
	case f.Table != nil:
		p.write("%s", quote(f.Table.Name))
	default:
		var inner printer
		inner.query(f.Query)
		p.write("(\n  %s\n)", strings.ReplaceAll(inner.b.String(), "\n", "\n  "))
	}
	if f.Alias != nil {
		p.write(" AS %s", quote(f.Alias.Name))
	}
}

// level is how tightly an expression binds.
func level(x Expr) int {
	switch x := x.(type) {
	case *Binary:
		switch x.Op {
		case "IS DISTINCT FROM", "IS NOT DISTINCT FROM":
			return levelIs
		}
		for l, ops := range binaries {
			for _, op := range ops {
				if op == x.Op {
					return l
				}
			}
		}
		return levelOr
	case *Unary:
		if x.Op == "NOT" {
			return levelNot
		}
		return levelSign
	case *Predicate:
		if strings.HasPrefix(x.Op, "IS ") {
			return levelIs
		}
		return levelPredicate
	default:
		return levelPrimary
	}
}

// expr writes an expression, in parentheses if it binds less tightly than its place requires.
func (p *printer) expr(x Expr, least int) {
	if p.b.Len() > maxText {
		return // nested rewriting may repeat an operand exponentially
	}
	if level(x) < least {
		p.write("(")
		defer p.write(")")
	}
	switch x := x.(type) {
	case *Name:
		parts := x.Parts
		if p.unqualified {
			parts = parts[len(parts)-1:]
		}
		for i, part := range parts {
			p.write("%s%s", comma(i, "."), quote(part.Name))
		}
	case *Star:
		p.write("*")
	case *Literal:
		p.write("%s", x.Text)
	case *Interval:
		p.write("INTERVAL '%s' ", strings.ReplaceAll(x.Value, "'", "''"))
		p.unit(x.Unit)
	case *Unary:
		p.write("%s", x.Op)
		if x.Op == "NOT" {
			p.write(" ")
			p.expr(x.X, levelNot)
		} else {
			p.expr(x.X, levelPrimary) // -- would begin a comment
		}
	case *Binary:
		l := level(x)
		p.expr(x.Left, l)
		p.write(" %s ", x.Op)
		p.expr(x.Right, l+1)
	case *Predicate:
		p.predicate(x)
	case *Case:
		p.write("CASE")
		if x.Operand != nil {
			p.write(" ")
			p.expr(x.Operand, levelOr)
		}
		for _, w := range x.Whens {
			p.write(" WHEN ")
			p.expr(w.If, levelOr)
			p.write(" THEN ")
			p.expr(w.Then, levelOr)
		}
		if x.Else != nil {
			p.write(" ELSE ")
			p.expr(x.Else, levelOr)
		}
		p.write(" END")
	case *Cast:
		if x.Try {
			p.write("TRY_")
		}
		p.write("CAST(")
		p.expr(x.X, levelOr)
		p.write(" AS %s)", x.Type)
	case *Difference:
		p.write("(")
		p.expr(x.Left, levelSum)
		p.write(" - ")
		p.expr(x.Right, levelProduct)
		p.write(") ")
		p.unit(x.Unit)
	case *Call:
		p.call(x)
	}
}

func (p *printer) predicate(x *Predicate) {
	op := x.Op
	if what, is := strings.CutPrefix(op, "IS "); is {
		p.expr(x.Args[0], levelPredicate) // (a > b) IS TRUE reads better, though it needs no parentheses
		if x.Not {
			op = "IS NOT " + what
		}
		p.write(" %s", op)
		return
	}
	p.expr(x.Args[0], levelSum)
	if x.Not {
		op = "NOT " + op
	}
	p.write(" %s ", op)
	if x.Op == "IN" {
		p.write("(")
		p.args(x.Args[1:])
		p.write(")")
		return
	}
	between := " AND "
	if x.Op == "LIKE" || x.Op == "SIMILAR TO" {
		between = " ESCAPE "
	}
	for i, operand := range x.Args[1:] {
		p.write("%s", comma(i, between))
		p.expr(operand, levelSum)
	}
}

// String returns the type as written.
func (t TypeName) String() string {
	if len(t.Args) == 0 {
		return t.Name
	}
	sizes := make([]string, len(t.Args))
	for i, n := range t.Args {
		sizes[i] = fmt.Sprint(n)
	}
	return t.Name + "(" + strings.Join(sizes, ", ") + ")"
}

func (p *printer) unit(u IntervalUnit) {
	p.write("%s%s", u.From, u.FromArgs)
	if u.To != "" {
		p.write(" TO %s%s", u.To, u.ToDigits)
	}
}

func (p *printer) args(all []Expr) {
	for i, x := range all {
		p.write("%s", comma(i, ", "))
		p.expr(x, levelOr)
	}
}

// call writes a function call with the words between its arguments.
func (p *printer) call(c *Call) {
	p.write("%s", c.Name)
	if c.Bare {
		return
	}
	p.write("(")
	defer p.write(")")
	// between writes the arguments with these words before each.
	between := func(words ...string) {
		for i, x := range c.Args {
			p.write("%s", words[i])
			p.expr(x, levelSum)
		}
	}
	switch {
	case c.Star:
		p.write("*")
	case c.Name == "EXTRACT":
		between(c.Unit + " FROM ")
	case c.Name == "TIMESTAMPADD" || c.Name == "TIMESTAMPDIFF":
		p.write("%s, ", c.Unit)
		p.args(c.Args)
	case c.Name == "TRIM" && c.Unit != "":
		between(c.Unit+" ", " FROM ")
	case c.Unit != "":
		between("")
		p.write(" TO %s", c.Unit)
	case c.By:
		between("", " BY ")
	case c.Name == "POSITION":
		between("", " IN ")
	case c.Name == "OVERLAY":
		between("", " PLACING ", " FROM ", " FOR ")
	case c.Name == "SUBSTRING":
		between("", " FROM ", " FOR ")
	default:
		if c.Distinct {
			p.write("DISTINCT ")
		}
		p.args(c.Args)
	}
}
