package reshape

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/golden"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// samples returns the function's sample events: one of Direct PUT, one with a Kinesis stream as the source.
func samples(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../../functions/transform/events/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("sample events: %q, %v", paths, err)
	}
	return paths
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newHandler(t testing.TB, output, delimiter string) (*Handler, *bytes.Buffer) {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	h, err := New(Config{Output: output, Delimiter: delimiter}, p, log, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return h, &logged
}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// answered parses an answer as Firehose does.
func answered(t fataler, answer []byte) []events.KinesisFirehoseResponseRecord {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	var response events.KinesisFirehoseResponse
	if err := decoder.Decode(&response); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return response.Records
}

func encode(t fataler, records []events.KinesisFirehoseEventRecord) []byte {
	t.Helper()
	event, err := json.Marshal(events.KinesisFirehoseEvent{InvocationID: "i", DeliveryStreamArn: "arn", Records: records})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// eventOf returns an event with one record for each data.
func eventOf(t fataler, data ...string) []byte {
	t.Helper()
	var records []events.KinesisFirehoseEventRecord
	for i, d := range data {
		records = append(records, events.KinesisFirehoseEventRecord{RecordID: fmt.Sprintf("%056d", i), Data: []byte(d)})
	}
	return encode(t, records)
}

// TestSampleEvents compares the answer to each sample event with two golden files: its bytes, and a readable form with
// the log.
func TestSampleEvents(t *testing.T) {
	for _, path := range samples(t) {
		for _, form := range []struct{ output, delimiter string }{{JSON, ","}, {CSV, "|"}} {
			name := strings.TrimSuffix(filepath.Base(path), ".json") + "-" + strings.ToLower(form.output)
			t.Run(name, func(t *testing.T) {
				h, logged := newHandler(t, form.output, form.delimiter)
				answer, err := h.Invoke(t.Context(), read(t, path))
				if err != nil {
					t.Fatal(err)
				}
				var people strings.Builder
				for _, r := range answered(t, answer) {
					data := string(r.Data)
					if strings.ContainsRune(data, 0) {
						data = strconv.Quote(data)
					}
					fmt.Fprintf(&people, "%s %s\n%s\n", r.RecordID, r.Result, data)
				}
				people.Write(logged.Bytes())
				for extension, got := range map[string][]byte{".json": answer, ".txt": []byte(people.String())} {
					golden.Check(t, filepath.Join("testdata", name+extension), got)
				}
			})
		}
	}
}

const trip = "1,2026-11-23 20:00:00,2026-11-23 20:31:00,5,3,-73.0,40.0,2,N,-73.0,40.0,3,55,1,0.05,97,4,0.3,157.35"

// TestBadRows checks that a record with a bad row goes back unchanged, and that the log names the row and the reason
// but no value.
func TestBadRows(t *testing.T) {
	tests := map[string]struct {
		data   string
		row    int // 0: of the record
		reason string
	}{
		"text for a number":       {"1,1,1,1\nsecret,1,1,1\n1,1,1,1\n", 2, "column VendorID: is not of type INTEGER"},
		"a column too few":        {"1,1,1\n", 1, "line has 3 columns; a row of the output has 4, a trip 19"},
		"a column too many":       {"1,1,1,1,\n", 1, "line has 5 columns; a row of the output has 4, a trip 19"},
		"a blank line":            {"1,1,1,1\n\n", 2, "empty line"},
		"a blank line alone":      {"\n", 1, "empty line"},
		"a blank line between":    {"1,1,1,1\n\n1,1,1,1", 2, "empty line"},
		"an infinity":             {"1,1,Infinity,1\n", 1, "column trip_distance: is not of type REAL"},
		"rows without a newline":  {"1,1,1,11,1,1,1\n", 1, "line has 7 columns; a row of the output has 4, a trip 19"},
		"Windows lines":           {"1,1,1,1\r\n", 1, "carriage return"},
		"a name of no column":     {`{"x":"secret"}` + "\n", 1, `"x" is not one of the columns of the output`},
		"a name in another case":  {`{"col3":1}` + "\n", 1, `"col3" is not one of the columns of the output, but COL3 is`},
		"a name that acts":        {`{"\u001b[2J\u202e":1}` + "\n", 1, `"\x1b[2J\u202e" is not one of the columns of the output`},
		"a name given twice":      {`{"COL0":1,"COL0":1}` + "\n", 1, `"COL0" is given twice`},
		"a column by both names":  {`{"COL0":1,"VendorID":1}` + "\n", 1, "column VendorID: it is given twice"},
		"a string for a number":   {`{"COL0":"secret"}` + "\n", 1, "column VendorID: the JSON value is not of type INTEGER"},
		"a column missing":        {`{"COL0":1,"COL3":1,"COL4":1}` + "\n", 1, "column total_amount: it is missing"},
		"broken JSON":             {`{"COL0":secret}` + "\n", 1, "not JSON from byte 9 on"},
		"JSON over two lines":     {"{\"COL0\":1,\n\"COL3\":1}\n", 1, "the JSON ends too early"},
		"a trip's time":           {strings.Replace(trip, "20:31", "20:61", 1) + "\n", 1, "column tpep_dropoff_datetime: not a timestamp"},
		"a trip's fraction":       {strings.Replace(trip, "20:31:00", "20:31:00.5", 1) + "\n", 1, "column tpep_dropoff_datetime: not a timestamp"}, // as in the job
		"a trip's empty value":    {strings.Replace(trip, ",5,3,", ",,3,", 1) + "\n", 1, "column passenger_count: not an integer"},
		"a trip's semicolons":     {strings.ReplaceAll(trip, ",", ";") + "\n", 1, "wrong number of columns"},
		"a trip's line end":       {trip + "\r\n", 1, "carriage return"},
		"a trip's flag":           {trip + "\n" + strings.Replace(trip, "N", "secret", 1) + "\n", 2, "column store_and_fwd_flag: wrong length"},
		"a trip with too much":    {strings.Replace(trip, ",N,", ",,,", 1) + "\n", 1, "line has 20 columns; a row of the output has 4, a trip 19"},
		"no UTF-8":                {strings.Replace(trip, "N", "\xff", 1) + "\n", 1, "invalid UTF-8"},
		"Latin-1":                 {strings.Replace(trip, "N", "\xe9", 1) + "\n", 1, "not UTF-8, perhaps Latin-1"},
		"gzip":                    {"\x1f\x8b\x08\x00\n", 0, "gzip"},
		"UTF-16":                  {"\xff\xfe1\x00\n\x00", 0, "UTF-16 text, not UTF-8"},
		"UTF-16 without a mark":   {"1\x00,\x002\x00\n\x00", 1, "UTF-16 text, not UTF-8"},
		"a byte order mark":       {"\ufeff1,1,1,1\n", 1, "byte order mark"},
		"one before JSON":         {"\ufeff{\"COL0\":1}\n", 1, "byte order mark"},
		"two kinds of delimiters": {"1;1|1|1\n", 1, "line has 1 columns; a row of the output has 4, a trip 19"},
		"a KPL aggregate":         {"\xf3\x89\x9a\xc2\n\x01a\x1a", 0, "aggregated by the Kinesis Producer Library, and not de-aggregated by Firehose"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, logged := newHandler(t, JSON, ",")
			answer, err := h.Invoke(t.Context(), eventOf(t, "2,2,2,2\n", test.data, "1,1,1,1\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := answered(t, answer)
			if got[0].Result != "Ok" || got[2].Result != "Ok" {
				t.Errorf("its neighbours are %s and %s", got[0].Result, got[2].Result)
			}
			if got[1].Result != "ProcessingFailed" || string(got[1].Data) != test.data {
				t.Errorf("it is %s with %q", got[1].Result, got[1].Data)
			}
			place := ""
			if test.row > 0 {
				place = fmt.Sprintf(`"row":%d,`, test.row)
			}
			want := fmt.Sprintf(`{"level":"WARN","msg":"record failed","recordId":"%056d",%s"reason":%q}`+"\n", 1, place, test.reason)
			if logged.String() != want {
				t.Errorf("logged %swant   %s", logged, want)
			}
		})
	}
}

// TestNumbersMatchJob checks that the transform accepts the numbers that the job accepts, in rows of the output
// and in trips, and writes them as JSON's.
func TestNumbersMatchJob(t *testing.T) {
	h, _ := newHandler(t, JSON, ",")
	const zeros = "0000000000000000000000000"
	signed := strings.Replace(strings.Replace(trip, ",5,3,", ",+5,+3.5,", 1), "1,", "+"+zeros+"1,", 1)
	answer, err := h.Invoke(t.Context(), eventOf(t, "+1,"+zeros+"7,+3.5,-.5\n\"+2\",-0,3,1E2\n", signed+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := answered(t, answer)
	want := `{"VendorID":1,"passenger_count":7,"trip_distance":3.5,"total_amount":-0.5}` + "\n" +
		`{"VendorID":2,"passenger_count":-0,"trip_distance":3,"total_amount":1E2}` + "\n"
	if string(got[0].Data) != want {
		t.Errorf("got %s %s, want %s", got[0].Result, got[0].Data, want)
	}
	if want := `{"VendorID":1,`; got[1].Result != "Ok" || !bytes.HasPrefix(got[1].Data, []byte(want)) || !bytes.Contains(got[1].Data, []byte(`"passenger_count":5,"trip_distance":3.5,`)) {
		t.Errorf("got %s %s, want %s", got[1].Result, got[1].Data, want)
	}
}

func TestEmptyEvents(t *testing.T) {
	h, _ := newHandler(t, JSON, ",")
	for event, want := range map[string]string{
		`{"records":[]}`: `{"records":[]}`,
		`{"records":[{"recordId":"a","data":""}]}`: `{"records":[{"recordId":"a","result":"Dropped","data":""}]}`,
		// Escapes are what another writer of JSON might send.
		`{"records":[{"data":"MSwxLDE/\u003d","recordId":"a\"b"}]}`:     "",
		`{"records":[{"data":"MSwxLDEsMQo\u003D","recordId":"a\"\\"}]}`: `{"records":[{"recordId":"a\"\\","result":"Ok","data":"` + base64.StdEncoding.EncodeToString([]byte(`{"VendorID":1,"passenger_count":1,"trip_distance":1,"total_amount":1}`+"\n")) + `"}]}`,
	} {
		got, err := h.Invoke(t.Context(), []byte(event))
		if (err != nil) != (want == "") || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", event, got, err, want)
		}
	}
}

func TestInvalidEvents(t *testing.T) {
	h, _ := newHandler(t, JSON, ",")
	for event, want := range map[string]string{
		``:                  "the JSON ends too early",
		`null`:              "unexpected JSON at byte 1",
		`{}`:                "it has no records",
		`{"Records":[]}`:    "it has no records", // S3, SQS and Kinesis
		`{"records":{}}`:    "unexpected JSON at byte 12",
		`{"records":[]`:     "the JSON ends too early",
		"{\"x\":[\x01":      "the JSON ends too early",
		`{"records":[]} {}`: "text after the closing brace",
		`{"records":[{}]}`:  "records[0]: a record has a recordId and data",
		`{"records":[{"recordId":"a","data":""},7]}`:                          "records[1]: unexpected JSON at byte 40",
		`{"records":[{"recordId":"","data":""}]}`:                             "a record has a recordId and data",
		`{"records":[{"recordId":1,"data":""}]}`:                              "a record has a recordId and data",
		`{"records":[{"recordId":"a","data":null}]}`:                          "a record has a recordId and data",
		`{"records":[{"recordId":"a","data":"","data":""}]}`:                  `"data" is given twice`,
		`{"records":[{"recordId":"a","data":"*"}]}`:                           `recordId "a": data is not base64`,
		`{"records":[{"recordId":"a","data":"MSwx\n"}]}`:                      `recordId "a": data is not base64`,
		`{"records":[{"recordId":"a","data":""},{"recordId":"a","data":""}]}`: `recordId "a" is in the event twice`,
	} {
		if _, err := h.Invoke(t.Context(), []byte(event)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", event, err, want)
		}
	}
}

// TestAnswersAreComplete checks that each record is answered once and in order, with all of its rows or unchanged.
func TestAnswersAreComplete(t *testing.T) {
	handlers := []*Handler{}
	for _, form := range []struct{ Output, Delimiter string }{{JSON, ","}, {CSV, ","}, {CSV, ";"}, {CSV, "|"}, {CSV, "\t"}} {
		h, _ := newHandler(t, form.Output, form.Delimiter)
		handlers = append(handlers, h)
	}
	number := rapid.StringMatching(`-?[0-9]{1,4}(\.[0-9]{0,12})?`)
	small := rapid.StringMatching(`-?[0-9]{1,4}`)
	line := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return strings.Replace(trip, "3,55", number.Draw(t, "payment")+",55", 1)
		case 1:
			return rapid.StringN(0, 20, -1).Draw(t, "junk")
		case 2:
			return fmt.Sprintf(`{"COL0":%s,"COL3":1,"trip_distance":%s,"COL18":null}`, small.Draw(t, "a"), number.Draw(t, "b"))
		default:
			d := rapid.SampledFrom([]string{",", ";", "|", "\t"}).Draw(t, "delimiter")
			return strings.Join([]string{small.Draw(t, "a"), small.Draw(t, "b"), number.Draw(t, "c"), number.Draw(t, "d")}, d)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(handlers).Draw(t, "handler")
		records := []events.KinesisFirehoseEventRecord{}
		for _, id := range rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9]{1,62}`), 0, 8, rapid.ID).Draw(t, "ids") {
			text := strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "lines"), "\n")
			if text != "" && rapid.Bool().Draw(t, "ended") {
				text += "\n"
			}
			records = append(records, events.KinesisFirehoseEventRecord{RecordID: id, Data: []byte(text)})
		}
		event := encode(t, records)
		before := bytes.Clone(event)
		answer, err := h.Invoke(context.Background(), event)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, event) {
			t.Fatal("the event was changed")
		}
		got := answered(t, answer)
		if len(got) != len(records) {
			t.Fatalf("%d records came back for %d", len(got), len(records))
		}
		for i, r := range records {
			if got[i].RecordID != r.RecordID {
				t.Fatalf("record %d is %s, want %s", i, got[i].RecordID, r.RecordID)
			}
			switch got[i].Result {
			case "Dropped":
				if len(r.Data) > 0 || len(got[i].Data) > 0 {
					t.Fatalf("dropped: %q", r.Data)
				}
			case "ProcessingFailed":
				if !bytes.Equal(got[i].Data, r.Data) {
					t.Fatalf("failed with %q for %q", got[i].Data, r.Data)
				}
				if _, ok := keys(h, string(r.Data)); ok {
					t.Fatalf("failed: %q", r.Data)
				}
			case "Ok":
				want, ok := keys(h, string(r.Data))
				have, ok2 := keys(h, string(got[i].Data))
				if !ok || !ok2 || !cmp.Equal(have, want) || !bytes.HasSuffix(got[i].Data, []byte("\n")) {
					t.Fatalf("%q became %q", r.Data, got[i].Data)
				}
			default:
				t.Fatalf("result %s", got[i].Result)
			}
		}
	})
}

// keys returns the rows of a record's data by value; ok is false if a line is not a row.
func keys(h *Handler, data string) (keys []string, ok bool) {
	for line := range strings.SplitSeq(strings.TrimSuffix(data, "\n"), "\n") {
		key, err := h.output.schema.Append(nil, []byte(line))
		if err != nil {
			key, err = h.trips.schema.Append(nil, []byte(line))
		}
		if err != nil {
			return nil, false
		}
		keys = append(keys, string(key))
	}
	return keys, true
}

// largest returns an event of the largest size that Lambda accepts. Each record has so many rows, and a bad one if
// asked.
func largest(t testing.TB, rows int, bad bool) (event []byte, records int) {
	t.Helper()
	const lambdaTakes = 6_291_556
	event = append(event, `{"invocationId":"i","deliveryStreamArn":"arn","region":"eu-west-1","records":[`...)
	data := strings.Repeat("1,2,3.0,4.56\n", rows)
	if bad {
		data += "bad\n"
	}
	text := base64.StdEncoding.EncodeToString([]byte(data))
	for {
		one := fmt.Sprintf(`{"recordId":"%062d","approximateArrivalTimestamp":1795464000000,"data":"%s"},`, records, text)
		if len(event)+len(one) > lambdaTakes {
			break
		}
		event = append(event, one...)
		records++
	}
	return append(event[:len(event)-1], "]}"...), records
}

// TestAnswersFit checks that the answer to the largest event fits: records without room go back unchanged.
func TestAnswersFit(t *testing.T) {
	for _, test := range []struct {
		rows int
		bad  bool
	}{{1, false}, {1, true}, {10, false}, {1000, false}, {1000, true}, {10_000, false}, {80_000, false}} {
		t.Run(fmt.Sprintf("%d rows %v", test.rows, test.bad), func(t *testing.T) {
			h, logged := newHandler(t, JSON, ",")
			event, records := largest(t, test.rows, test.bad)
			answer, err := h.Invoke(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			if len(answer) > MaxAnswer {
				t.Errorf("%d bytes", len(answer))
			}
			got := answered(t, answer)
			if len(got) != records {
				t.Fatalf("%d records for %d", len(got), records)
			}
			results := map[string]int{}
			for i, r := range got {
				results[r.Result]++
				if r.RecordID != fmt.Sprintf("%062d", i) {
					t.Fatalf("record %d is %s", i, r.RecordID)
				}
			}
			t.Logf("event %d bytes, answer %d, %v", len(event), len(answer), results)
			if test.bad && results["Ok"] > 0 || !test.bad && results["ProcessingFailed"] > 0 && !strings.Contains(logged.String(), "no room") {
				t.Errorf("got %v", results)
			}
		})
	}
}

// TestUnanswerableEvents checks the error for records that do not even fit unchanged. Such records have no
// times.
func TestUnanswerableEvents(t *testing.T) {
	h, _ := newHandler(t, JSON, ",")
	event, _ := largest(t, 1, true)
	event = bytes.ReplaceAll(event, []byte(`"approximateArrivalTimestamp":1795464000000,`), nil)
	event = bytes.TrimSuffix(event, []byte("]}"))
	for i := 0; len(event) < 6_291_000; i++ {
		event = fmt.Appendf(event, `,{"recordId":"x%d","data":"YmFk"}`, i)
	}
	if _, err := h.Invoke(t.Context(), append(event, "]}"...)); err == nil || !strings.Contains(err.Error(), "6291456 is the most") {
		t.Errorf("got error %v", err)
	}
}

// TestBufferFits checks that the answer to the template's BufferSizeInMBs of the shortest rows fits, for any
// packing.
func TestBufferFits(t *testing.T) {
	h, _ := newHandler(t, JSON, ",")
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	hint := regexp.MustCompile(`ParameterName: BufferSizeInMBs, ParameterValue: "([0-9.]+)"`).FindSubmatch(template)
	if hint == nil {
		t.Fatal("the template has no BufferSizeInMBs")
	}
	megabytes, err := strconv.ParseFloat(string(hint[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	// The KiB of a pack with a transform: the default and the most.
	packs := regexp.MustCompile(`(?s)!Contains \[\[auto, .*"([0-9]+)"\], !Ref PackKiB\].*pack\.kib: !If \[WithAutoPack, !If \[WithTransform, "([0-9]+)"`).FindSubmatch(template)
	if packs == nil {
		t.Fatal("the template has no PackKiB for a transform")
	}
	// The shortest values grow most, by the columns' names. An escaped byte of text becomes six, which counts here.
	shortest := map[schema.Kind]string{schema.Timestamp: "2026-11-23 20:00:00", schema.Boolean: "true", schema.Char: "\x01", schema.VarChar: ""}
	const recordID = 62 // digits
	overhead := len(before) + recordID + len(`""`) + len(passed) + len(`"`) + len(after)
	for what, shape := range map[string]shape{"output": h.output, "trips": h.trips} {
		var values []string
		for _, c := range shape.schema {
			value, ok := shortest[c.Type.Kind]
			if !ok {
				value = "1"
			}
			values = append(values, value)
		}
		in := strings.Join(values, ",") + "\n"
		fields := make([]row.Field, len(values))
		if _, err := shape.schema.AppendFields(nil, fields, []byte(in[:len(in)-1])); err != nil {
			t.Fatal(err)
		}
		out, _ := shape.write(nil, fields)
		t.Logf("%s: %d bytes become %d, %.2f times as many, and %.2f with base64", what, len(in), len(out), float64(len(out))/float64(len(in)), 4.0/3*float64(len(out))/float64(len(in)))
		for _, rows := range []int{1, 2, 5, 10, 100, 1000} {
			size := func(megabytes float64) int {
				records := int(megabytes * (1 << 20) / float64(rows*len(in)))
				return len(head) + records*(overhead+base64.StdEncoding.EncodedLen(rows*len(out))) + len(tail)
			}
			t.Logf("%s, %d rows a record: %d bytes for %v MB; 0.25 MB would be %d, 0.5 MB %d", what, rows, size(megabytes), megabytes, size(0.25), size(0.5))
			if size(megabytes) > MaxAnswer {
				t.Errorf("%s, %d rows a record: the answer to %v MB has %d bytes, and %d is the most", what, rows, megabytes, size(megabytes), MaxAnswer)
			}
			// The record that reaches the hint may be a full pack.
			for i, pack := range packs[1:] {
				kib, err := strconv.Atoi(string(pack))
				if err != nil {
					t.Fatal(err)
				}
				over := size(megabytes) + overhead + base64.StdEncoding.EncodedLen(kib<<10/len(in)*len(out))
				t.Logf("%s, %d rows a record, and a pack of %d KiB: %d bytes", what, rows, kib, over)
				if largest := i == 0; over > MaxAnswer && (!largest || rows > 1) {
					t.Errorf("%s, %d rows a record: the answer to %v MB and a pack of %d KiB has %d bytes, and %d is the most", what, rows, megabytes, kib, over, MaxAnswer)
				}
			}
		}
	}
}

func TestReadConfig(t *testing.T) {
	for _, test := range []struct {
		environment map[string]string
		want        Config
		err         []string
	}{
		{map[string]string{"OUTPUT": "JSON"}, Config{JSON, ",", ""}, nil},
		{map[string]string{"OUTPUT": "CSV", "DELIMITER": "tab"}, Config{CSV, "\t", ""}, nil},
		{map[string]string{"OUTPUT": "CSV", "DELIMITER": "\t"}, Config{CSV, "\t", ""}, nil},
		{map[string]string{"OUTPUT": "JSON", "STACK_NAME": "streamproof"}, Config{JSON, ",", "streamproof"}, nil},
		{map[string]string{"OUTPUT": "CSV", "DELIMITER": "|"}, Config{CSV, "|", ""}, nil},
		{map[string]string{"DELIMITER": ":"}, Config{}, []string{`"OUTPUT" is not set`, `DELIMITER is ":"`}},
		{map[string]string{"OUTPUT": "csv", "DELIMITER": ",;"}, Config{}, []string{`OUTPUT is "csv", want JSON or CSV`, `DELIMITER is ",;"`}},
	} {
		got, err := ReadConfig(test.environment)
		if (err == nil) != (test.err == nil) || got != test.want {
			t.Errorf("%q: got %+v, %v", test.environment, got, err)
		}
		for _, want := range test.err {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got error %v, want one with %s", test.environment, err, want)
			}
		}
	}
}
