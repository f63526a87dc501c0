package discover_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"streamproof/internal/discover"
	"streamproof/internal/generator"
	"streamproof/internal/golden"
	"streamproof/internal/pipeline"
)

// records makes a record of each text.
func records(texts ...string) []discover.Record {
	var all []discover.Record
	for i, text := range texts {
		all = append(all, discover.Record{Data: []byte(text), Name: fmt.Sprintf("record %d", i+1)})
	}
	return all
}

// each makes a record of each line.
func each(text string) []discover.Record {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, line)
	}
	return records(lines...)
}

// file makes one record of all.
func file(text string) []discover.Record {
	return []discover.Record{{Data: []byte(text), Name: "file"}}
}

// trips are records of the project's own schema.
func trips(t *testing.T, n, poison int) []discover.Record {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	tick := generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: n, Poison: poison}
	var all []string
	for i := range n {
		all = append(all, string(g.Append(nil, tick, i)))
	}
	return records(all...)
}

// repeat makes so many lines of a format that takes their number.
func repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

const clicks = `{"event":"click","at":"2026-11-23T20:00:00.123Z","user":{"id":"u-1","age":31,"geo":{"lat":40.4168,"lon":-3.7038}},"tags":["a","b"],"ok":true,"price":3.5}
{"event":"view","at":"2026-11-23T20:00:01.5Z","user":{"id":"u-2","age":null,"geo":{"lat":41.38506,"lon":2.17340399}},"tags":[],"ok":false,"price":12}
{"event":"click","at":"2026-11-23T20:00:02Z","user":{"id":"u-3","age":44},"tags":["c"],"ok":true,"price":1e2,"the page":"/home"}
`

