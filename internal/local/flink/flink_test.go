package flink_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/golden"
	"streamproof/internal/local/flink"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]flink.Conf{
		"full": {
			CheckpointInterval: 2 * time.Minute, CheckpointMinPause: 1500 * time.Millisecond,
			Parallelism: 2, RESTPort: 8081,
			CheckpointDir: "/state/checkpoints", SavepointDir: `/state/with "quotes": #1`, UploadDir: "/state/upload",
		},
		"minimal": {Parallelism: 1, RESTPort: 8081, CheckpointDir: "/c", SavepointDir: "/s", UploadDir: "/u"},
	} {
		dir := t.TempDir()
		cmd, err := conf.Command("/bin/java", "/target/lib", dir, "-Xmx1g")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"/bin/java", "--add-opens=java.base/java.util=ALL-UNNAMED", "-Dpekko.scheduler.tick-duration=50ms",
			"-XX:SharedArchiveFile=/target/classes.jsa", "-Xlog:cds*=off", "-Xmx1g", "-cp", "/target/lib/*:/target/lib", "streamproof.cluster.Cluster", dir,
		}
		if diff := cmp.Diff(want, cmd.Args); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		compareGolden(t, filepath.Join(dir, "config.yaml"), name+".config.yaml")
	}
}

func TestWriteProperties(t *testing.T) {
	t.Parallel()
	for name, groups := range map[string][]flink.PropertyGroup{
		"full": {{ID: "streamproof", Properties: map[string]string{
			"stream.arn":       `arn:aws:kinesis:eu-west-1:000000000000:stream/s`,
			"kinesis.endpoint": "http://127.0.0.1:4566",
		}}},
		"minimal": nil,
	} {
		file := filepath.Join(t.TempDir(), "properties.json")
		if err := flink.WriteProperties(file, groups); err != nil {
			t.Fatal(err)
		}
		compareGolden(t, file, name+".application_properties.json")
	}
}

func compareGolden(t *testing.T, file, name string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", name), got)
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

// stub answers as Flink 1.20 does, and keeps what it is sent.
func stub(t *testing.T, answers map[string]string) (*flink.Client, *[]string) {
	t.Helper()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"errors":["Not found: /x","org.apache.flink.Outer: no\nCaused by: java.lang.Inner: why\n - and\n\tat x"]}`
		}
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			bodies = append(bodies, strings.TrimSpace(string(body)))
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return &flink.Client{Address: server.URL, UploadDir: filepath.Join(t.TempDir(), "upload")}, &bodies
}

func TestClientJob(t *testing.T) {
	t.Parallel()
	c, _ := stub(t, map[string]string{
		"GET /jobs/overview": `{"jobs":[{"jid":"i","state":"FINISHED","tasks":{"total":3,"running":0}},
			{"jid":"j","name":"streamproof","state":"RUNNING","tasks":{"total":3,"running":2}}]}`,
		"GET /jobs/j/exceptions": `{"exceptionHistory":{"entries":[
			{"timestamp":1,"stacktrace":"a.B: first\n\tat c\nCaused by: d.E: before\n\tat f\n"},
			{"timestamp":2,"stacktrace":"a.B: first\n\tat c\nCaused by: d.E: second\n\tat f\n"}]}}`,
		"GET /jobs/i/exceptions": `{"exceptionHistory":{"entries":[]}}`,
	})
	job, err := c.Job(t.Context(), "j")
	if err != nil || job.ID != "j" || job.Running() || job.Ended() {
		t.Errorf("got %+v, %v, want job j with a task that does not run yet", job, err)
	}
	if job, err := c.Job(t.Context(), "i"); err != nil || !job.Ended() {
		t.Errorf("got %+v, %v, want job i that has ended", job, err)
	}
	if job, err := c.Job(t.Context(), "k"); job != nil || err != nil {
		t.Errorf("got %+v, %v, want no job", job, err)
	}
	if got, at, err := c.Failure(t.Context(), "j"); got != "d.E: second" || at.UnixMilli() != 2 || err != nil {
		t.Errorf("got %q at %s, %v, want d.E: second, the later one", got, at, err)
	}
	if got, at, err := c.Failure(t.Context(), "i"); got != "" || !at.IsZero() || err != nil {
		t.Errorf("got %q at %s, %v, want no failure", got, at, err)
	}
	if _, _, err := c.Failure(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "404 Not Found: java.lang.Inner: why - and") {
		t.Errorf("got %v, want the innermost cause", err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	c, _ := stub(t, map[string]string{"GET /overview": `{"slots-total":1}`})
	if err := c.Ready(t.Context(), ended); err != nil {
		t.Error(err)
	}
	close(ended)
	c, _ = stub(t, map[string]string{"GET /overview": `{"slots-total":0}`})
	if err := c.Ready(t.Context(), ended); err == nil || !strings.Contains(err.Error(), "the JVM ended") {
		t.Errorf("got %v, want that the JVM ended", err)
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	jar := filepath.Join(t.TempDir(), "a.jar")
	if err := os.WriteFile(jar, []byte("classes"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, bodies := stub(t, map[string]string{"POST /jars/a.jar/run": `{"jobid":"j"}`})
	for _, s := range []flink.Submission{
		{JAR: jar, Args: []string{"--properties", "p"}},
		{JAR: jar, Args: []string{}, RestoreFrom: "/s", AllowNonRestoredState: true},
	} {
		if got, err := c.Submit(t.Context(), s); got != "j" || err != nil {
			t.Errorf("got %q, %v, want job j", got, err)
		}
	}
	want := []string{`{"programArgsList":["--properties","p"]}`, `{"allowNonRestoredState":true,"programArgsList":[],"savepointPath":"/s"}`}
	if diff := cmp.Diff(want, *bodies); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, err := os.ReadFile(filepath.Join(c.UploadDir, "flink-web-upload", "a.jar")); string(got) != "classes" || err != nil {
		t.Errorf("got %q, %v, want the JAR where the cluster looks for it", got, err)
	}
	c, _ = stub(t, nil)
	if _, err := c.Submit(t.Context(), flink.Submission{JAR: jar}); err == nil || !strings.Contains(err.Error(), "java.lang.Inner: why - and") {
		t.Errorf("got %v, want what the cluster says", err)
	}
}

func TestStopWithSavepoint(t *testing.T) {
	t.Parallel()
	dir := "/s/[a] ñ %25"
	c, bodies := stub(t, map[string]string{
		"POST /jobs/j/stop":        `{"request-id":"r"}`,
		"GET /jobs/j/savepoints/r": `{"status":{"id":"COMPLETED"},"operation":{"location":"file:/s/[a] ñ %25/savepoint-1"}}`,
	})
	want := dir + "/savepoint-1"
	if got, err := c.StopWithSavepoint(t.Context(), "j", dir); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if diff := cmp.Diff([]string{`{"drain":false,"targetDirectory":"file://` + dir + `"}`}, *bodies); diff != "" {
		t.Error(diff)
	}
	c, _ = stub(t, map[string]string{
		"POST /jobs/j/stop":        `{"request-id":"r"}`,
		"GET /jobs/j/savepoints/r": `{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"x","stack-trace":"a: b\nCaused by: disk full"}}}`,
	})
	if _, err := c.StopWithSavepoint(t.Context(), "j", "/s/1"); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v, want disk full", err)
	}
}
