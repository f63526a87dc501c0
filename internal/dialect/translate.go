package dialect

import (
	"fmt"
	"slices"
	"strings"

	"streamproof/internal/schema"
)

// Translate returns a text in Flink SQL 1.20: Flink SQL as it is, without a byte order mark, or the legacy dialect
// rewritten. The error is of type Errors and has all faults that were found.
//
// Legacy in-application streams that no query reads become one CREATE TABLE with one INSERT, so they must have the same
// columns: a stack has one delivery stream. A stream that is read becomes a view; if its name begins with DESTINATION,
// it becomes both. The source is read by its name or, if a query reads a column of Metadata, by that name with
// MetadataSuffix.
func Translate(text string, schema schema.Schema) (string, error) {
	script, err := Parse(text)
	if err != nil {
		return "", err
	}
	return script.Translate(text, schema)
}

// Translate translates the script, which was parsed from text.
func (s *Script) Translate(text string, schema schema.Schema) (string, error) {
	if s.Dialect == Flink {
		if err := checkFlink(s, schema).faults.sorted(); err != nil {
			return "", err
		}
		return strings.TrimLeft(text, byteOrderMark), nil
	}
	t := &translator{schema: schema, source: sourceRelation(schema), streams: map[string]*stream{}, names: map[string]bool{}}
	t.declare(s.Statements)
	t.emit()
	if err := t.faults.sorted(); err != nil {
		return "", err
	}
	out := printStatements(t.out)
	if len(out) > maxText {
		return "", Errors{{Pos: s.Statements[0].Start(), Problem: "its translation is too long"}}
	}
	for _, c := range s.comments {
		out += c + "\n"
	}
	return out, nil
}

// Warnings returns what may stop the job at some record though Flink accepts it. The translation of the legacy dialect
// avoids all of it.
func (s *Script) Warnings(schema schema.Schema) Errors {
	if s.Dialect == Legacy {
		return nil
	}
	return Faults(checkFlink(s, schema).warnings.sorted())
}

// destinationPrefix begins the names that the service's console gave to destinations.
const destinationPrefix = "DESTINATION"

type stream struct {
	created *CreateStream
	columns []relColumn
	pumps   []*CreatePump
	// read reports whether a query reads it; delivered, whether its rows leave the application.
	read, delivered bool
	// view is the relation that queries read. It is nil until it is written.
	view    *relation
	viewing bool
}

type translator struct {
	schema  schema.Schema
	source  *relation
	streams map[string]*stream
	order   []*stream
	pumps   []*CreatePump
	// names are taken in Flink.
	names map[string]bool
	timed map[string]Ident // the views with processing time, by what they read
	// several reports whether more than one SELECT delivers rows.
	several bool
	out     []Statement
	faults  Errors
}

// declare collects streams and pumps, in any order.
func (t *translator) declare(all []Statement) {
	t.names[t.schema.Source], t.names[t.schema.Source+MetadataSuffix], t.names[errorStream] = true, true, true
	for _, s := range all {
		if c, ok := s.(*CreateStream); ok {
			t.createStream(c)
		}
	}
	stopped := map[string]bool{}
	for _, s := range all {
		switch s := s.(type) {
		case *CreatePump:
			if _, ok := stopped[s.Name.Name]; ok {
				t.faults.add(s.Name.Pos, "there are two pumps %q", s.Name.Name)
				continue
			}
			stopped[s.Name.Name] = s.Stopped
			t.pumps = append(t.pumps, s)
		case *AlterPump:
			for _, name := range s.Names {
				if _, ok := stopped[name.Name]; !ok {
					t.faults.add(name.Pos, "there is no pump %q before this", name.Name)
				}
				stopped[name.Name] = s.Stop
			}
			if s.All {
				for name := range stopped {
					stopped[name] = s.Stop
				}
			}
		}
	}
	for _, p := range t.pumps {
		into := p.Insert.Into
		s := t.streams[into.Name]
		switch {
		case stopped[p.Name.Name]:
			t.faults.add(p.Pos, "the pump %q is stopped and inserts nothing: remove the pump, or STOPPED", p.Name.Name)
		case into.Name == t.schema.Source:
			t.faults.add(into.Pos, "%q is the source: nothing can be inserted into it", into.Name)
		case s == nil:
			t.faults.add(into.Pos, "%s", t.noStream(into))
		default:
			s.pumps = append(s.pumps, p)
		}
		t.reads(p.Insert.Query)
	}
	selected := 0
	for _, s := range t.order {
		s.delivered = !s.read || strings.HasPrefix(s.created.Name.Name, destinationPrefix)
		if len(s.pumps) == 0 && len(t.faults) == 0 {
			t.faults.add(s.created.Name.Pos, "nothing is inserted into %q: remove it, or CREATE a PUMP", s.created.Name.Name)
		}
		for _, p := range s.pumps {
			if s.delivered {
				selected += len(Selects(p.Insert.Query))
			}
		}
	}
	t.several = selected > 1
}

