package ledger_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

// FuzzDecodeTick decodes any bytes under a tick's key into a consistent tick or an error. A tick that is read and
// written again is the same tick.
func FuzzDecodeTick(f *testing.F) {
	golden, err := filepath.Glob("testdata/*.json")
	if err != nil || len(golden) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range golden {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tick, err := ledger.DecodeTick(data)
		if err != nil {
			return
		}
		next := 0
		for _, r := range tick.Outcomes {
			if r.First < next || r.Last < r.First || r.Last >= tick.Records || r.Lo < 0 || r.Hi < r.Lo {
				t.Fatalf("range %+v of %d records was accepted after record %d", r, tick.Records, next)
			}
			next = r.Last + 1
		}
		if tick.State == ledger.Complete {
			sum := 0
			for _, n := range ledger.Count(tick.Outcomes) {
				sum += n
			}
			if sum != tick.Records {
				t.Fatalf("a complete tick has %d outcomes and %d records", sum, tick.Records)
			}
		}
		first, err := tick.Encode()
		if err != nil {
			t.Fatalf("a tick that was read cannot be written: %v", err)
		}
		again, err := ledger.DecodeTick(first)
		if err != nil {
			t.Fatalf("%s was written and cannot be read: %v", first, err)
		}
		second, err := again.Encode()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written twice (%v):\n%s\n%s", err, first, second)
		}
	})
}

// FuzzDecodePipeline checks that only the pipeline with the key's hash is read, and that every pipeline a producer
// could be built with can be published and read again.
func FuzzDecodePipeline(f *testing.F) {
	p, err := pipeline.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	published, err := ledger.EncodePipeline(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(published, string(p.SchemaJSON), string(p.SQL))
	f.Add(published[:len(published)/2], string(p.SchemaJSON), "SELECT 1")
	f.Add([]byte(`{"version":2,"schema":"","sql":""}`), "{}", "")
	f.Fuzz(func(t *testing.T, data []byte, schema, sql string) {
		if got, err := ledger.DecodePipeline(data, p.Hash()); err == nil && (got.Hash() != p.Hash() || !bytes.Equal(got.SQL, p.SQL) || !bytes.Equal(got.SchemaJSON, p.SchemaJSON)) {
			t.Fatalf("%s was read as the pipeline %s", data, p.Hash())
		}
		if !utf8.ValidString(schema) || !utf8.ValidString(sql) {
			return // JSON cannot hold it
		}
		other, err := pipeline.Parse([]byte(schema), []byte(sql))
		if err != nil {
			return
		}
		published, err := ledger.EncodePipeline(other)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.DecodePipeline(published, other.Hash())
		if err != nil {
			t.Fatalf("%s was published and cannot be read: %v", published, err)
		}
		if !bytes.Equal(got.SQL, other.SQL) || !bytes.Equal(got.SchemaJSON, other.SchemaJSON) {
			t.Fatalf("%s was read as another pipeline", published)
		}
		if !json.Valid(published) {
			t.Fatalf("%q is not JSON", published)
		}
	})
}

// FuzzDecodeAcceptance checks that what is read is complete, and is the same when written again.
func FuzzDecodeAcceptance(f *testing.F) {
	for _, file := range []string{"testdata/acceptance.json", "testdata/v2-acceptance.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ledger.DecodeAcceptance(data)
		if err != nil {
			return
		}
		if a.Class == "" || a.Count < 1 || a.Reason == "" || a.Who == "" {
			t.Fatalf("%s was read as an acceptance", data)
		}
		first, err := a.Encode()
		if err != nil {
			return // a moment that JSON cannot hold
		}
		again, err := ledger.DecodeAcceptance(first)
		if err != nil {
			t.Fatalf("%s was written and cannot be read: %v", first, err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written twice (%v):\n%s\n%s", err, first, second)
		}
	})
}

// FuzzDecodeStack checks that what is read names a stack, and is the same when written again.
func FuzzDecodeStack(f *testing.F) {
	f.Add([]byte(`{"version":2,"stack":"a","region":"eu-west-1","account":"000000000000"}`))
	f.Add([]byte(`{"version":1,"stack":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		stack, err := ledger.DecodeStack(data)
		if err != nil {
			return
		}
		written, err := stack.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ledger.DecodeStack(written); err != nil || stack.Name == "" || !again.Same(*stack) {
			t.Fatalf("%s was read as %+v, and again as %+v, %v", data, stack, again, err)
		}
	})
}
