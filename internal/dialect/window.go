package dialect

import (
	"strconv"
	"time"
)

// windowForms are the expressions that make a window in GROUP BY.
const windowForms = "FLOOR(ROWTIME TO MINUTE), STEP(ROWTIME BY INTERVAL '10' SECOND) and " +
	"FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)"

// A window is a tumbling window over ROWTIME. It has no seconds if its size was reported as wrong.
type window struct {
	seconds int
	size    *Interval // as Flink accepts it
}

func newWindow(n int, unit string) *window {
	i := &Interval{Value: strconv.Itoa(n), Unit: IntervalUnit{From: unit}}
	size := precise(i)
	if seconds(i) == 0 || size == nil {
		return nil
	}
	return &window{seconds(i), size}
}

// windowStart returns the window whose start an expression is, or nil.
func (b *binder) windowStart(x Expr) *window {
	if c, ok := x.(*Call); ok && len(c.Args) > 0 && b.isRowTime(c.Args[0]) {
		switch {
		case c.Name == "FLOOR" && unitSeconds[c.Unit] > 0:
			return newWindow(1, c.Unit)
		case c.Name == "STEP" && c.By:
			if i, ok := c.Args[1].(*Interval); ok && seconds(i) > 0 {
				if size := precise(i); size != nil {
					return &window{seconds(i), size}
				}
			}
		}
		return nil
	}
	if s := stepOf(x); s != nil && b.isRowTime(s.of) {
		return newWindow(s.n, s.unit)
	}
	return nil
}

// windowNumber returns the window that an expression numbers since 1970, or nil.
func (b *binder) windowNumber(x Expr) *window {
	if s := countOf(x); s != nil && b.isRowTime(s.of) {
		return newWindow(s.n, s.unit)
	}
	return nil
}

// windowOf returns the window of an expression in GROUP BY. ok reports whether the expression is meant to be a window.
func (b *binder) windowOf(x Expr) (w *window, ok bool) {
	if w = b.windowStart(x); w == nil {
		w = b.windowNumber(x)
	}
	if w != nil {
		return w, true
	}
	c, isCall := x.(*Call)
	switch {
	case b.isRowTime(x):
		b.fault(x.Start(), "ROWTIME alone is not a window: write FLOOR(ROWTIME TO MINUTE), or STEP(ROWTIME BY INTERVAL '10' SECOND)")
	case isCall && len(c.Args) > 0 && b.isRowTime(c.Args[0]):
		switch {
		case c.Name == "FLOOR" && c.Unit != "":
			b.fault(c.Pos, "TUMBLE needs a fixed size; a %s varies: use days", c.Unit)
		case c.Name == "STEP" && c.By:
			b.fault(c.Args[1].Start(), "the size of a window has to be an INTERVAL of whole SECONDs, MINUTEs, HOURs or DAYs, "+
				"shorter than 1000 days")
		default:
			b.fault(c.Pos, "GROUP BY takes ROWTIME only in %s", windowForms)
		}
	case b.isDifferenceOfRowTime(x):
		b.fault(x.Start(), "GROUP BY takes ROWTIME only in %s: divide by a whole number, give the difference no longer a unit than "+
			"FLOOR, and use a TIMESTAMP at which a window starts", windowForms)
	default:
		return nil, false
	}
	return &window{}, true
}

// isDifferenceOfRowTime reports whether an expression contains (ROWTIME - x) SECOND.
func (b *binder) isDifferenceOfRowTime(x Expr) bool {
	found := false
	walk(x, func(x Expr) {
		d, ok := x.(*Difference)
		found = found || ok && b.isRowTime(d.Left)
	})
	return found
}

// stepping is a time rounded down to a multiple of a unit since an origin, at which a unit starts.
type stepping struct {
	of     Expr
	n      int
	unit   string
	origin string // as written
}

// countOf reads FLOOR((time - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND), which counts units of 10
// seconds: the legacy service's own template of a tumbling window. It returns nil for anything else.
func countOf(x Expr) *stepping {
	c, ok := x.(*Call)
	if !ok || c.Name != "FLOOR" || unitSeconds[c.Unit] == 0 || len(c.Args) != 1 {
		return nil
	}
	n, dividend := 1, c.Args[0]
	if by, ok := dividend.(*Binary); ok && by.Op == "/" {
		if n, ok = literalNumber(by.Right); !ok || n < 1 {
			return nil
		}
		dividend = by.Left
	}
	d, ok := dividend.(*Difference)
	if !ok {
		return nil
	}
	finest := d.Unit.From
	if d.Unit.To != "" {
		finest = d.Unit.To
	}
	origin, ok := d.Right.(*Literal)
	if !ok || origin.Kind != TimestampLiteral || unitSeconds[finest] == 0 || unitSeconds[finest] > unitSeconds[c.Unit] {
		return nil
	}
	at, err := time.Parse("2006-01-02 15:04:05", origin.Value)
	size := int64(n) * int64(unitSeconds[c.Unit])
	if err != nil || size > maxInterval || at.UnixNano()%(size*int64(time.Second)) != 0 {
		return nil
	}
	return &stepping{d.Left, n, c.Unit, origin.Value}
}

// stepOf reads countOf's count turned back into a time: count * 10 + TIMESTAMP '1970-01-01 00:00:00'. Else it returns
// nil.
func stepOf(x Expr) *stepping {
	for _, sum := range bothWays(x, "+") {
		origin, ok := sum[1].(*Literal)
		if !ok || origin.Kind != TimestampLiteral {
			continue
		}
		count, by := countOf(sum[0]), 1
		for _, product := range bothWays(sum[0], "*") {
			if n, ok := literalNumber(product[1]); ok {
				count, by = countOf(product[0]), n
			}
		}
		if count != nil && count.n == by && count.origin == origin.Value {
			return count
		}
	}
	return nil
}

// bothWays returns the operands of a commutative operator in both orders, or nothing for another operator.
func bothWays(x Expr, op string) [][2]Expr {
	b, ok := x.(*Binary)
	if !ok || b.Op != op {
		return nil
	}
	return [][2]Expr{{b.Left, b.Right}, {b.Right, b.Left}}
}
