package schema

type resolvedColumn struct {
	Name      string   `json:"name"`
	Alias     string   `json:"alias"`
	Kind      Kind     `json:"kind"`
	Length    int      `json:"length"`
	Precision int      `json:"precision"`
	Scale     int      `json:"scale"`
	Nullable  bool     `json:"nullable"`
	Path      Path     `json:"path"`
	Pattern   []string `json:"pattern"`
}

// Resolved returns the schema in its resolved form, which the package comment describes.
func (s Schema) Resolved() ([]byte, error) {
	format := s.Format.OrDefault()
	if format.Type == JSON {
		format = DefaultFormat()
		format.Type = JSON
	}
	var columns []resolvedColumn
	for i := range s.Columns {
		c := &s.Columns[i]
		out := resolvedColumn{Name: c.Name, Alias: c.Alias, Kind: c.Type.Kind, Nullable: c.Nullable, Path: c.Place()}
		switch c.Type.Kind {
		case Decimal:
			out.Precision, out.Scale = c.Type.Length, c.Type.Scale
		case Timestamp, Date:
			p := c.TimePattern()
			out.Precision, out.Pattern = p.Digits(), p.tokens()
		default:
			out.Length = c.Type.Length
		}
		columns = append(columns, out)
	}
	return encode([]member{{"source", s.Source}, {"format", fullFormat(format)}}, columns)
}
