package reshape

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// An incoming record of an event. Both are JSON strings as the event has them, with quotes and escapes.
type incoming struct {
	id, data span
}

// A span is a part of an event: offsets, because the garbage collector would follow a pointer for each record.
type span struct {
	from, to int32
}

func (s span) size() int              { return int(s.to - s.from) }
func (s span) of(event []byte) []byte { return event[s.from:s.to] }

// decode returns the records of an event. It is written by hand because records may hold one short row, and reading
// the members around it then takes most of the time. With jsontext an event of such records takes 1.7 times as long
// in all, with json.Unmarshal more; if a record holds 100 rows, 1.1 times (BenchmarkInvoke). Lambda passes valid
// JSON, so values that are not needed are skipped unchecked.
func decode(event []byte) ([]incoming, error) {
	if len(event) > math.MaxInt32 {
		return nil, fmt.Errorf("event of %d bytes is too large", len(event))
	}
	s := scanner{text: event}
	var records []incoming
	found := false
	err := s.members(func(name []byte) error {
		if found || string(name) != `"records"` {
			return s.skip()
		}
		found = true
		return s.list('[', ']', func() error {
			r, err := s.record()
			if err != nil {
				return fmt.Errorf("records[%d]: %w", len(records), err)
			}
			records = append(records, r)
			return nil
		})
	})
	switch {
	case err == nil && s.peek() != 0:
		err = errors.New("text after the closing brace")
	case err == nil && !found:
		err = errors.New("it has no records")
	}
	if err != nil {
		return nil, fmt.Errorf("not an event of a Firehose transformation: %w", err)
	}
	return records, nil
}

func (s *scanner) record() (incoming, error) {
	var r incoming
	err := s.members(func(name []byte) error {
		var into *span
		switch string(name) {
		case `"recordId"`:
			into = &r.id
		case `"data"`:
			into = &r.data
		}
		if into == nil || s.peek() != '"' {
			return s.skip()
		}
		if *into != (span{}) {
			return fmt.Errorf("%s is given twice", name)
		}
		text, err := s.string()
		*into = span{int32(s.at - len(text)), int32(s.at)}
		return err
	})
	if err == nil && (r.id.size() <= 2 || r.data.to == 0) {
		err = errors.New("a record has a recordId and data, both strings")
	}
	return r, err
}

// A scanner reads JSON text.
type scanner struct {
	text []byte
	at   int
}

// peek returns the next byte that is not blank, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at == len(s.text) {
		return false
	}
	s.at++
	return true
}

func (s *scanner) unexpected() error {
	if s.peek() == 0 {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("unexpected JSON at byte %d", s.at+1)
}

// list reads an array or an object, and calls item to read each element or member.
func (s *scanner) list(open, end byte, item func() error) error {
	if !s.take(open) {
		return s.unexpected()
	}
	if s.take(end) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.take(end) {
			return nil
		}
		if !s.take(',') {
			return s.unexpected()
		}
	}
}

// members reads an object, and calls value to read the value of each member.
func (s *scanner) members(value func(name []byte) error) error {
	return s.list('{', '}', func() error {
		name, err := s.string()
		if err == nil && !s.take(':') {
			err = s.unexpected()
		}
		if err != nil {
			return err
		}
		return value(name)
	})
}

// string reads a string and returns it as it is, with its quotes.
func (s *scanner) string() ([]byte, error) {
	if !s.take('"') {
		return nil, s.unexpected()
	}
	start := s.at - 1
	for {
		length := bytes.IndexByte(s.text[s.at:], '"')
		if length < 0 {
			s.at = len(s.text)
			return nil, s.unexpected()
		}
		s.at += length + 1
		escapes := 0 // a quote after an odd number of backslashes does not end the string
		for s.text[s.at-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return s.text[start:s.at], nil
		}
	}
}

// skip skips a value.
func (s *scanner) skip() error {
	depth := 0
	for {
		switch s.peek() {
		case 0:
			return s.unexpected()
		case '"':
			if _, err := s.string(); err != nil {
				return err
			}
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			if depth--; depth < 0 {
				return s.unexpected()
			}
			s.at++
		case ',', ':':
			if depth == 0 {
				return s.unexpected()
			}
			s.at++
		default:
			for s.at++; s.at < len(s.text); s.at++ {
				c := s.text[s.at]
				if c <= ' ' || c == ',' || c == ':' || c == ']' || c == '}' {
					break
				}
			}
		}
		if depth == 0 {
			return nil
		}
	}
}
