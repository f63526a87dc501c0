package reshape

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzDecode checks that valid JSON is read as jsontext reads it. Other input must only not panic.
func FuzzDecode(f *testing.F) {
	for _, path := range samples(f) {
		f.Add(read(f, path))
	}
	f.Add([]byte(`{"records":[{"recordId":"a\"","data":"\u0041==","x":[{"y":"]}"},1.5e3,null]}]}`))
	f.Add([]byte(` { "records" : [ ] , "x" : { } } `))
	f.Fuzz(func(t *testing.T, event []byte) {
		got, err := decode(event)
		if !jsontext.Value(event).IsValid() {
			return
		}
		want, wantErr := slowDecode(event)
		if (err == nil) != (wantErr == nil) || !slices.Equal(got, want) {
			t.Fatalf("%s: got %q, %v, want %q, %v", event, got, err, want, wantErr)
		}
	})
}

// slowDecode is decode with jsontext.
func slowDecode(event []byte) ([]incoming, error) {
	// The decoder reads a *bytes.Buffer in place.
	e := slowDecoder{event: event, json: jsontext.NewDecoder(bytes.NewBuffer(event))}
	if err := e.members(e.member); err != nil {
		return nil, fmt.Errorf("not an event of a Firehose transformation: %w", err)
	}
	if _, err := e.json.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not an event of a Firehose transformation: text after the closing brace")
	}
	if !e.found {
		return nil, errors.New("not an event of a Firehose transformation: it has no records")
	}
	return e.records, nil
}

type slowDecoder struct {
	event   []byte
	json    *jsontext.Decoder
	found   bool
	records []incoming
}

// members reads an object, and calls member with each name to read its value.
func (e *slowDecoder) members(member func(name string) error) error {
	if token, err := e.json.ReadToken(); err != nil {
		return err
	} else if token.Kind() != '{' {
		return errors.New("no object")
	}
	for e.json.PeekKind() == '"' {
		name, err := e.json.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := e.json.ReadToken()
	return err
}

func (e *slowDecoder) member(name string) error {
	if name != "records" {
		return e.json.SkipValue()
	}
	e.found = true
	if token, err := e.json.ReadToken(); err != nil {
		return err
	} else if token.Kind() != '[' {
		return errors.New("its records are no array")
	}
	for e.json.PeekKind() != ']' {
		var r incoming
		err := e.members(func(name string) error {
			switch name {
			case "recordId":
				return e.text(&r.id)
			case "data":
				return e.text(&r.data)
			default:
				return e.json.SkipValue()
			}
		})
		if err == nil && (r.id.size() <= 2 || r.data.to == 0) {
			err = errors.New("a record has a recordId and data, both strings")
		}
		if err != nil {
			return fmt.Errorf("records[%d]: %w", len(e.records), err)
		}
		e.records = append(e.records, r)
	}
	_, err := e.json.ReadToken()
	return err
}

// text reads a string. A value of another kind counts as missing.
func (e *slowDecoder) text(into *span) error {
	value, err := e.json.ReadValue()
	if err != nil || value.Kind() != '"' {
		return err
	}
	end := int(e.json.InputOffset())
	*into = span{int32(end - len(value)), int32(end)}
	return nil
}
