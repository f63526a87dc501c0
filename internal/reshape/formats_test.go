package reshape

import (
	"bytes"
	"io"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/pipeline"
)

// TestOtherFormats checks that records of the source are read in the schema's format, and rows of the output as always.
func TestOtherFormats(t *testing.T) {
	t.Parallel()
	const (
		clicks = `{"source":"S","format":{"type":"json"},"columns":[
			{"name":"user","alias":"U","path":"$.user.id","type":"BIGINT","nullable":true},
			{"name":"price","alias":"P","type":"DECIMAL(6,2)"},
			{"name":"at","alias":"C","type":"TIMESTAMP","pattern":"yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX"},
			{"name":"born","alias":"D","type":"DATE","nullable":true,"pattern":"dd/MM/yyyy"}]}`
		sales = `{"source":"S","format":{"delimiter":";","decimal":",","header":true,"nulls":[""],"newline":"\r\n"},"columns":[
			{"name":"id","alias":"I","type":"INTEGER"},{"name":"what","alias":"W","type":"VARCHAR"},{"name":"price","alias":"P","type":"REAL","nullable":true}]}`
		sql = "CREATE TABLE O (N INTEGER, T VARCHAR); INSERT INTO O SELECT 1, 'a' FROM S"
	)
	tests := map[string]struct {
		schema, output, data, want string // "" is dropped
		reason                     string // of what fails
	}{
		"JSON to JSON": {
			schema: clicks, output: JSON,
			data: `{"user":{"id":7},"price":1.5,"at":"2026-11-23T20:00:09.25+01:00","born":"01/02/1990"}{"price":2,"at":"2026-11-23T20:00:09Z"}`,
			want: `{"user":7,"price":1.50,"at":"2026-11-23 19:00:09.25","born":"1990-02-01"}` + "\n" +
				`{"user":null,"price":2.00,"at":"2026-11-23 20:00:09","born":null}` + "\n",
		},
		"JSON to CSV": {
			schema: clicks, output: CSV, data: `[{"user":{"id":7},"price":1.5,"at":"2026-11-23T20:00:09Z","born":null}]`,
			want: "7,1.50,2026-11-23 20:00:09,\n",
		},
		"CSV to JSON": {
			schema: sales, output: JSON, data: "id;what;price\r\n1;\"a;b\"\"\";12,50\r\n+02;\"\";\r\n",
			want: `{"id":1,"what":"a;b\"","price":12.50}` + "\n" + `{"id":2,"what":"","price":null}` + "\n",
		},
		"a header alone":     {schema: sales, output: JSON, data: "id;what;price\r\n"},
		"no element":         {schema: clicks, output: JSON, data: "[]\n"},
		"rows of the output": {schema: clicks, output: JSON, data: "1,a\n2,b\n", want: `{"N":1,"T":"a"}` + "\n" + `{"N":2,"T":"b"}` + "\n"},
		"JSON of the output": {schema: clicks, output: CSV, data: `{"N":1,"T":"a"}` + "\n", want: "1,a\n"},
		"one bad row": {
			schema: clicks, output: JSON, data: `{"price":2,"at":"2026-11-23T20:00:09Z"}` + "\n" + `{"price":"secret","at":"2026-11-23T20:00:09Z"}`,
			reason: `"row":2,"reason":"not a row of the output; read as one of the source: column price: not a number"`,
		},
		"a quote that is not closed": {
			schema: sales, output: CSV, data: "1;\"a\r\n", reason: `"row":1,"reason":"not a row of the output; read as one of the source: unclosed quote"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := pipeline.Parse([]byte(test.schema), []byte(sql))
			if err != nil {
				t.Fatal(err)
			}
			var logged bytes.Buffer
			h, err := New(Config{Output: test.output, Delimiter: ","}, p, slog.New(slog.NewJSONHandler(&logged, nil)), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				logged.Reset()
				answer, err := h.Invoke(t.Context(), eventOf(t, test.data))
				if err != nil {
					t.Fatal(err)
				}
				got := answered(t, answer)[0]
				want, data := "Ok", test.want
				switch {
				case test.reason != "":
					want, data = "ProcessingFailed", test.data
				case test.want == "":
					want = "Dropped"
				}
				if diff := cmp.Diff(data, string(got.Data)); got.Result != want || diff != "" {
					t.Fatalf("got %s, want %s (-want +got):\n%s%s", got.Result, want, diff, logged.String())
				}
				if !bytes.Contains(logged.Bytes(), []byte(test.reason)) || (test.reason == "") != (logged.Len() == 0) || bytes.Contains(logged.Bytes(), []byte("secret")) {
					t.Errorf("got log %s, want %q in it", &logged, test.reason)
				}
			}
		})
	}
}
