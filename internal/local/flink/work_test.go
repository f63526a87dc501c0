package flink_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"streamproof/internal/local/flink"
)

// TestWork: what a job has done is the sum over its subtasks, whichever task its operators are in.
func TestWork(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/jobs/overview":                      `{"jobs":[{"jid":"old","state":"FAILED"},{"jid":"j","state":"RUNNING"}]}`,
		"/jobs/j":                             `{"vertices":[{"id":"a"},{"id":"b"},{"id":"c"}]}`,
		"/jobs/j/checkpoints":                 `{"latest":{"completed":{"latest_ack_timestamp":1795971628394}}}`,
		"/jobs/j/vertices/a/subtasks/metrics": `[{"id":"Source__source.numRecordsOut"},{"id":"x.shardId-0.millisBehindLatest"},{"id":"x.shardId-1.millisBehindLatest"},{"id":"other"}]`,
		"/jobs/j/vertices/b/subtasks/metrics": `[{"id":"lines.numRecordsOut"}]`,
		"/jobs/j/vertices/c/subtasks/metrics": `[]`,
		"a Source__source.numRecordsOut":      `[{"id":"Source__source.numRecordsOut","sum":12,"max":7},{"id":"x.shardId-0.millisBehindLatest","sum":-1,"max":-1},{"id":"x.shardId-1.millisBehindLatest","sum":2500,"max":1500}]`,
		"b lines.numRecordsOut":               `[{"id":"lines.numRecordsOut","sum":5,"max":5}]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path
		if get := r.URL.Query().Get("get"); get != "" {
			first, _, _ := strings.Cut(get, ",")
			key = strings.Split(key, "/")[4] + " " + first
		}
		answer, ok := answers[key]
		if !ok {
			t.Errorf("got a call of %s", r.URL)
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	client := &flink.Client{Address: server.URL}
	got, err := client.Work(t.Context())
	want := flink.Work{Read: 12, Rows: 5, Behind: 1500 * time.Millisecond, Checkpointed: time.UnixMilli(1795971628394).UTC()}
	if err != nil || got == nil || *got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	answers["/jobs/overview"] = `{"jobs":[{"jid":"old","state":"FAILED"}]}`
	if got, err := client.Work(t.Context()); got != nil || err != nil {
		t.Errorf("got %+v, %v of a cluster without a job, want none", got, err)
	}
}
