package firehose

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", maxRecord)
	many := make([]string, maxRecords+1)
	for _, c := range []struct {
		name, operation string
		body            any
		want            string // "" if it is accepted
	}{
		{"a batch", putRecordBatch, batch("a", "b"), ""},
		{"a record", putRecord, map[string]any{"DeliveryStreamName": streamName, "Record": map[string]string{"Data": "YQ=="}}, ""},
		{"an empty record", putRecordBatch, batch(""), ""},
		{"the largest record", putRecordBatch, batch(big), ""},
		{"too large a record", putRecordBatch, batch(big + "x"), "InvalidArgumentException: record 0 has 1024001 bytes, and 1024000 are allowed"},
		{"the largest batch", putRecordBatch, batch(big, big, big, big, strings.Repeat("x", maxBatch-4*maxRecord)), ""},
		{"too large a batch", putRecordBatch, batch(big, big, big, big, strings.Repeat("x", maxBatch-4*maxRecord+1)), "InvalidArgumentException: the records have 4194305 bytes, and 4194304 are allowed"},
		{"as many records as may be", putRecordBatch, batch(many[1:]...), ""},
		{"too many records", putRecordBatch, batch(many...), "InvalidArgumentException: 501 records, and 500 are allowed"},
		{"no records", putRecordBatch, batch(), "InvalidArgumentException: at least one record is required"},
		{"no record", putRecord, map[string]any{"DeliveryStreamName": streamName}, "InvalidArgumentException: at least one record is required"},
		{"no data", putRecord, map[string]any{"DeliveryStreamName": streamName, "Record": map[string]any{}}, "InvalidArgumentException: record 0 has no Data"},
		{"no name", putRecordBatch, map[string]any{"Records": []any{map[string]string{"Data": ""}}}, "InvalidArgumentException: DeliveryStreamName is missing"},
		{"another stream", putRecordBatch, map[string]any{"DeliveryStreamName": "other", "Records": []any{map[string]string{"Data": ""}}}, "ResourceNotFoundException: said by the fake"},
		{"not base64", putRecordBatch, `{"DeliveryStreamName":"delivery","Records":[{"Data":"!"}]}`, "SerializationException: illegal base64 data at input byte 0"},
		{"not JSON", putRecordBatch, `{`, "SerializationException: unexpected end of JSON input"},
		{"much too large", putRecordBatch, strings.Repeat(" ", maxRequestBody+1), "InvalidArgumentException: the request has more than 8388608 bytes"},
		{"another operation", "ListDeliveryStreams", batch("a"), "UnknownOperationException: POST Firehose_20150804.ListDeliveryStreams: this endpoint is for PutRecord and PutRecordBatch only; the emulator has the rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFake().start(t)
			status, answer := post(s, c.operation, c.body)
			got, wantStatus := "", http.StatusOK
			if c.want != "" {
				got, wantStatus = fmt.Sprintf("%v: %v", answer["__type"], answer["message"]), http.StatusBadRequest
			} else if answer["Encrypted"] != true {
				t.Errorf("got %v, want that it is encrypted", answer)
			}
			if got != c.want || status != wantStatus {
				t.Errorf("got %d %s %v, want %d %s", status, got, answer, wantStatus, c.want)
			}
			closed(t, s)
		})
	}
}

// TestAuthorization has the emulator asked with everything but the records.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := f.start(t)
	body := `{"Records":[{"Data":"c2VjcmV0"}],"DeliveryStreamName":"delivery"}`
	call := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://here:1/", strings.NewReader(body))
		for name, value := range map[string]string{
			"X-Amz-Target": targetPrefix + putRecordBatch, "Authorization": "AWS4-HMAC-SHA256 …", "X-Amz-Date": "20260101T000000Z",
			"X-Amz-Security-Token": "token", "Content-Type": contentType,
		} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if got := call(); got.Code != http.StatusOK {
		t.Fatalf("got %d %s, want 200", got.Code, got.Body)
	}
	asked := f.authorized[0]
	emptied, err := io.ReadAll(asked.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimRight(string(emptied), " "), `{"DeliveryStreamName":"delivery","Records":[]}`; got != want || len(emptied) != len(body) {
		t.Errorf("got %q, want %q and spaces up to %d bytes", emptied, want, len(body))
	}
	if got, want := asked.Header.Get(contentSHA256), hash([]byte(body)); got != want {
		t.Errorf("got the hash %s, want %s", got, want)
	}
	if asked.Host != "here:1" || asked.Header.Get("Authorization") != "AWS4-HMAC-SHA256 …" || asked.Header.Get("X-Amz-Security-Token") != "token" {
		t.Errorf("got %s %v, want the caller's", asked.Host, asked.Header)
	}

	f.mu.Lock()
	f.denied = true
	f.mu.Unlock()
	got := call()
	if want := `{"__type":"AccessDeniedException","message":"said by the fake"}`; got.Code != http.StatusForbidden || got.Body.String() != want {
		t.Errorf("got %d %s, want 403 %s", got.Code, got.Body, want)
	}
	closed(t, s)
	if got := f.bodies(t, ""); !cmp.Equal(got, []string{"secret"}) {
		t.Errorf("got %q, want the record of the call that was allowed", got)
	}
}