func (t *translator) createStream(c *CreateStream) {
	name := c.Name.Name
	if t.streams[name] != nil || name == t.schema.Source || strings.EqualFold(name, errorStream) {
		t.faults.add(c.Name.Pos, "there is a stream %q already", name)
		return
	}
	s := &stream{created: c}
	taken := map[string]bool{}
	for _, col := range c.Columns {
		typ, err := legacyType(col.Type)
		if err != nil {
			t.faults = append(t.faults, err)
		}
		if taken[col.Name.Name] {
			t.faults.add(col.Name.Pos, "two columns are called %q", col.Name.Name)
		}
		taken[col.Name.Name] = true
		s.columns = append(s.columns, relColumn{col.Name.Name, typ})
	}
	t.streams[name], t.names[name] = s, true
	t.order = append(t.order, s)
}

// reads marks the streams that a query reads.
func (t *translator) reads(q Query) {
	for _, sel := range Selects(q) {
		if sel.From.Query != nil {
			t.reads(sel.From.Query)
		} else if s := t.streams[sel.From.Table.Name]; s != nil {
			s.read = true
		}
	}
}

// noStream is the message for an unknown stream. It names one that may be meant.
func (t *translator) noStream(id Ident) string {
	for name := range t.names {
		if strings.EqualFold(name, id.Name) {
			return fmt.Sprintf("there is no stream %q, but %q: a quoted name keeps its case, any other is read in upper case", id.Name, name)
		}
	}
	return fmt.Sprintf("there is no stream %q (the source is %q); reference data tables are not carried over", id.Name, t.schema.Source)
}

// emit writes the table and the views in the order of the text, but each view before those that read it.
func (t *translator) emit() {
	var delivered []*stream
	for _, s := range t.order {
		if s.delivered {
			t.table(s, delivered)
			delivered = append(delivered, s)
		}
		if s.read {
			t.view(s)
		}
	}
	insert := &Insert{}
	for i, s := range delivered {
		if len(s.pumps) == 0 {
			continue
		}
		if i > 0 {
			insert.Comments = append(insert.Comments, s.created.Comments...)
		}
		var rows Query
		if s.view != nil { // it is also read
			all := &Select{From: &From{Table: &Ident{Name: s.view.name}}}
			for _, c := range s.columns {
				all.Items = append(all.Items, &Item{X: column(c.name)})
			}
			rows = all
		} else {
			rows = t.into(s)
			insert.Comments = append(insert.Comments, comments(s.pumps)...)
		}
		insert.Query = unionAll(insert.Query, rows)
	}
	if insert.Query != nil {
		insert.Into = Ident{Name: delivered[0].created.Name.Name}
		t.out = append(t.out, insert)
	}
}

// unionAll returns the rows of both queries; left may be nil.
func unionAll(left, right Query) Query {
	if left == nil {
		return right
	}
	return &Union{Left: left, Right: right}
}

func comments(pumps []*CreatePump) []string {
	var all []string
	for _, p := range pumps {
		all = append(all, p.Comments...)
	}
	return all
}

// table writes the CREATE TABLE of the first destination. The others share it.
func (t *translator) table(s *stream, before []*stream) {
	c := &CreateTable{Name: s.created.Name}
	c.Comments = s.created.Comments
	for i, col := range s.created.Columns {
		typ := s.columns[i].typ
		if err := undeliverable(typ); err != "" {
			t.faults.add(col.Type.Pos, "column %q: %s", col.Name.Name, err)
		}
		c.Columns = append(c.Columns, &Column{Name: col.Name, Type: TypeName{Name: typ.column()}, NotNull: col.NotNull})
	}
	if len(before) > 0 {
		t.sameColumns(before[0], s)
		return
	}
	t.out = append(t.out, c)
}

