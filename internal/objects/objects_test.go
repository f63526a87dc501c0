package objects_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"streamproof/internal/objects"
	"streamproof/internal/stack/stacktest"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	t.Parallel()
	w, _ := stacktest.New(t)
	in64 := base64.StdEncoding.EncodeToString
	w.Put("data/rows", []byte("1,2,3.5,4.25\n1,,5.0,6.5\nnot a row\n"))
	w.Put("data/rows.gz", zipped(t, strings.Repeat("1,2,3.5,4.25\n", objects.MaxLines+1)))
	w.Put("data-errors/rejects", []byte(`{"reason":"not an integer","column":"VendorID","data":"`+in64([]byte("x,\xff"))+`","shard":"s","sequence_number":"4","arrival_time":"2026-11-23T20:00:00Z"}`+"\n"))
	w.Put("errors/data/processing-failed/failed", []byte(`{"attemptsMade":4,"errorCode":"Lambda.FunctionError","errorMessage":"it failed","rawData":"`+in64([]byte("1,2\n"))+`"}`+"\n"))
	w.Put("reports/<script>\u202e.json", []byte("\x1b[2J<script>"))
	s := w.Open()
	read := func(key string) *objects.Contents {
		t.Helper()
		c, err := objects.Read(t.Context(), s, key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rows := read("data/rows")
	if rows.Kind != objects.Rows || rows.Compressed || len(rows.Columns) != 4 || len(rows.Lines) != 3 || *rows.Lines[0].Values[3] != "4.25" ||
		rows.Lines[1].Values[1] != nil || rows.Lines[2].Problem == "" || rows.Lines[2].Text != "not a row" {
		t.Errorf("got %+v, want two rows of four columns, and a line that is none", rows)
	}
	if z := read("data/rows.gz"); !z.Compressed || !z.Truncated || len(z.Lines) != objects.MaxLines || z.Lines[0].Values == nil {
		t.Errorf("got %d lines of %+v, want the first rows, decompressed", len(z.Lines), z.Object)
	}
	if r := read("data-errors/rejects"); r.Kind != objects.Rejects || r.Lines[0].Envelope == nil || r.Lines[0].Envelope.Data != `x,\xff` || r.Lines[0].Envelope.Column != "VendorID" {
		t.Errorf("got %+v, want the bytes of the reject", r.Lines)
	}
	if f := read("errors/data/processing-failed/failed"); f.Kind != objects.Failed || f.Lines[0].Envelope == nil || f.Lines[0].Envelope.Data != "1,2\n" || f.Lines[0].Envelope.Attempts != 4 {
		t.Errorf("got %+v, want the bytes of the failed record", f.Lines)
	}
	hostile := read("reports/<script>\u202e.json")
	data, err := json.Marshal(hostile)
	if err != nil || strings.ContainsAny(string(data), "<>\x1b") {
		t.Errorf("got %s, %v, want neither markup nor control characters", data, err)
	}
	if _, err := objects.Read(t.Context(), s, "data/nothing"); err == nil {
		t.Error("got no error for an object that is not there")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w, _ := stacktest.New(t)
	for _, key := range []string{"data/2026/a", "data/2026/b", "data/c", "other"} {
		w.Put(key, []byte("x"))
	}
	l, err := objects.List(t.Context(), w.Open(), "data/", "")
	if err != nil || len(l.Folders) != 1 || l.Folders[0] != "data/2026/" || len(l.Objects) != 1 || l.Objects[0].Key != "data/c" || l.After != "" {
		t.Errorf("got %+v, %v, want one folder and one object", l, err)
	}
}
