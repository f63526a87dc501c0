package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The types of a Format.
const (
	CSV  = "csv"
	JSON = "json"
)

// A Format is how the rows of a record are written. A record has any number of them.
//
// Rows of CSV are lines. Rows of JSON are objects, one after the other, with or without whitespace between them, or in
// arrays.
type Format struct {
	// Type is CSV or JSON. The other fields are for CSV only.
	Type string `json:"type"`
	// Delimiter separates two values. Quote surrounds a value that contains a delimiter or quote; a quote in the value
	// is doubled. Each is one character. An empty Quote means that nothing is quoted.
	Delimiter string `json:"delimiter"`
	Quote     string `json:"quote"`
	// Newline ends a row: "\n", or "\r\n", whose "\r" may be missing. With Multiline, a newline in quotes does not.
	Newline   string `json:"newline"`
	Multiline bool   `json:"multiline"`
	// Decimal separates the fraction of a REAL, DOUBLE or DECIMAL: "." or ",".
	Decimal string `json:"decimal"`
	// Header means that a line that has exactly the columns' names is not a row, wherever it occurs.
	Header bool `json:"header"`
	// Nulls are the texts that mean NULL unless quoted.
	Nulls []string `json:"nulls"`
}

// DefaultFormat is the format of a schema that names none: lines of CSV without a header, whose values are never NULL.
func DefaultFormat() Format {
	return Format{Type: CSV, Delimiter: ",", Quote: `"`, Newline: "\n", Decimal: "."}
}

// JSONFormat is the format of JSON.
func JSONFormat() Format { return Format{Type: JSON} }

// OrDefault returns DefaultFormat for the zero value.
func (f Format) OrDefault() Format {
	if f.Type == "" {
		return DefaultFormat()
	}
	return f
}

// IsDefault reports whether schema.json need not name the format.
func (f Format) IsDefault() bool { return f.OrDefault().equal(DefaultFormat()) }

func (f Format) equal(g Format) bool {
	return f.Type == g.Type && f.Delimiter == g.Delimiter && f.Quote == g.Quote && f.Newline == g.Newline &&
		f.Decimal == g.Decimal && f.Multiline == g.Multiline && f.Header == g.Header && slices.Equal(f.Nulls, g.Nulls)
}

// fullFormat is a Format that is written with all of its keys.
type fullFormat Format

// UnmarshalJSON reads a format. Keys that are missing have the values of DefaultFormat.
func (f *Format) UnmarshalJSON(data []byte) error {
	var of struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return err
	}
	full := fullFormat(DefaultFormat())
	if of.Type == JSON {
		full = fullFormat(JSONFormat())
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&full); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	*f = Format(full)
	return nil
}

// MarshalJSON writes the keys whose values differ from those of DefaultFormat.
func (f Format) MarshalJSON() ([]byte, error) {
	out := struct {
		Type      string   `json:"type"`
		Delimiter string   `json:"delimiter,omitempty"`
		Quote     *string  `json:"quote,omitempty"`
		Newline   string   `json:"newline,omitempty"`
		Multiline bool     `json:"multiline,omitzero"`
		Decimal   string   `json:"decimal,omitempty"`
		Header    bool     `json:"header,omitzero"`
		Nulls     []string `json:"nulls,omitempty"`
	}{Type: f.Type, Multiline: f.Multiline, Header: f.Header, Nulls: f.Nulls}
	if standard := DefaultFormat(); f.Type == CSV {
		changed := func(is, was string) string {
			if is == was {
				return ""
			}
			return is
		}
		out.Delimiter = changed(f.Delimiter, standard.Delimiter)
		out.Newline = changed(f.Newline, standard.Newline)
		out.Decimal = changed(f.Decimal, standard.Decimal)
		if f.Quote != standard.Quote {
			out.Quote = &f.Quote
		}
	}
	return json.Marshal(out)
}

func (f Format) faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("format: "+format, args...)) }
	switch f.Type {
	case CSV:
	case JSON:
		if !f.equal(JSONFormat()) {
			fault("delimiter, quote, newline, multiline, decimal, header and nulls are for csv only")
		}
		return faults
	default:
		fault("type is %q, want %s or %s", f.Type, CSV, JSON)
		return faults
	}
	if !isDelimiter(f.Delimiter) {
		fault("delimiter is %q, want one ASCII character other than a letter, digit, sign, point, quote or line break", f.Delimiter)
	}
	if f.Quote != "" && f.Quote != `"` && f.Quote != "'" {
		fault("quote is %q, want \", ' or nothing", f.Quote)
	}
	if f.Newline != "\n" && f.Newline != "\r\n" {
		fault(`newline is %q, want "\n" or "\r\n"`, f.Newline)
	}
	switch {
	case f.Decimal != "." && f.Decimal != ",":
		fault(`decimal is %q, want "." or ","`, f.Decimal)
	case f.Decimal == f.Delimiter:
		fault("decimal and delimiter are both %q", f.Decimal)
	}
	if f.Multiline && f.Quote == "" {
		fault("multiline needs a quote")
	}
	for i, null := range f.Nulls {
		if strings.ContainsAny(null, "\r\n"+f.Delimiter+f.Quote) {
			fault("nulls[%d] is %q, which only a quoted value can be", i, null)
		}
		if slices.Contains(f.Nulls[:i], null) {
			fault("nulls[%d] is %q again", i, null)
		}
	}
	return faults
}

// isDelimiter reports whether text is one character that may separate two values.
func isDelimiter(text string) bool {
	if len(text) != 1 {
		return false
	}
	switch c := text[0]; {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == 0, c >= 0x7f:
		return false
	default:
		return !strings.ContainsRune("\r\n\"'-+.", rune(c))
	}
}
