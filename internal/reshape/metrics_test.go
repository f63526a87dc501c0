package reshape

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/metrics/metricstest"
	"streamproof/internal/stream/kpl"
)

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(line []byte) (int, error) { return f(line) }

// TestMetrics checks that each answered event writes one line, with its rows that went out and its failed records.
func TestMetrics(t *testing.T) {
	t.Parallel()
	const row, bad = "1,1,1,1\n", "x\n"
	h, _ := newHandler(t, JSON, ",")
	for _, tc := range []struct {
		name          string
		event         []byte
		rows, records float64
	}{
		{"rows", eventOf(t, row+row, row), 3, 0},
		{"a row without its newline", eventOf(t, row+strings.TrimSuffix(row, "\n")), 2, 0},
		{"a bad row takes its record with it", eventOf(t, row+row+bad, row, bad), 1, 2},
		{"an empty record is dropped", eventOf(t, "", row), 1, 0},
		{"an aggregate", eventOf(t, kpl.Magic+row), 0, 1},
		{"no records", []byte(`{"records":[]}`), 0, 0},
		{"no event", []byte(`{}`), -1, -1},
		{"no base64, after a row", []byte(`{"records":[{"recordId":"1","data":"MSwxLDEsMQ=="},{"recordId":"2","data":"!"}]}`), -1, -1},
	} {
		var log bytes.Buffer
		h.stack, h.metrics = "streamproof", &log
		_, err := h.Invoke(t.Context(), tc.event)
		if tc.rows < 0 {
			if err == nil || log.Len() > 0 {
				t.Errorf("%s: got error %v and metrics %s, want an error and none", tc.name, err, &log)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		data, about, err := metricstest.Read(log.Bytes())
		if err != nil {
			t.Errorf("%s: %s: %v", tc.name, &log, err)
		}
		want := []metricstest.Datum{
			{Namespace: "Streamproof", Dimensions: map[string]string{"Stack": "streamproof"}, Name: "RowsTransformed", Unit: "Count", Value: tc.rows},
			{Namespace: "Streamproof", Dimensions: map[string]string{"Stack": "streamproof"}, Name: "RecordsProcessingFailed", Unit: "Count", Value: tc.records},
		}
		for i := range data {
			data[i].At = want[0].At
		}
		if diff := cmp.Diff(want, data); diff != "" || len(about) > 0 {
			t.Errorf("%s: about %v (-want +got):\n%s", tc.name, about, diff)
		}

		log.Reset()
		h.stack = ""
		if _, err := h.Invoke(t.Context(), tc.event); err != nil || log.Len() > 0 {
			t.Errorf("%s: got error %v and metrics %s, want none without a stack", tc.name, err, &log)
		}
	}
}

// TestMetricsWriteError checks that the rows still go out.
func TestMetricsWriteError(t *testing.T) {
	t.Parallel()
	h, logged := newHandler(t, JSON, ",")
	h.stack, h.metrics = "streamproof", writeFunc(func([]byte) (int, error) { return 0, errors.New("broken pipe") })
	answer, err := h.Invoke(t.Context(), eventOf(t, "1,1,1,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := answered(t, answer); len(got) != 1 || got[0].Result != "Ok" {
		t.Errorf("got %+v", got)
	}
	if want := `{"level":"WARN","msg":"metrics not written","error":"broken pipe"}` + "\n"; logged.String() != want {
		t.Errorf("got the log %s, want %s", logged, want)
	}
}
