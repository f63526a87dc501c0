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
	row    []byte // as in the file, with a newline
	values []value
	// bare is the row without its newline and, in JSON, without whitespace. spans are the positions of the columns'
	// values in it.
	bare  []byte
	spans []span
}

// maxSample is the largest sample, in bytes: a record may have three, and Kinesis takes 1 MiB with the key.
const maxSample = 256 << 10

type value struct {
	text []byte
	null bool
}

// A span is a part of a row, with its quotes. If it is missing, it ends at 0.
type span struct{ from, to int }

// sample returns the row of a record with this state.
func (g *Generator) sample(state uint64) *sample {
	i, _ := bits.Mul64(mix(state+gamma), uint64(len(g.samples)))
	return &g.samples[i]
}

// appendBare appends the row without its newline, and returns where in it the value of a column is.
func (s *sample) appendBare(dst []byte, column int) (row []byte, from, to int) {
	at, span := len(dst), s.spans[column]
	return append(dst, s.bare...), at + span.from, at + span.to
}

// readSamples reads the file of samples. A row that the schema does not describe is an error: a record of it would be
// rejected.
func readSamples(p *pipeline.Pipeline) ([]sample, error) {
	if p.Samples == nil {
		return nil, errors.New("the file is missing")
	}
	format := p.Schema.Format.OrDefault()
	newline := "\n"
	if format.Type != schema.JSON {
		newline = format.Newline
	}
	places := memberPlaces(p.Schema)
	var samples []sample
	for r := range record.NewReader(p.Schema).Rows(p.Samples) {
		start := cap(p.Samples) - cap(r.Raw) // it is a part of p.Samples
		at := func(err error) error {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(p.Samples[:start], []byte("\n")), err)
		}
		if r.Err != nil {
			return nil, at(r.Err)
		}
		if len(r.Raw) > maxSample {
			return nil, at(fmt.Errorf("row has %d bytes, more than the %d of a sample", len(r.Raw), maxSample))
		}
		s := sample{row: append(bytes.Clone(r.Raw), newline...)}
		for _, f := range r.Fields {
			s.values = append(s.values, value{bytes.Clone(f.Text), f.Null})
		}
		if format.Type != schema.JSON {
			s.bare = s.row[:len(r.Raw)]
			s.findFields(format, len(p.Schema.Columns))
		} else if err := s.findMembers(r.Raw, places); err != nil {
			return nil, at(err)
		}
		samples = append(samples, s)
	}
	if len(samples) == 0 {
		return nil, errors.New("the file has no row")
	}
	return samples, nil
}

// findFields finds the values in a row of CSV that has been read: an unquoted value ends at a delimiter.
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

// memberPlaces returns the paths of the columns, as keys.
func memberPlaces(s schema.Schema) []string {
	var places []string
	for _, c := range s.Columns {
		places = append(places, path(c.Place()))
	}
	return places
}

// path returns a key for the names that lead to a member.
func path(names []string) string { return fmt.Sprintf("%q", names) }

// findMembers finds the values in an object.
func (s *sample) findMembers(object []byte, places []string) error {
	bare := jsontext.Value(bytes.Clone(object))
	if err := bare.Compact(); err != nil {
		return err
	}
	s.bare = bare
	found := map[string]span{}
	if err := members(jsontext.NewDecoder(bytes.NewBuffer(s.bare)), nil, found); err != nil {
		return err
	}
	for _, place := range places {
		s.spans = append(s.spans, found[place])
	}
	return nil
}

// members finds the members of the object that the decoder is at, and of objects in it.
func members(decoder *jsontext.Decoder, names []string, found map[string]span) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return err
		}
		to := append(names, token.String())
		start := int(decoder.InputOffset()) + 1 // the colon
		if decoder.PeekKind() == '{' {
			err = members(decoder, to, found)
		} else {
			err = decoder.SkipValue()
		}
		if err != nil {
			return err
		}
		found[path(to)] = span{start, int(decoder.InputOffset())}
	}
	_, err := decoder.ReadToken()
	return err
}