var keyPattern = regexp.MustCompile(`^data/2000/01/01/00/delivery-1-2000-01-01-00-00-00-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// TestBuffering: by interval and by size, joined with nothing between, as the role of the stream.
func TestBuffering(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.start(t)
		start := time.Now()
		put(t, s, "a", "b\n")
		time.Sleep(59 * time.Second)
		put(t, s, "c")
		synctest.Wait()
		if got, want := s.Waiting()[streamName], (Waiting{3, 4, start}); got != want {
			t.Errorf("got %+v waiting, want %+v", got, want)
		}
		if got := f.written(""); len(got) != 0 {
			t.Errorf("got %v before the interval was over", got)
		}
		time.Sleep(2 * time.Second)
		got := f.written("")
		if len(got) != 1 || got[0].body != "ab\nc" || got[0].at.Sub(start) != time.Minute || got[0].encoding != "" || got[0].credential != "SESSION1" {
			t.Fatalf("got %v, want one object after a minute, by the role", got)
		}
		if !keyPattern.MatchString(got[0].key) {
			t.Errorf("got the key %s", got[0].key)
		}
		if got := s.Waiting()[streamName]; got != (Waiting{}) {
			t.Errorf("got %+v waiting after that, want nothing", got)
		}

		half := strings.Repeat("x", mebibyte/2)
		put(t, s, half, "y", half, "z")
		synctest.Wait()
		if got := f.bodies(t, ""); len(got) != 2 || got[1] != half+"y"+half {
			t.Errorf("got %d objects, want a second one, of the size", len(got))
		}
		time.Sleep(61 * time.Second)
		if got := f.bodies(t, ""); len(got) != 3 || got[2] != "z" {
			t.Errorf("got %d objects, want the rest after the interval", len(got))
		}
		if !strings.Contains(f.assumed[0], "ExternalId=000000000000") {
			t.Errorf("got %s, want the account for the external id", f.assumed[0])
		}
		want := Stats{Records: 7, Bytes: mebibyte + 6, BilledBytes: 5*5120 + 2*527360, Objects: 3}
		if diff := cmp.Diff(want, s.Stats()[streamName]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		closed(t, s)
	})
}

// TestZeroInterval: each put at once, and together.
func TestZeroInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("BufferingHints", map[string]any{"SizeInMBs": 1, "IntervalInSeconds": 0})
		s := f.start(t)
		for _, records := range [][]string{{"a", "b"}, {"c"}} {
			put(t, s, records...)
			synctest.Wait()
		}
		if got, want := f.bodies(t, ""), []string{"ab", "c"}; !cmp.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		closed(t, s)
	})
}

func TestGzip(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.set("CompressionFormat", "GZIP")
	f.set("ProcessingConfiguration", processing())
	f.function = func(e event) (string, bool) { return answerOf(e, "Ok", "ProcessingFailed"), false }
	s := f.start(t)
	put(t, s, "a", "b", "c", "d")
	closed(t, s)
	if got, want := f.bodies(t, "data/"), []string{"A" + "C"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.bodies(t, "errors/"); len(got) != 1 || strings.Count(got[0], "\n") != 2 {
		t.Errorf("got %q, want two lines", got)
	}
	for _, o := range f.written("") {
		if !strings.HasSuffix(o.key, ".gz") || o.encoding != "gzip" || o.body[:2] != "\x1f\x8b" {
			t.Errorf("got %s with %s, want gzip", o.key, o.encoding)
		}
	}
}

// TestUpdate: what the emulator says counts for the next object, and is asked once a second at most.
func TestUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.start(t)
		for range 5 {
			put(t, s, "a")
		}
		if f.describes != 1 {
			t.Errorf("got %d looks within a second, want 1", f.describes)
		}
		time.Sleep(time.Second)
		f.set("Prefix", "other/!{timestamp:yyyy}/")
		f.set("BufferingHints", map[string]any{"SizeInMBs": 2, "IntervalInSeconds": 5})
		put(t, s, "b")
		time.Sleep(5 * time.Second)
		if got := f.bodies(t, "other/2000/delivery-3-"); !cmp.Equal(got, []string{"aaaaab"}) {
			t.Errorf("got %q in %v, want everything under the new prefix after the new interval", got, f.written(""))
		}

		f.set("CustomTimeZone", "Asia/Tokyo")
		time.Sleep(time.Second)
		if status, answer := post(s, putRecordBatch, batch("c")); status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(answer["message"]), `"CustomTimeZone"`) {
			t.Errorf("got %d %v, want a refusal that names CustomTimeZone", status, answer)
		}
		f.mu.Lock()
		delete(f.description, "CustomTimeZone")
		f.mu.Unlock()
		put(t, s, "d")
		// A stream that goes delivers what it took.
		f.mu.Lock()
		f.description = nil
		f.mu.Unlock()
		time.Sleep(time.Minute)
		if status, _ := post(s, putRecordBatch, batch("e")); status != http.StatusBadRequest {
			t.Errorf("got %d, want that the stream is not found", status)
		}
		if got := f.bodies(t, "other/"); len(got) != 2 || got[1] != "d" {
			t.Errorf("got %q, want what was taken", got)
		}
		closed(t, s)
	})
}

// TestDeniedWrite: it is tried until it is allowed, with new credentials, and nothing is lost.
func TestDeniedWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.writesDenied = true
		s := f.start(t)
		put(t, s, "a")
		time.Sleep(10 * time.Minute)
		put(t, s, "b")
		synctest.Wait()
		if got := s.Waiting()[streamName]; got.Records != 2 || time.Since(got.Since) != 10*time.Minute {
			t.Errorf("got %+v waiting, want the record that is not written, too", got)
		}
		f.mu.Lock()
		f.writesDenied = false
		f.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if got, want := f.bodies(t, ""), []string{"a", "b"}; !cmp.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if len(f.assumed) < 10 {
			t.Errorf("got %d sessions, want one a try", len(f.assumed))
		}
		closed(t, s)
	})
}

// TestErrorLog: what cannot be written or transformed is logged, where the stream has a log, and nowhere else.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	for _, logs := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.writesDenied = true
			f.set("CloudWatchLoggingOptions", map[string]any{"Enabled": logs, "LogGroupName": "deliveries", "LogStreamName": "rows"})
			f.set("ProcessingConfiguration", processing("BufferIntervalInSeconds", "0", "NumberOfRetries", "0"))
			f.function = func(event) (string, bool) { return `{"errorMessage":"out of order"}`, true }
			s := f.start(t)
			put(t, s, "a")
			time.Sleep(2 * time.Minute)
			f.mu.Lock()
			f.writesDenied = false
			logged := strings.Join(f.logged, "\n")
			f.mu.Unlock()
			for _, want := range []string{`"logGroupName":"deliveries"`, `"logStreamName":"rows"`, "out of order", "S3.AccessDenied"} {
				if strings.Contains(logged, want) != logs {
					t.Errorf("with logs %t: got %s, want %s in it: %t", logs, logged, want, logs)
				}
			}
			closed(t, s)
		})
	}
}

// TestClose: Close writes everything, or reports what was not written.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("ProcessingConfiguration", processing())
		f.function = func(e event) (string, bool) { return answerOf(e, "Ok", "Dropped", "ProcessingFailed"), false }
		s := f.start(t)
		start := time.Now()
		put(t, s, "a", "b", "c", "d")
		closed(t, s)
		if got := f.bodies(t, "data/"); !cmp.Equal(got, []string{"AD"}) || !time.Now().Equal(start) {
			t.Errorf("got %q after %v, want it at once", got, time.Since(start))
		}

		f = newFake()
		f.writesDenied = true
		s = f.start(t)
		put(t, s, "a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := s.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 records were not written") {
			t.Errorf("got %v, want what was lost", err)
		}

		// A deleted stack takes its delivery stream, role and bucket with it; what the stream held is not waited for.
		f = newFake()
		s = f.start(t)
		put(t, s, "a", "b")
		f.mu.Lock()
		f.description, f.writesDenied = nil, true
		f.mu.Unlock()
		time.Sleep(2 * lookInterval)
		start = time.Now()
		closed(t, s)
		if took := time.Since(start); took > time.Second {
			t.Errorf("the end of a deleted delivery stream took %v", took)
		}
	})
}

// TestStart serves over HTTP.
func TestStart(t *testing.T) {
	t.Parallel()
	if _, err := Start(Config{}); err == nil {
		t.Error("got no error, want that the emulator is missing")
	}
	f := newFake()
	s, err := Start(Config{AWS: f.start(t).aws})
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	s.SetHooks(Hooks{Answer: func(string) bool { return lost }})
	call := func() error {
		body, err := json.Marshal(batch("a"))
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("X-Amz-Target", targetPrefix+putRecordBatch)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != contentType {
			return fmt.Errorf("%s %v", response.Status, response.Header)
		}
		return nil
	}
	if err := call(); err != nil {
		t.Error(err)
	}
	lost = true
	if err := call(); err == nil {
		t.Error("got an answer, want none")
	}
	closed(t, s)
	if got := f.bodies(t, ""); !cmp.Equal(got, []string{"aa"}) {
		t.Errorf("got %q, want both", got)
	}
	if err := call(); err == nil {
		t.Error("got an answer after the end")
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	t.Run("call", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		s := f.start(t)
		s.SetHooks(Hooks{Call: func(string) *Error { return &Error{503, serviceUnavailable, "slow down"} }})
		if status, answer := post(s, putRecordBatch, batch("a")); status != 503 || answer["__type"] != serviceUnavailable || answer["message"] != "slow down" {
			t.Errorf("got %d %v", status, answer)
		}
		s.SetHooks(Hooks{})
		put(t, s, "b")
		closed(t, s)
		if got := f.bodies(t, ""); !cmp.Equal(got, []string{"b"}) {
			t.Errorf("got %q, want nothing of the refused call", got)
		}
	})
	t.Run("entry", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		s := f.start(t)
		s.SetHooks(Hooks{Entry: func(_ string, i int) string {
			if i == 0 {
				return serviceUnavailable
			}
			return ""
		}})
		_, answer := post(s, putRecordBatch, batch("a", "b"))
		entries, _ := answer["RequestResponses"].([]any)
		if answer["FailedPutCount"] != 1.0 || len(entries) != 2 {
			t.Fatalf("got %v, want one failure of two", answer)
		}
		if diff := cmp.Diff(map[string]any{"ErrorCode": serviceUnavailable, "ErrorMessage": "refused by a hook"}, entries[0]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if second, _ := entries[1].(map[string]any); len(second) != 1 || second["RecordId"] == "" {
			t.Errorf("got %v, want a record id only", second)
		}
		single := map[string]any{"DeliveryStreamName": streamName, "Record": map[string]string{"Data": "YQ=="}}
		if status, answer := post(s, putRecord, single); status != 503 || answer["__type"] != serviceUnavailable {
			t.Errorf("got %d %v, want 503", status, answer)
		}
		closed(t, s)
		if got := f.bodies(t, ""); !cmp.Equal(got, []string{"b"}) {
			t.Errorf("got %q, want the entry that was taken", got)
		}
	})
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		s := f.start(t)
		s.SetHooks(Hooks{Answer: func(string) bool { return true }})
		if status, answer := post(s, putRecordBatch, batch("a")); status != 0 {
			t.Errorf("got %d %v, want no answer", status, answer)
		}
		closed(t, s)
		if got := f.bodies(t, ""); !cmp.Equal(got, []string{"a"}) {
			t.Errorf("got %q, want the record all the same", got)
		}
	})
	t.Run("write", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.set("BufferingHints", map[string]any{"SizeInMBs": 1, "IntervalInSeconds": 0})
			s := f.start(t)
			held := errors.New("held")
			s.SetHooks(Hooks{Write: func(ctx context.Context, o Object, put func(Object) error) error {
				switch string(o.Body) {
				case "late": // overtaken
					time.Sleep(time.Hour)
				case "held":
					<-ctx.Done()
				case "lost":
					return held
				case "twice":
					again := o
					again.Key += "-again"
					return errors.Join(put(o), put(again))
				case "rewritten":
					other := o
					other.Body = []byte("other")
					return errors.Join(put(o), put(other))
				}
				return put(o)
			}})
			for _, r := range []string{"late", "held", "lost", "twice", "rewritten", "plain"} {
				put(t, s, r)
				synctest.Wait()
			}
			time.Sleep(2 * time.Hour)
			err := s.Close(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), ": 1 records were not written") {
				t.Errorf("got %v, want the lost one", err)
			}
			want := []string{"twice", "twice", "rewritten", "other", "plain", "late", "held"}
			if got := f.bodies(t, ""); !cmp.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			o := f.written("")
			if o[1].key != o[0].key+"-again" || o[3].key != o[2].key {
				t.Errorf("got the keys %s, %s, %s, %s", o[0].key, o[1].key, o[2].key, o[3].key)
			}
		})
	})
}

// answerOf answers an event with the results in turn; what is Ok is in upper case.
func answerOf(e event, in ...string) string {
	out := map[string]any{}
	var records []map[string]any
	for i, r := range e.Records {
		record := map[string]any{"recordId": r.RecordID, "result": in[i%len(in)]}
		if in[i%len(in)] == "Ok" {
			record["data"] = base64.StdEncoding.EncodeToString(bytes.ToUpper(r.Data))
		}
		records = append(records, record)
	}
	out["records"] = records
	data, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(data)
}
