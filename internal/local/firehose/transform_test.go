package firehose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// envelopes are the lines of the error objects.
func (f *fake) envelopes(t *testing.T) []envelope {
	t.Helper()
	var found []envelope
	for _, body := range f.bodies(t, "errors/processing-failed/2000/01/01/00/delivery-") {
		for line := range strings.Lines(body) {
			var e envelope
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			found = append(found, e)
		}
	}
	return found
}

// TestTransform puts the records a to d. Each must come out exactly once.
func TestTransform(t *testing.T) {
	t.Parallel()
	always := func(payload string) func(event) (string, bool) {
		return func(event) (string, bool) { return payload, false }
	}
	// each answers by a template of which %s is the record's id.
	each := func(templates ...string) func(event) (string, bool) {
		return func(e event) (string, bool) {
			var parts []string
			for i, r := range e.Records {
				if template := templates[i%len(templates)]; template != "" {
					parts = append(parts, strings.ReplaceAll(template, "%s", r.RecordID))
				}
			}
			return `{"records":[` + strings.Join(parts, ",") + `]}`, false
		}
	}
	const ok = `{"recordId":"%s","result":"Ok","data":"T0s="}`
	for _, c := range []struct {
		name         string
		function     func(event) (string, bool)
		assumeDenied bool
		invoke       func(string, int, []byte) error
		want         []string // data objects
		failed       string   // records that failed
		code         string   // their code
		attempts     int      // as their envelopes say
		invocations  int      // of the function
	}{
		{name: "all", function: func(e event) (string, bool) { return answerOf(e, "Ok"), false }, want: []string{"ABCD"}, invocations: 1},
		{name: "metadata and an unknown id", function: each(`{"recordId":"%s","result":"Ok","data":"T0s=","metadata":{"partitionKeys":null}},{"recordId":"x","result":"Ok","data":""}`), want: []string{"OKOKOKOK"}, invocations: 1},
		{name: "dropped", function: func(e event) (string, bool) { return answerOf(e, "Ok", "Dropped"), false }, want: []string{"AC"}, invocations: 1},
		{name: "all dropped", function: func(e event) (string, bool) { return answerOf(e, "Dropped"), false }, invocations: 1},
		{name: "failed", function: func(e event) (string, bool) { return answerOf(e, "Ok", "ProcessingFailed"), false }, want: []string{"AC"}, failed: "bd", code: "Lambda.ProcessingFailedStatus", attempts: 1, invocations: 1},
		{name: "an id missing", function: each(ok, ""), want: []string{"OKOK"}, failed: "bd", code: "Lambda.MissingRecordId", attempts: 1, invocations: 1},
		{name: "no records", function: always(`{}`), failed: "abcd", code: "Lambda.MissingRecordId", attempts: 1, invocations: 1},
		{name: "an id doubled", function: each(ok+","+ok, ok, ok, ok), want: []string{"OKOKOK"}, failed: "a", code: "Lambda.DuplicatedRecordId", attempts: 1, invocations: 1},
		{name: "an unknown result", function: each(ok, `{"recordId":"%s","result":"ok","data":""}`), failed: "abcd", code: "Lambda.JsonProcessingException", attempts: 1, invocations: 1},
		{name: "no data", function: each(`{"recordId":"%s","result":"Ok"}`), failed: "abcd", code: "Lambda.JsonProcessingException", attempts: 1, invocations: 1},
		{name: "data that is not base64", function: each(`{"recordId":"%s","result":"Ok","data":"!"}`), failed: "abcd", code: "Lambda.JsonProcessingException", attempts: 1, invocations: 1},
		{name: "not JSON", function: always("sorry"), failed: "abcd", code: "Lambda.JsonProcessingException", attempts: 1, invocations: 1},
		{name: "the function fails", function: func(event) (string, bool) { return `{"errorMessage":"boom"}`, true }, failed: "abcd", code: "Lambda.FunctionError", attempts: 4, invocations: 4},
		{name: "too large an answer", function: func(e event) (string, bool) { return answerOf(e, "Ok") + strings.Repeat(" ", maxAnswer), false }, failed: "abcd", code: "Lambda.FunctionError", attempts: 4, invocations: 4},
		{name: "as large as may be", function: func(e event) (string, bool) {
			a := answerOf(e, "Ok")
			return a + strings.Repeat(" ", maxAnswer-len(a)), false
		}, want: []string{"ABCD"}, invocations: 1},
		{name: "the role is refused", assumeDenied: true, failed: "abcd", code: "Lambda.AssumeRoleAccessDenied", attempts: 4},
		{name: "throttled", invoke: func(string, int, []byte) error { return &Error{429, "TooManyRequestsException", "slow down"} }, failed: "abcd", code: "Lambda.InvokeLimitExceeded", attempts: 4},
		{name: "two attempts fail", function: func(e event) (string, bool) { return answerOf(e, "Ok"), false }, invoke: func(_ string, attempt int, _ []byte) error {
			if attempt < 3 {
				return errors.New("by the hook")
			}
			return nil
		}, want: []string{"ABCD"}, invocations: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.set("ProcessingConfiguration", processing("BufferIntervalInSeconds", "0"))
				f.function, f.version, f.assumeDenied = c.function, 1, c.assumeDenied
				s := f.start(t)
				s.SetHooks(Hooks{Invoke: c.invoke})
				arrived := time.Now()
				put(t, s, "a", "b", "c", "d")
				if c.assumeDenied { // by the time of the write it is allowed again
					time.Sleep(30 * time.Second)
					f.mu.Lock()
					f.assumeDenied = false
					f.mu.Unlock()
				}
				time.Sleep(2 * time.Minute)
				closed(t, s)
				if got := f.bodies(t, "data/"); !cmp.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				failed := ""
				for _, e := range f.envelopes(t) {
					failed += string(e.RawData)
					if e.ErrorCode != c.code || e.AttemptsMade != c.attempts || e.ErrorMessage == "" {
						t.Errorf("got %+v, want %s after %d", e, c.code, c.attempts)
					}
					took := time.Duration(c.attempts-1) * retryPause
					if e.ArrivalTimestamp != arrived.UnixMilli() || e.AttemptEndingTimestamp != arrived.Add(took).UnixMilli() {
						t.Errorf("got %+v, want that it arrived at %d and ended %v later", e, arrived.UnixMilli(), took)
					}
				}
				if failed != c.failed || s.Stats()[streamName].FailedRecords != int64(len(failed)) {
					t.Errorf("got %q failed and %+v, want %q", failed, s.Stats(), c.failed)
				}
				if len(f.events) != c.invocations {
					t.Errorf("got %d invocations, want %d", len(f.events), c.invocations)
				}
				for _, e := range f.events[min(1, len(f.events)):] {
					if e.InvocationID == f.events[0].InvocationID || !cmp.Equal(e.Records, f.events[0].Records) {
						t.Errorf("got %+v after %+v, want another invocation of the same records", e, f.events[0])
					}
				}
			})
		})
	}
}