func dataSets(t *testing.T) map[string]struct {
	records []discover.Record
	options discover.Options
} {
	t.Helper()
	yes, no := true, false
	type set = struct {
		records []discover.Record
		options discover.Options
	}
	return map[string]set{
		"trips":        {records: trips(t, 200, 0)},
		"trips-poison": {records: trips(t, 400, 20)},
		"header-file": {records: file("id,Name,signed up,score\r\n" + repeat(30, func(i int) string {
			return fmt.Sprintf("%d,\"Name, %d\",2026-01-%02d,%d.25\r\n", i, i%7, i+1, i*3)
		}))},
		"header-in-several-records": {records: records(
			"sensor;at;value\ns1;2026-01-01T00:00:00Z;1.5\ns2;2026-01-01T00:00:01Z;2.5\n",
			"s1;2026-01-01T00:00:02Z;3.25\n",
			"sensor;at;value\ns2;2026-01-01T00:00:03Z;-4.5\n",
		)},
		"header-of-text": {records: records("name,city\nAna,Madrid\nBo,Oslo\n", "name,city\nCy,Rome\nDi,Bern\nEd,Kiel\n", "name,city\nFi,Graz\n")},
		"text-only":      {records: file("Ana,Madrid\nBo,Oslo\nCy,Rome\n")},
		"header-asked":   {records: file("name,city\nBo,Oslo\nCy,Rome\n"), options: discover.Options{Header: &yes}},
		"header-denied":  {records: file("id,city\n1,Oslo\n2,Rome\n"), options: discover.Options{Header: &no}},
		"semicolon-decimal-comma": {records: file(repeat(20, func(i int) string {
			return fmt.Sprintf("%d;%d,5;\"a;b \"\"%d\"\"\";%02d.%02d.2026\n", i, i*1000, i, i%12+1, i%12+1)
		}))},
		"decimal-comma": {records: file("precio;peso;igual;total\n" + repeat(20, func(i int) string {
			return fmt.Sprintf("%d,%d;-0,%03d;3,1;1.%03d,50\n", i, i%10, i, i)
		}))},
		"decimal-comma-or-thousands": {records: file(repeat(20, func(i int) string { return fmt.Sprintf("%d;%d,%03d;x\n", i, i+1, i*7) }))},
		"decimal-comma-and-point":    {records: file(repeat(20, func(i int) string { return fmt.Sprintf("%d;%d,5;%d.25\n", i, i, i) }))},
		"decimal-comma-in-quotes":    {records: file(repeat(20, func(i int) string { return fmt.Sprintf("%d,\"%d,5\"\n", i, i) }))},
		"tab":                        {records: file(repeat(20, func(i int) string { return fmt.Sprintf("%05d\tN\t1,2,%d\tfree text, with commas\n", i*7, i) }))},
		"pipe":                       {records: file("1|a, b|NULL\n2|c|2.5\n3|\\N|3.5\n")},
		"single-quote":               {records: file("'a,b',1\n'it''s',2\n'c',3\n")},
		"quoted-newlines": {records: file(repeat(10, func(i int) string { return fmt.Sprintf("%d,\"line one\nline %d\"\n", i, i) }) +
			"11,\"open\n12,fine\n")},
		"numbers": {records: file(repeat(25, func(i int) string {
			return fmt.Sprintf("%d,%d,%s%d,3.5,-73.0000123456%05d,0.%d1,%d,1e%d,1.12345678901234567%d\n",
				i-3, 2147483640+i, "922337203685477580", i%30+1, i, i, i%2, i%20, i%10)
		}))},
		"codes":    {records: file("007,01234,1\n008,12345,0\n123,99999,1\n")},
		"nulls":    {records: file("1,,a,\n2,2.5,,\n,NULL,b,\n4,null,c,\n")},
		"no-nulls": {records: file("1,a,\n2,,b\n3,c,d\n")},
		"disagreeing": {records: file(repeat(60, func(i int) string {
			if i%30 == 7 {
				return "n/a,yesterday,maybe\n"
			}
			return fmt.Sprintf("%d,2026-01-02 03:04:%02d,true\n", i, i)
		}))},
		"time-patterns": {records: file(repeat(30, func(i int) string {
			return fmt.Sprintf("%02d/01/2026,01/%02d/2026 0%d:30 PM,23/Nov/2026:20:00:%02d +0000,2026-01-%02d,%02d/%02d/2026,%d,%s,202601%02d\n",
				i%28+1, i%28+1, i%9+1, i, i%28+1, i%12+1, (i+3)%12+1, 1767225600000+i, []string{"2026-01-02", "02/13/2026"}[i%2], i%28+1)
		}))},
		"json":                   {records: each(clicks)},
		"json-pretty-and-arrays": {records: records("[{\"a\":1},{\"a\":2}]", "{\n  \"a\": 3,\n  \"b\": {\"c\": \"x\"}\n}\n{\"a\":4}{\"a\":5}")},
		"json-traps": {records: each(repeat(25, func(i int) string {
			return fmt.Sprintf(`{"COL3":%d,"id":"%d","ID":%d,"big":%d,"huge":1234567890123456789%d,"":1,"mixed":%s,"only":null,"flag":%t,"b":{"%d":1}}`+"\n",
				i, i, i, 1<<40+i, i+10, []string{`"a"`, "7", `{"x":1}`}[i%3], i%2 == 0, i)
		}))},
		"json-many-names": {records: each(repeat(250, func(i int) string { return fmt.Sprintf(`{"id":%d,"by":{"k%d":{"v":%d}}}`+"\n", i, i, i) }))},
		"json-some-broken": {records: each(repeat(60, func(i int) string {
			return fmt.Sprintf(`{"id":%d}`, i) + "\n"
		}) + "{\"id\":\n{\"id\":1,\"id\":2}\nhello\n")},
		"many-rows-a-record": {records: records("1,a\n2,b\n3,c\n", "4,d\n5,e\n", "", "6,f")},
		"byte-order-mark":    {records: file("\ufeffid,x\n1,a\n2,b\n")},
		"cut": {records: []discover.Record{
			{Data: []byte("1,aa\n2,bb\n3,\"c\nc\"\n4,\"d"), Name: "a", Cut: true}, {Data: []byte("5,ee\n6,f"), Name: "b", Cut: true},
		}},
		"one-column":         {records: each("5\n7\n-3\n")},
		"one-row":            {records: file("1,N,2026-01-02 03:04:05")},
		"asked-delimiter":    {records: file("a:1\nb:2\n"), options: discover.Options{Delimiter: ":"}},
		"control-a":          {records: file("a\x011\nb\x012\n")},
		"some-not-utf-8":     {records: file(repeat(40, func(i int) string { return fmt.Sprintf("%d,caf\u00e9\n", i) }) + "41,caf\xe9\n")},
		"error-none":         {},
		"error-empty":        {records: records("", " \n")},
		"error-gzip":         {records: records(gzipped(clicks), gzipped("x"), "1,2\n")},
		"error-binary":       {records: records("\x00\x01\x02\x03", "\x0a\x05hello\x00\x00")},
		"error-utf-16":       {records: records("\xff\xfea\x00,\x001\x00\n\x00")},
		"error-xml":          {records: records("<?xml version=\"1.0\"?><a><b>1</b></a>")},
		"error-mixed":        {records: append(each(clicks), each("1,2,3\n4,5,6\n")...)},
		"blanks":             {records: file(repeat(20, func(i int) string { return fmt.Sprintf("%d, %d, %s\n", i, i*2, "2026-01-02") }))},
		"error-two-kinds":    {records: each(repeat(30, func(i int) string { return []string{"1,2,3\n", "a,b\n", "4,5,6\n"}[i%3] }))},
		"error-prose":        {records: file("To be, or not to be, that is the question:\nWhether 'tis nobler in the mind\nto suffer, the slings, and, arrows\n\"of\nNo, more; and\n")},
		"error-json-scalars": {records: each("[1,2,3]\n[4,5,6]\n")},
		"error-all-broken":   {records: each("{\"a\":\n{\"b\"}\n")},
		"error-only-header":  {records: file("id,name\n"), options: discover.Options{Header: &yes}},
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	for name, set := range dataSets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := discover.Discover(set.records, set.options)
			var undecided *discover.UndecidedError
			if errors.As(err, &undecided) != strings.HasPrefix(name, "error-") {
				t.Errorf("got %v", err)
			}
			out := struct {
				Error    string             `json:"error,omitempty"`
				Proposal *discover.Proposal `json:"proposal"`
			}{Proposal: p}
			if err != nil {
				out.Error = err.Error()
			}
			var b bytes.Buffer
			encoder := json.NewEncoder(&b)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(out); err != nil {
				t.Fatal(err)
			}
			if err == nil {
				b.WriteString("\nschema.json:\n")
				file, err := p.Schema("S").Encode()
				if err != nil {
					t.Errorf("the schema cannot be written: %v", err)
				}
				b.Write(file)
			}
			golden.Check(t, "testdata/"+name+".golden", b.String())
		})
	}
}
