package draft

import (
	"bytes"
	"fmt"
	"slices"

	"streamproof/internal/discover"
	"streamproof/internal/objects"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

const (
	firstRows     = 5
	firstProblems = 20
	// keptBytes bounds what is kept of a sample.
	keptBytes = 8 << 20
)

// A Sample is records that a draft is tried on.
type Sample struct {
	Source  string
	Records []discover.Record
}

// Keep returns a sample with as many of its records as may be kept, and with one at least.
func (s Sample) Keep() *Sample {
	kept, end := 0, 0
	for _, r := range s.Records {
		if kept += len(r.Data); kept > keptBytes && end > 0 {
			break
		}
		end++
	}
	s.Records = slices.Clone(s.Records[:end]) // the others are not held by it
	return &s
}

// A Reading is what a schema makes of a sample, as the job would.
type Reading struct {
	Source  string `json:"source"`
	Records int    `json:"records"`
	// Read is how many rows were read, and Rejected how many lines are no rows.
	Read     int `json:"read"`
	Rejected int `json:"rejected"`
	// Rows are the first few, with one value per column; nil is NULL.
	Rows [][]*string `json:"rows"`
	// Columns is, for each column, how many lines were rejected for its value.
	Columns []int `json:"columns"`
	// Problems are the first lines that are no rows.
	Problems []Problem `json:"problems"`
}

// A Problem is a line that is no row.
type Problem struct {
	Where  string `json:"where"`
	Column string `json:"column,omitempty"` // the one at fault
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Read reads the sample by a schema.
func (s *Sample) Read(by schema.Schema) *Reading {
	r := &Reading{Source: s.Source, Records: len(s.Records), Rows: [][]*string{}, Columns: make([]int, len(by.Columns)), Problems: []Problem{}}
	reader := record.NewReader(by)
	for i := range s.Records {
		one := &s.Records[i]
		for row := range reader.Rows(one.Data) {
			if row.Err == nil {
				r.take(row)
				continue
			}
			r.Rejected++
			for i, c := range by.Columns {
				if c.Name == row.Err.Column {
					r.Columns[i]++
				}
			}
			if len(r.Problems) < firstProblems {
				r.Problems = append(r.Problems, Problem{where(one, row.Offset), row.Err.Column, row.Err.Reason, objects.Visible(row.Raw)})
			}
		}
	}
	return r
}

func (r *Reading) take(row record.Row) {
	if r.Read++; r.Read > firstRows {
		return
	}
	var values []*string
	for _, f := range row.Fields {
		values = append(values, objects.Value(f))
	}
	r.Rows = append(r.Rows, values)
}

// where names the place of a row in a sample.
func where(r *discover.Record, offset int) string {
	if bytes.IndexByte(bytes.TrimSpace(r.Data), '\n') < 0 {
		return r.Name
	}
	return fmt.Sprintf("%s, line %d", r.Name, 1+bytes.Count(r.Data[:offset], []byte("\n")))
}
