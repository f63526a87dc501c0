package generator

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// A sample is a row of the samples.
type sample struct {
	row    []byte // as it stands there, with a newline
	values []value
	// bare is the row without its newline, and in JSON without blanks. spans locate the columns' values in it.
	bare  []byte
	spans []span
}

// maxSample is the most bytes of a sample. A record may hold three of them, and Kinesis accepts 1 MiB with the key.
const maxSample = 256 << 10

type value struct {
	text []byte
	null bool
}

// A span locates a value in a row, with its quotes. If it ends at 0, the row does not have the value.
type span struct{ from, to int }

// sample returns the row for a record with this state.
func (g *Generator) sample(state uint64) *sample {
	i, _ := bits.Mul64(mix(state+gamma), uint64(len(g.samples)))
	return &g.samples[i]
}

// appendBare appends the row without its newline, and returns where the value of a column is.
func (s *sample) appendBare(dst []byte, column int) (row []byte, from, to int) {
	at, span := len(dst), s.spans[column]
	return append(dst, s.bare...), at + span.from, at + span.to
}

// readSamples reads the samples. A line that is not a row of the schema is an error: a record made of it would be
// rejected.
func readSamples(p *pipeline.Pipeline) ([]sample, error) {
	if p.Samples == nil {
		return nil, errors.New("the file does not exist")
	}
	format := p.Schema.Format.OrDefault()
	newline := "\n"
	if format.Type != schema.JSON {
		newline = format.Newline
	}
	compact := record.NewReader(p.Schema)
	var samples []sample
	for r := range record.NewReader(p.Schema).Rows(p.Samples) {
		start := cap(p.Samples) - cap(r.Raw) // r.Raw is a part of them
		at := func(err error) error {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(p.Samples[:start], []byte("\n")), err)
		}
		if r.Err != nil {
			return nil, at(r.Err)
		}
		if len(r.Raw) > maxSample {
			return nil, at(fmt.Errorf("the row has %d bytes, which is more than the %d that a sample may have", len(r.Raw), maxSample))
		}
		s := sample{row: append(bytes.Clone(r.Raw), newline...)}
		for _, f := range r.Fields {
			s.values = append(s.values, value{bytes.Clone(f.Text), f.Null})
		}
		if format.Type != schema.JSON {
			s.bare = s.row[:len(r.Raw)]
			s.findFields(format, len(p.Schema.Columns))
		} else if err := s.findMembers(r.Raw, compact, len(p.Schema.Columns)); err != nil {
			return nil, at(err)
		}
		samples = append(samples, s)
	}
	if len(samples) == 0 {
		return nil, errors.New("it has no rows")
	}
	return samples, nil
}

// findFields locates the values of a row of CSV that has been read. An unquoted value ends at the delimiter.
func (s *sample) findFields(format schema.Format, columns int) {
	at := 0
	for range columns {
		end := at
		if format.Quote != "" && at < len(s.bare) && s.bare[at] == format.Quote[0] {
			for quoted := false; end < len(s.bare) && (quoted || s.bare[end] != format.Delimiter[0] || end == at); end++ {
				quoted = quoted != (s.bare[end] == format.Quote[0])
			}
		} else {
			for end < len(s.bare) && s.bare[end] != format.Delimiter[0] {
				end++
			}
		}
		s.spans = append(s.spans, span{at, end})
		at = end + 1
	}
}

// findMembers removes the blanks from an object that has been read, and locates its values.
func (s *sample) findMembers(object []byte, reader *record.Reader, columns int) error {
	bare := jsontext.Value(bytes.Clone(object))
	if err := bare.Compact(); err != nil {
		return err
	}
	s.bare = bare
	for range reader.Rows(s.bare) { // one
		for i := range columns {
			from, to := reader.Span(i)
			s.spans = append(s.spans, span{from, to})
		}
	}
	return nil
}