// TestWire: events and envelopes are as on AWS.
func TestWire(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1507217624302)
	data, err := json.Marshal(event{"i", "arn", "eu-west-1", []eventRecord{{"r", at.UnixMilli(), []byte("Hello")}, {"s", at.UnixMilli(), []byte{}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"invocationId":"i","deliveryStreamArn":"arn","region":"eu-west-1","records":[` +
		`{"recordId":"r","approximateArrivalTimestamp":1507217624302,"data":"SGVsbG8="},{"recordId":"s","approximateArrivalTimestamp":1507217624302,"data":""}]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var read events.KinesisFirehoseEvent
	if err := json.Unmarshal(data, &read); err != nil || string(read.Records[0].Data) != "Hello" || !read.Records[0].ApproximateArrivalTimestamp.Equal(at) {
		t.Errorf("got %+v, %v", read, err)
	}
	data, err = json.Marshal(envelope{4, 1, "code", "message", 2, []byte("raw"), "arn"})
	if err != nil {
		t.Fatal(err)
	}
	want = `{"attemptsMade":4,"arrivalTimestamp":1,"errorCode":"code","errorMessage":"message","attemptEndingTimestamp":2,"rawData":"cmF3","lambdaArn":"arn"}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestProcessorBuffer: the processor gathers by hints of its own, and an event is never larger than Lambda takes.
func TestProcessorBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("ProcessingConfiguration", processing("BufferSizeInMBs", 0.2, "BufferIntervalInSeconds", 30))
		f.function = func(e event) (string, bool) { return answerOf(e, "Ok"), false }
		s := f.start(t)
		sizes := func() string {
			f.mu.Lock()
			defer f.mu.Unlock()
			var sizes []int
			for _, e := range f.events {
				sizes = append(sizes, len(e.Records))
			}
			return fmt.Sprint(sizes)
		}
		fifth := strings.Repeat("x", mebibyte/5)
		put(t, s, "a", fifth, "b")
		synctest.Wait()
		if got, want := sizes(), "[2]"; got != want {
			t.Errorf("got events of %s, want %s by size", got, want)
		}
		time.Sleep(31 * time.Second)
		if got, want := sizes(), "[2 1]"; got != want {
			t.Errorf("got events of %s, want %s by interval", got, want)
		}
		if got := f.written(""); len(got) != 0 {
			t.Errorf("got %d objects, want that the results are gathered once more", len(got))
		}
		time.Sleep(time.Minute)
		if got := f.bodies(t, "data/"); len(got) != 1 || got[0] != "A"+strings.ToUpper(fifth)+"B" {
			t.Errorf("got %d objects, want one with everything", len(got))
		}
		closed(t, s)
	})
	small := make([]record, 100_000)
	for i := range small {
		small[i].data = []byte("0123456789")
	}
	n := fitting(small)
	e := event{Records: make([]eventRecord, n)}
	for i := range e.Records {
		e.Records[i] = eventRecord{strings.Repeat("x", 32), time.Now().UnixMilli(), small[i].data}
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > maxEvent || len(data) < maxEvent/2 {
		t.Errorf("got an event of %d bytes with %d records, want %d or a little less", len(data), n, maxEvent)
	}
	if got := fitting([]record{{data: make([]byte, maxEvent)}, {}}); got != 1 {
		t.Errorf("got %d records, want the one that does not fit", got)
	}
}

// TestInvokeHook: the hook has the event that the function would get.
func TestInvokeHook(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.set("ProcessingConfiguration", processing("NumberOfRetries", "0"))
	s := f.start(t)
	s.SetHooks(Hooks{Invoke: func(stream string, attempt int, data []byte) error {
		var e event
		if err := json.Unmarshal(data, &e); err != nil || stream != streamName || attempt != 1 || string(e.Records[0].Data) != "a" {
			t.Errorf("got %s %d %s, %v", stream, attempt, data, err)
		}
		return errors.New("no")
	}})
	put(t, s, "a")
	closed(t, s)
	if got := f.bodies(t, "errors/"); len(got) != 1 || !strings.Contains(got[0], `"attemptsMade":1,`) || !strings.Contains(got[0], `"errorMessage":"no"`) {
		t.Errorf("got %s", got)
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&smithy.GenericAPIError{Code: "AccessDeniedException"}, "Lambda.InvokeAccessDenied"},
		{&smithy.GenericAPIError{Code: "TooManyRequestsException"}, "Lambda.InvokeLimitExceeded"},
		{&smithy.GenericAPIError{Code: "ResourceNotFoundException"}, "Lambda.ResourceNotFound"},
		{&Error{502, "ENILimitReachedException", ""}, "Lambda.ENILimitReachedException"},
		{fmt.Errorf("invoke: %w", context.DeadlineExceeded), "Lambda.FunctionTimedOut"},
		{errors.New("by a hook"), "Lambda.FunctionError"},
	} {
		if got := failureOf(c.err).code; got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}
