package pipeline

import "fmt"

// Limits names what of a schema the rest of the system does not take yet: the Flink job, the producer and the judge. It is
// the one list of that: whoever teaches them one of these takes it out here.
func (s Schema) Limits() []error {
	var limits []error
	limit := func(format string, args ...any) { limits = append(limits, fmt.Errorf(format, args...)) }
	standard := DefaultFormat()
	switch f := s.Format.OrDefault(); f.Type {
	case JSON:
		limit("format: the job does not take JSON yet")
	default:
		if f.Delimiter != standard.Delimiter {
			limit("format: the job does not take the delimiter %q yet, only %q", f.Delimiter, standard.Delimiter)
		}
		if f.Quote != standard.Quote {
			limit("format: the job does not take the quote %q yet, only %q", f.Quote, standard.Quote)
		}
		if f.Newline != standard.Newline {
			limit("format: the job does not take rows that end with %q yet, only with %q", f.Newline, standard.Newline)
		}
		if f.Decimal != standard.Decimal {
			limit("format: the job does not take the decimal %q yet, only %q", f.Decimal, standard.Decimal)
		}
		if f.Multiline {
			limit("format: the job does not take rows of several lines yet")
		}
		if f.Header {
			limit("format: the job does not take a header yet")
		}
		if len(f.Nulls) > 0 {
			limit("format: the job does not take nulls yet")
		}
	}
	for _, c := range s.Columns {
		if err := c.Type.Limit(); err != nil {
			limit("column %s: %w", c.Name, err)
		}
		if c.Nullable {
			limit("column %s: the job does not take NULL in a record yet", c.Name)
		}
		if c.Pattern != "" && c.Type.Kind == Timestamp && c.Pattern != TimestampPattern {
			limit("column %s: the job does not take the pattern %q yet, only %q", c.Name, c.Pattern, TimestampPattern)
		}
	}
	return limits
}

// Limit is the part of Limits that is about a type: nil for one that the job, the judge and the transform know.
func (t Type) Limit() error {
	switch t.Kind {
	case Decimal:
		return fmt.Errorf("the job does not take %s yet", t.Kind)
	}
	return nil
}
