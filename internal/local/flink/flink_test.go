package flink_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/local/flink"
)

var update = flag.Bool("update", false, "write the golden files")

func TestConfWrite(t *testing.T) {
	t.Parallel()
	full := flink.Conf{
		Properties: []flink.PropertyGroup{{ID: "streamproof", Properties: map[string]string{
			"stream.arn":       `arn:aws:kinesis:eu-west-1:000000000000:stream/s`,
			"kinesis.endpoint": "http://127.0.0.1:4566",
		}}},
		CheckpointInterval:    10 * time.Second,
		CheckpointMinPause:    5 * time.Second,
		Parallelism:           2,
		RESTPort:              8081,
		CheckpointDir:         "/state/checkpoints",
		SavepointDir:          `/state/with "quotes": #1`,
		RestoreFrom:           "/state/checkpoints/job/chk-7",
		AllowNonRestoredState: true,
	}
	for name, conf := range map[string]flink.Conf{
		"full":    full,
		"minimal": {Parallelism: 1, RESTPort: 8081, CheckpointDir: "/c", SavepointDir: "/s"},
	} {
		dir := t.TempDir()
		if err := conf.Write(dir); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{flink.PropertiesFile, flink.ConfFile} {
			got, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+"."+file)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", golden, diff)
			}
		}
	}
}

func TestLatestState(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[a] ñ %25")
	now := time.Now().Truncate(time.Second)
	for path, age := range map[string]time.Duration{
		"checkpoints/job1/chk-1":        50 * time.Second,
		"savepoints/1/savepoint-a-b":    40 * time.Second,
		"checkpoints/job2/chk-9":        30 * time.Second,
		"checkpoints/job2/chk-10":       20 * time.Second,
		"savepoints/2/savepoint-c-d":    10 * time.Second,
		"checkpoints/job2/shared/other": 0,
	} {
		file := filepath.Join(dir, path, "_metadata")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	// Not complete: without _metadata.
	if err := os.MkdirAll(filepath.Join(dir, "checkpoints/job2/chk-11"), 0o755); err != nil {
		t.Fatal(err)
	}
	checkpoints, savepoints := filepath.Join(dir, "checkpoints"), filepath.Join(dir, "savepoints")
	tests := []struct {
		name  string
		since time.Duration
		dirs  []string
		want  string
	}{
		{"savepoint after the checkpoints", time.Hour, []string{checkpoints, savepoints}, "savepoints/2/savepoint-c-d"},
		{"only checkpoints", time.Hour, []string{checkpoints}, "checkpoints/job2/chk-10"},
		{"all too old", 5 * time.Second, []string{checkpoints, savepoints}, ""},
		{"no such directory", time.Hour, []string{filepath.Join(dir, "none")}, ""},
	}
	for _, test := range tests {
		got, err := flink.LatestState(now.Add(-test.since), test.dirs...)
		if err != nil {
			t.Fatal(err)
		}
		if test.want != "" {
			test.want = filepath.Join(dir, test.want)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// stub answers as Flink 1.20 does.
func stub(t *testing.T, answers map[string]string) (*flink.Client, *[]string) {
	t.Helper()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"errors":["Not found: /x","org.apache.flink.Outer: no\nCaused by: java.lang.Inner: why\n\tat x"]}`
		}
		if r.Method == http.MethodPost {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			bodies = append(bodies, body["targetDirectory"].(string))
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return &flink.Client{Address: server.URL}, &bodies
}

func TestClientJob(t *testing.T) {
	t.Parallel()
	c, _ := stub(t, map[string]string{
		"GET /jobs/overview":     `{"jobs":[{"jid":"j","name":"streamproof","state":"RUNNING","tasks":{"total":3,"running":2}}]}`,
		"GET /jobs/j/exceptions": `{"root-exception":"a.B: first\n\tat c\nCaused by: d.E: second\n\tat f\n"}`,
	})
	job, err := c.Job(t.Context())
	if err != nil || job.ID != "j" || job.Running() {
		t.Errorf("got %+v, %v, want job j with a task that does not run yet", job, err)
	}
	if got, err := c.Failure(t.Context(), "j"); got != "d.E: second" || err != nil {
		t.Errorf("got %q, %v, want d.E: second", got, err)
	}
	if _, err := c.Failure(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "404 Not Found: java.lang.Inner: why") {
		t.Errorf("got %v, want the innermost cause", err)
	}
}

func TestStopWithSavepoint(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	close(ended)
	dir := filepath.Join(t.TempDir(), "[a] ñ %25")
	c, bodies := stub(t, map[string]string{"POST /jobs/j/stop": `{"request-id":"r"}`})
	if _, err := c.StopWithSavepoint(t.Context(), "j", dir, ended); err == nil {
		t.Error("got no error where the job ended without a savepoint")
	}
	want := filepath.Join(dir, "savepoint-1")
	if err := os.MkdirAll(want, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(want, "_metadata"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.StopWithSavepoint(t.Context(), "j", dir, ended); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if diff := cmp.Diff([]string{"file://" + dir, "file://" + dir}, *bodies); diff != "" {
		t.Error(diff)
	}
	c, _ = stub(t, map[string]string{
		"POST /jobs/j/stop":        `{"request-id":"r"}`,
		"GET /jobs/j/savepoints/r": `{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"x","stack-trace":"a: b\nCaused by: disk full"}}}`,
	})
	if _, err := c.StopWithSavepoint(t.Context(), "j", dir, nil); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v, want disk full", err)
	}
}