// sameColumns reports the first column in which a destination differs from the first one.
func (t *translator) sameColumns(first, s *stream) {
	is, was := s.describe(), first.describe()
	i, both := 0, min(len(is), len(was))
	for i < both && is[i] == was[i] {
		i++
	}
	at, what := s.created.Name.Pos, fmt.Sprintf("%d columns, and %q has %d", len(is), first.created.Name.Name, len(was))
	switch {
	case i < both:
		at = s.created.Columns[i].Name.Pos
		what = fmt.Sprintf("the column %s where %q has %s", is[i], first.created.Name.Name, was[i])
	case len(is) == len(was):
		return
	}
	advice := "give both the same columns, with one that tells them apart, or deploy a stack for each"
	if first.read || s.read {
		advice += "; if one is only to be read, its name must not begin with " + destinationPrefix
	}
	t.faults.add(at, "the destination %q has %s: all rows of a stack's one delivery stream have the same columns: %s",
		s.created.Name.Name, what, advice)
}

// describe returns the columns as text.
func (s *stream) describe() []string {
	var all []string
	for i, c := range s.columns {
		text := fmt.Sprintf("%q %s", c.name, c.typ.legacyName())
		if s.created.Columns[i].NotNull {
			text += " NOT NULL"
		}
		all = append(all, text)
	}
	return all
}

// undeliverable returns why the output cannot have a column of a type, or nothing if it can.
func undeliverable(t sqlType) string {
	switch t.kind {
	case decimal:
		return "DECIMAL cannot be delivered: Flink turns values that do not fit into NULL: use DOUBLE, or VARCHAR and CAST"
	case timeOfDay:
		return "TIME cannot be delivered: use VARCHAR and CAST, or TIMESTAMP"
	}
	return ""
}

// view returns the view of a stream that is read. It writes it at the first call.
func (t *translator) view(s *stream) *relation {
	if s.view != nil {
		return s.view
	}
	name := s.created.Name.Name
	if s.viewing {
		t.faults.add(s.created.Name.Pos, "%q is inserted into itself, by itself or through other streams", name)
		return &relation{name: name, columns: s.columns}
	}
	s.viewing = true
	v := &CreateView{Name: Ident{Name: name}}
	if s.delivered {
		v.Name.Name = t.unused(name + "_ROWS")
	} else {
		v.Comments = s.created.Comments
	}
	for _, c := range s.columns {
		v.Columns = append(v.Columns, Ident{Name: c.name})
	}
	v.Query = t.into(s)
	v.Comments = append(v.Comments, comments(s.pumps)...)
	t.out = append(t.out, v)
	s.view = &relation{name: v.Name.Name, columns: s.columns}
	return s.view
}

// unused returns a name that is not taken.
func (t *translator) unused(name string) string {
	for t.names[name] {
		name += "_"
	}
	t.names[name] = true
	return name
}

// into returns what all pumps insert into a stream, as one query.
func (t *translator) into(s *stream) Query {
	var all Query
	for _, p := range s.pumps {
		places := t.places(s, p.Insert)
		q := t.branches(p.Insert.Query, func(sel *Select) Query { return t.insertion(sel, s, places) })
		all = unionAll(all, q)
	}
	return all
}

// branches rewrites each SELECT of a UNION ALL.
func (t *translator) branches(q Query, rewrite func(*Select) Query) Query {
	if u, ok := q.(*Union); ok {
		return &Union{Left: t.branches(u.Left, rewrite), Right: t.branches(u.Right, rewrite)}
	}
	return rewrite(q.(*Select))
}

// places returns the index of the stream's column for each column of an INSERT, or nil after a fault.
func (t *translator) places(s *stream, insert *Insert) []int {
	var places []int
	if len(insert.Columns) == 0 {
		for i := range s.columns {
			places = append(places, i)
		}
		return places
	}
	for _, id := range insert.Columns {
		at := slices.IndexFunc(s.columns, func(c relColumn) bool { return c.name == id.Name })
		switch {
		case at < 0:
			t.faults.add(id.Pos, "%s", noColumn(s.created.Name.Name, id, s.columns))
			return nil
		case slices.Contains(places, at):
			t.faults.add(id.Pos, "column %q is inserted twice", id.Name)
			return nil
		}
		places = append(places, at)
	}
	return places
}

