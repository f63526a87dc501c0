package terminal

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Table draws rows in a frame.
type Table struct{ w table.Writer }

// NewTable makes an empty table.
func NewTable() *Table {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Options.SeparateRows = false
	return &Table{w}
}

// Header sets the names of the columns, in capitals.
func (t *Table) Header(cells ...any) { t.w.AppendHeader(safe(cells)) }

// HeaderAsItIs sets the names of the columns, unchanged.
func (t *Table) HeaderAsItIs(cells ...any) {
	t.w.Style().Format.Header = text.FormatDefault
	t.Header(cells...)
}

// Row adds a row. Cells are numbers, Text, or anything else, which is escaped.
func (t *Table) Row(cells ...any) { t.w.AppendRow(safe(cells)) }

// Separator draws a line between two rows.
func (t *Table) Separator() { t.w.AppendSeparator() }

// Wrap breaks the cells of a column, counted from 1, into lines of a width.
func (t *Table) Wrap(column, width int) {
	t.w.SetColumnConfigs([]table.ColumnConfig{{Number: column, WidthMax: width, WidthMaxEnforcer: text.WrapSoft}})
}

// Text draws the table.
func (t *Table) Text() Text { return Text{t.w.Render()} }

func safe(cells []any) table.Row {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		switch cell := cell.(type) {
		case int, int64: // numbers are right-aligned
			row[i] = cell
		default:
			row[i] = Format("%v", cell).safe
		}
	}
	return row
}