// noColumn is the message for an unknown column. It names one that may be meant.
func noColumn(of string, id Ident, columns []relColumn) string {
	for _, c := range columns {
		if strings.EqualFold(c.name, id.Name) {
			return fmt.Sprintf("%s has no column %s, but %s: write it as %q", of, id.Name, c.name, c.name)
		}
	}
	return fmt.Sprintf("%s has no column %s", of, id.Name)
}

// singleQuotes is the remedy for a text in double quotes.
func singleQuotes(text string) string {
	return fmt.Sprintf("if it is a text, write it in single quotes: %s", textLiteral(text).Text)
}

// insertion rewrites a SELECT so that it has the columns of the stream.
func (t *translator) insertion(q *Select, s *stream, places []int) Query {
	faults := len(t.faults)
	sel, columns := t.selection(q)
	if places == nil || len(t.faults) > faults {
		return sel
	}
	if len(columns) != len(places) {
		t.faults.add(q.Pos, "%d columns are selected for %d of %q", len(columns), len(places), s.created.Name.Name)
		return sel
	}
	items := make([]*Item, len(s.columns))
	for i, at := range places {
		to := s.columns[at]
		item := sel.Items[i]
		x, problem := assign(item.X, columns[i].typ, to.typ)
		// Flink would give a view's column the type of what is selected, and a UNION ALL's a type by its own rules.
		if (s.read || t.several) && isImplicit(columns[i].typ, to.typ) {
			x = tryCast(x, to.typ.String())
		}
		if problem != "" {
			t.faults.add(columns[i].pos, "column %q: %s", to.name, problem)
		}
		items[at] = &Item{X: x, Alias: item.Alias}
	}
	for i, item := range items {
		if item == nil {
			items[i] = &Item{X: tryCast(nullLiteral(), s.columns[i].typ.String())}
		}
	}
	sel.Items = items
	return sel
}

type outColumn struct {
	relColumn
	pos Position
}

// subquery rewrites a query that another one reads, and returns its columns.
func (t *translator) subquery(q Query) (Query, []relColumn) {
	var columns []relColumn
	out := t.branches(q, func(s *Select) Query {
		sel, cols := t.selection(s)
		first := columns == nil
		if !first && len(cols) != len(columns) {
			t.faults.add(s.Pos, "%d columns are selected, and %d by the SELECT before", len(cols), len(columns))
			return sel
		}
		for i, c := range cols {
			if first {
				columns = append(columns, c.relColumn)
			} else if typ, ok := common(columns[i].typ, c.typ); ok {
				columns[i].typ = typ
			} else {
				t.faults.add(c.pos, "a column of %s in UNION ALL with one of %s", c.typ.legacyName(), columns[i].typ.legacyName())
			}
			// The name is written unless it is the column's own.
			if n, ok := sel.Items[i].X.(*Name); !ok || n.Parts[0].Name != c.name {
				sel.Items[i].Alias = &Ident{Name: c.name}
			}
		}
		return sel
	})
	return out, columns
}

// selection rewrites a SELECT and returns its columns.
func (t *translator) selection(q *Select) (*Select, []outColumn) {
	sel := &Select{}
	b := &binder{translator: t}
	b.from(q, sel)
	if b.relation == nil {
		return sel, nil
	}
	if q.Distinct {
		b.refuse(q.DistinctPos, "SELECT DISTINCT")
	}
	if q.Where != nil {
		sel.Where = b.condition(q.Where)
	}
	b.group(q, sel)
	var columns []outColumn
	for _, item := range q.Items {
		if star, ok := item.X.(*Star); ok {
			columns = append(columns, b.star(star, sel)...)
			continue
		}
		x, typ := b.bind(item.X)
		out := &Item{X: x}
		name := fmt.Sprintf("EXPR$%d", len(columns))
		if n, ok := item.X.(*Name); ok {
			name = n.last().Name
		}
		if item.Alias != nil {
			if name = item.Alias.Name; name == rowTime {
				t.faults.add(item.Alias.Pos, "a row's ROWTIME cannot be set, since Flink uses processing time: rename the column")
			}
			out.Alias = &Ident{Name: name}
		}
		sel.Items = append(sel.Items, out)
		columns = append(columns, outColumn{relColumn{name, typ}, item.X.Start()})
	}
	if q.Having != nil {
		if !b.grouped {
			t.faults.add(q.Having.Start(), "HAVING without GROUP BY")
		} else {
			sel.Having = b.condition(q.Having)
		}
	}
	b.tumble(sel)
	return sel, columns
}
