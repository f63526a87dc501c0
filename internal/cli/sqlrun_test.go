package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/local/flink"
	"streamproof/internal/local/runner"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/internal/stack"
)

// world stands in for AWS with one stack: its ledger, its schedule, its application, and functions that do what the real ones do
// as far as a change of the query sees it.
type world struct {
	t        *testing.T
	objects  map[string]stored
	versions int
	schedule string // its state
	status   string // of the application
	groups   []any
	restored []string // what each start was from
	calls    []string
	// refuses is a part of the SQL that the application does not start with, silences of one that gives no row.
	refuses, silences string
	// before, where set, is called before a call is carried out, by its name, and says whether it is refused.
	before func(call string) (refused bool)
	rows   map[string]bool // by the tick's key, where they are delivered
	// delivers is an object of rows.
	delivers []byte
	// changes counts the requests that change something. After so many of them none is answered, where diesAfter is not 0, as if the
	// process had been killed.
	changes, diesAfter int
	undecided          bool // every verdict is
	restarts           int  // of the job, which is down where there are any
}

type stored struct {
	body    []byte
	etag    string
	written time.Time
}

const (
	bucketName = "the-bucket"
	stopped    = "STOP-1"
)

func newWorld(t *testing.T) (*world, *pipeline.Pipeline) {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, objects: map[string]stored{}, schedule: "ENABLED", status: "RUNNING", rows: map[string]bool{}, delivers: []byte("1,2,3.5,4.25\n1,,5.0,6.5\n"),
		groups: []any{map[string]any{"PropertyGroupId": "streamproof", "PropertyMap": map[string]string{"a": "b"}}}}
	book := w.open().Book()
	if err := book.PublishPipeline(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := book.SetCurrent(t.Context(), &ledger.Current{Pipeline: p.Hash(), Since: time.Now(), By: ledger.ByDeploy, Deployed: p.Hash()}, nil); err != nil {
		t.Fatal(err)
	}
	w.calls = nil
	return w, p
}

func (w *world) open() *stack.Stack {
	w.t.Helper()
	s, err := stack.Open(w.t.Context(), aws.Config{
		Region: "eu-west-1", HTTPClient: w, BaseEndpoint: aws.String("http://127.0.0.1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}, "streamproof")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// sql is what the application runs: what was set, or empty.
func (w *world) sql() (text string) {
	for _, g := range w.groups {
		if g := g.(map[string]any); g["PropertyGroupId"] == "streamproof.sql" {
			m, _ := json.Marshal(g["PropertyMap"])
			parts := map[string]string{}
			if err := json.Unmarshal(m, &parts); err != nil {
				w.t.Error(err)
			}
			for i := 0; parts[fmt.Sprintf("%03d", i)] != ""; i++ {
				text += parts[fmt.Sprintf("%03d", i)]
			}
		}
	}
	return text
}

func (w *world) current() *ledger.Current {
	w.t.Helper()
	c, err := ledger.DecodeCurrent(w.objects[ledger.CurrentKey].body)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Do answers in this process, so that time can stand still.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.diesAfter > 0 && w.changes >= w.diesAfter {
		return nil, errors.New("the process is dead")
	}
	if _, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); r.Method == http.MethodPut || strings.Contains(r.URL.Path, "/functions/producer/") ||
		slices.Contains([]string{"StartApplication", "StopApplication", "UpdateApplication"}, target) {
		w.changes++
	}
	out := httptest.NewRecorder()
	out.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			w.t.Error(err)
		}
	}
	name, answer := w.route(r, body)
	if w.before != nil && w.before(name) {
		out.WriteHeader(http.StatusBadRequest)
		w.write(out, map[string]any{"__type": "AccessDeniedException", "message": "not allowed"})
		return out.Result(), nil
	}
	answer(out)
	return out.Result(), nil
}

func (w *world) write(out io.Writer, value any) {
	if err := json.NewEncoder(out).Encode(value); err != nil {
		w.t.Error(err)
	}
}

// route says what a request asks for, and how it is answered.
func (w *world) route(r *http.Request, body []byte) (call string, answer func(*httptest.ResponseRecorder)) {
	_, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	change := func(call string, do func()) (string, func(*httptest.ResponseRecorder)) {
		return call, func(out *httptest.ResponseRecorder) {
			w.calls = append(w.calls, call)
			do()
			w.write(out, map[string]any{"OperationId": "1"})
		}
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/schedules/") && r.Method == http.MethodGet:
		return "GetSchedule", func(out *httptest.ResponseRecorder) {
			w.write(out, map[string]any{"Name": "ticks", "State": w.schedule, "ScheduleExpression": "rate(1 minute)", "LastModificationDate": float64(time.Now().Add(-time.Hour).Unix()),
				"Target": map[string]any{"Arn": "a", "RoleArn": "r"}, "FlexibleTimeWindow": map[string]any{"Mode": "OFF"}})
		}
	case strings.HasPrefix(path, "/schedules/"):
		state, _ := in["State"].(string)
		return change(state, func() { w.schedule = state })
	case strings.Contains(path, "/functions/producer/"):
		return "produce", func(out *httptest.ResponseRecorder) { w.produce(out, in) }
	case strings.Contains(path, "/functions/verifier/"):
		return "verify", w.verify
	case target == "DescribeApplication":
		return target, func(out *httptest.ResponseRecorder) {
			w.write(out, map[string]any{"ApplicationDetail": map[string]any{"ApplicationStatus": w.status, "ApplicationVersionId": w.versions,
				"ApplicationConfigurationDescription": map[string]any{"EnvironmentPropertyDescriptions": map[string]any{"PropertyGroupDescriptions": w.groups}}}})
		}
	case target == "ListApplicationSnapshots":
		return target, func(out *httptest.ResponseRecorder) {
			w.write(out, map[string]any{"SnapshotSummaries": []any{map[string]any{"SnapshotName": stopped, "SnapshotStatus": "READY", "SnapshotCreationTimestamp": 1, "ApplicationVersionId": 1}}})
		}
	case target == "DescribeApplicationOperation":
		return target, func(out *httptest.ResponseRecorder) {
			details := map[string]any{"Operation": "StartApplication", "OperationStatus": "SUCCESSFUL", "StartTime": 1, "EndTime": 2}
			if w.status == "READY" {
				details["OperationStatus"] = "FAILED"
				details["OperationFailureDetails"] = map[string]any{"ErrorInfo": map[string]any{"ErrorString": "no such function"}}
			}
			w.write(out, map[string]any{"ApplicationOperationInfoDetails": details})
		}
	case target == "ListApplicationOperations":
		return target, func(out *httptest.ResponseRecorder) {
			w.write(out, map[string]any{"ApplicationOperationInfoList": []any{}})
		}
	case strings.Contains(string(body), "Action=GetMetricData"): // of a job that is steady
		return "GetMetricData", func(out *httptest.ResponseRecorder) {
			fmt.Fprint(out, `<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>`)
			downtime := min(w.restarts, 1) * 1000
			for i, value := range []int{w.restarts, 1000, downtime, 40} { // restarts, uptime, downtime, the last checkpoint
				first := value
				if i == 0 {
					first = 0
				}
				fmt.Fprintf(out, `<member><Id>m%d</Id><Values><member>%d</member><member>%d</member></Values></member>`, i, first, value)
			}
			fmt.Fprint(out, `</MetricDataResults></GetMetricDataResult></GetMetricDataResponse>`)
		}
	case target == "StopApplication":
		call := "stop"
		if in["Force"] == true {
			call = "force stop"
		}
		return change(call, func() { w.status = "READY" })
	case target == "StartApplication":
		return change("start", func() {
			restore, _ := in["RunConfiguration"].(map[string]any)
			text, _ := json.Marshal(restore)
			w.restored = append(w.restored, string(text))
			if w.status = "RUNNING"; w.refuses != "" && strings.Contains(w.sql(), w.refuses) {
				w.status = "READY"
			}
		})
	case target == "UpdateApplication":
		return change("update", func() {
			w.versions++
			w.groups = in["ApplicationConfigurationUpdate"].(map[string]any)["EnvironmentPropertyUpdates"].(map[string]any)["PropertyGroups"].([]any)
		})
	case strings.HasPrefix(path, "/"+bucketName):
		return "s3", func(out *httptest.ResponseRecorder) {
			w.s3(out, r, strings.TrimPrefix(strings.TrimPrefix(path, "/"+bucketName), "/"), body)
		}
	}
	return "DescribeStacks", func(out *httptest.ResponseRecorder) {
		var members strings.Builder
		for key, value := range map[string]string{
			"BucketName": bucketName, "StreamName": "s", "DeliveryStreamName": "d", "ApplicationName": "app", "ProducerFunction": "producer", "ProducerSchedule": "ticks",
			"VerifierFunction": "verifier", "DataPrefix": "data/", "ErrorsPrefix": "data-errors/", "FailedPrefix": "errors/data/processing-failed/", "DeliveryDeadlineSeconds": "600",
		} {
			fmt.Fprintf(&members, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
		}
		fmt.Fprintf(out, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>streamproof</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, members.String())
	}
}

func (w *world) s3(out *httptest.ResponseRecorder, r *http.Request, key string, body []byte) {
	stands, there := w.objects[key]
	switch {
	case key == "":
		query := r.URL.Query()
		fmt.Fprint(out, `<ListBucketResult>`)
		var keys []string
		for k := range w.objects {
			if strings.HasPrefix(k, query.Get("prefix")) && k > query.Get("start-after") {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			fmt.Fprintf(out, `<Contents><Key>%s</Key><ETag>%s</ETag><Size>%d</Size><LastModified>%s</LastModified></Contents>`,
				k, w.objects[k].etag, len(w.objects[k].body), w.objects[k].written.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		fmt.Fprint(out, `</ListBucketResult>`)
	case r.Method == http.MethodPut:
		if r.Header.Get("If-None-Match") != "" && there || r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != stands.etag {
			out.WriteHeader(http.StatusPreconditionFailed)
			fmt.Fprint(out, `<Error><Code>PreconditionFailed</Code></Error>`)
			return
		}
		w.put(key, body)
		out.Header().Set("ETag", w.objects[key].etag)
	case !there:
		out.WriteHeader(http.StatusNotFound)
		fmt.Fprint(out, `<Error><Code>NoSuchKey</Code></Error>`)
	default:
		out.Header().Set("ETag", stands.etag)
		out.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(stands.body)-1, len(stands.body)))
		_, _ = out.Write(stands.body)
	}
}

func (w *world) put(key string, body []byte) {
	w.versions++
	w.objects[key] = stored{body: body, etag: fmt.Sprintf(`"%d"`, w.versions), written: time.Now()}
}

// produce claims a tick of the current pipeline, and delivers two rows of it where the application gives any.
func (w *world) produce(out *httptest.ResponseRecorder, in map[string]any) {
	at, err := time.Parse(time.RFC3339, in["tick"].(string))
	if err != nil {
		w.t.Error(err)
	}
	if pending := w.current().Pending(); pending != "" {
		out.Header().Set("X-Amz-Function-Error", "Unhandled")
		w.write(out, map[string]any{"errorMessage": pending})
		return
	}
	tick := &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "o", LeaseEnd: at.Add(time.Minute), ClaimedAt: time.Now().UTC().Truncate(time.Second), Seed: 1, Generator: 1,
		Pipeline: w.current().Pipeline, Records: 1, PartitionKey: "uniform", Outcomes: []ledger.Range{{Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
	data, err := tick.Encode()
	if err != nil {
		w.t.Error(err)
	}
	w.calls = append(w.calls, "tick")
	w.put(ledger.TickKey(at), data)
	if w.status == "RUNNING" && (w.silences == "" || !strings.Contains(w.sql(), w.silences)) {
		w.rows[ledger.TickKey(at)] = true
		w.put("data/"+time.Now().UTC().Format("2006/01/02/15")+"/rows", w.delivers)
	}
	w.write(out, map[string]any{"tick": at, "state": "complete"})
}

func (w *world) verify(out *httptest.ResponseRecorder) {
	r := report.Report{Version: report.Version, Verdict: proof.Proven, JudgedAt: time.Now()}
	if w.undecided {
		r.Verdict, r.Reasons = proof.Undecided, []string{"the ledger cannot be read"}
		w.write(out, r)
		return
	}
	for key, o := range w.objects {
		if !strings.HasPrefix(key, ledger.TicksPrefix) {
			continue
		}
		tick, err := ledger.DecodeTick(o.body)
		if err != nil {
			w.t.Error(err)
		}
		t := report.Tick{Tick: tick.Time, State: tick.State, Owed: 2, Delivered: 2}
		if _, rolledBack := w.current().RolledBack(tick.Pipeline, tick.ClaimedAt); !w.rows[key] && !rolledBack {
			if t.Delivered, t.InFlight = 0, 2; time.Since(tick.ClaimedAt) > 10*time.Minute {
				t.InFlight, t.Missing, r.Verdict = 0, 2, proof.NotProven
			}
		}
		r.Counts.InFlight += t.InFlight
		r.Counts.Missing += t.Missing
		r.Ticks = append(r.Ticks, t)
	}
	if len(r.Ticks) == 0 {
		r.Verdict, r.Reasons = proof.Undecided, []string{"there is no ledger"}
	}
	w.write(out, r)
}

// sqlRun changes the query of the world, as the command does for a stack on AWS.
func (w *world) sqlRun(ctx context.Context, sql string, records int, plan ...flink.Fault) (*queryChange, error) {
	w.t.Helper()
	w.calls, w.restored = nil, nil
	ch, err := beginChange(ctx, w.open(), nil, "query.sql", []byte(sql))
	if err != nil {
		return nil, err
	}
	ch.plan = func(context.Context, *env, []byte, string) ([]flink.Fault, error) { return plan, nil }
	e := newEnv(io.Discard, io.Discard)
	p := newProgress(e)
	runs, err := ch.check(ctx, e, p, "query.sql")
	if err == nil && !runs {
		err = ch.run(ctx, p, &sqlRunCmd{Records: records})
	}
	return ch.result, err
}

func inWorld(t *testing.T, test func(t *testing.T, w *world, sql string)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t)
		test(t, w, strings.Replace(string(p.SQL), "COL0 < 3", "COL0 < 2", 1))
	})
}

func TestSQLRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		before := w.current()
		r, err := w.sqlRun(t.Context(), sql, 200)
		if err != nil {
			t.Fatal(err)
		}
		now := w.current()
		if w.sql() != sql || now.Pipeline == before.Pipeline || now.By != ledger.BySQLRun || now.Deployed != before.Pipeline || r.Pipeline != now.Pipeline || !r.Judged {
			t.Errorf("the ledger says %+v, and the result %+v", now, r)
		}
		if got, want := strings.Join(w.calls, ", "), "DISABLED, stop, update, start, tick, ENABLED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if len(w.groups) != 2 || strings.Contains(w.restored[0], `"AllowNonRestoredState":true`) || !strings.Contains(w.restored[0], "RESTORE_FROM_LATEST_SNAPSHOT") {
			t.Errorf("started from %s with %v", w.restored[0], w.groups)
		}
		if len(r.Rows) != 2 || *r.Rows[0][3] != "4.25" || r.Rows[1][1] != nil || !slices.Equal(r.Columns, []string{"COL0", "COL3", "COL4", "COL18"}) {
			t.Errorf("got %v of %v", r.Rows, r.Columns)
		}

		if r, err = w.sqlRun(t.Context(), sql, 200); err != nil || len(w.calls) > 0 || !strings.Contains(r.Did[0], "runs already") {
			t.Errorf("again: %v, %v after %v", r.Did, err, w.calls)
		}
		if len(r.Warnings) > 0 {
			t.Errorf("got warnings %v", r.Warnings)
		}
		divides := strings.Replace(sql, "WHERE ", "WHERE COL3 / COL0 > 1 AND ", 1)
		line := strings.Count(divides[:strings.Index(divides, "WHERE")], "\n") + 1
		if r, err = w.sqlRun(t.Context(), divides, 0); err != nil || len(r.Warnings) != 1 || r.Warnings[0].Line != line || !strings.Contains(r.Warnings[0].Message, "NULLIF") {
			t.Errorf("a division: %v, warnings %v", err, r.Warnings)
		}
		// What was deployed is the JAR's own: nothing is told.
		p, err := pipeline.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.sqlRun(t.Context(), string(p.SQL), 0); err != nil || w.sql() != "" || w.current().By != ledger.ByDeploy {
			t.Errorf("back: %v, the ledger says %+v", err, w.current())
		}
	})
}

// TestSQLRunShowsRows of whatever shape, the first ten of them; that they cannot be read undoes nothing.
func TestSQLRunShowsRows(t *testing.T) {
	t.Parallel()
	zipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	names := `{"VendorID":1,"passenger_count":null,"trip_distance":3.5,"total_amount":4.25}` + "\n"
	for name, test := range map[string]struct {
		delivers []byte
		rows     int
		first    string
	}{
		"CSV":           {[]byte("1,,3.5,4.25\n"), 1, "1 NULL 3.5 4.25"},
		"semicolons":    {[]byte("1;2;3.5;4.25\n"), 1, "1 2 3.5 4.25"},
		"names, zipped": {zipped(strings.Repeat(names, 25)), 10, "1 NULL 3.5 4.25"},
		"broken":        {[]byte("what is this\n"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				w.delivers = test.delivers
				r, err := w.sqlRun(t.Context(), sql, 200)
				if err != nil || len(r.Rows) != test.rows || w.sql() != sql {
					t.Fatalf("got %d rows, %v, want %d", len(r.Rows), err, test.rows)
				}
				var first []string
				for _, row := range r.Rows[:min(1, test.rows)] {
					for _, v := range row {
						if v == nil {
							first = append(first, "NULL")
						} else {
							first = append(first, *v)
						}
					}
				}
				if got := strings.Join(first, " "); got != test.first {
					t.Errorf("got %s, want %s", got, test.first)
				}
				if said := strings.Contains(strings.Join(r.Did, " "), "The first rows cannot be shown: read s3://"); said != (test.rows == 0) {
					t.Errorf("got %q", r.Did)
				}
			})
		})
	}
}

// TestJobFailsAgain: one failure is none, and an echo of it does not hide what has failed.
func TestJobFailsAgain(t *testing.T) {
	t.Parallel()
	const byZero, echoed = "the job is RESTARTING: java.lang.ArithmeticException: / by zero", "the job is RESTARTING: java.util.concurrent.RejectedExecutionException: Task x"
	for name, test := range map[string]struct {
		failures []string
		deaths   int
		want     string
	}{
		"none":                 {nil, 0, ""},
		"one":                  {[]string{byZero}, 0, ""},
		"twice":                {[]string{byZero, byZero}, 0, "again and again: java.lang.ArithmeticException: / by zero"},
		"the second is echoed": {[]string{byZero, echoed}, 0, "again and again: java.lang.ArithmeticException: / by zero"},
		"two echoes":           {[]string{echoed, echoed}, 0, ""},
		"the third says it":    {[]string{echoed, echoed, byZero}, 0, "again and again: java.lang.ArithmeticException: / by zero"},
		"nothing but echoes":   {[]string{echoed, echoed, echoed, echoed, echoed, echoed}, 0, "again and again: the job is RESTARTING: " + echo},
		"two causes":           {[]string{"a", "b"}, 0, "again and again: a; and: b"},
		"the JVM has died":     {[]string{"the JVM ended by itself"}, 2, "again and again: the JVM ended by itself"},
	} {
		w := &jobWatch{failures: 3}
		var err error
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for i, failure := range append([]string{""}, test.failures...) {
			job := runner.Status{Failures: 3}
			if failure != "" {
				when := at.Add(time.Duration(i) * time.Second)
				job.LastError, job.LastErrorAt, job.Failures = failure, &when, 3+test.deaths
			}
			for range 2 { // it is looked at more often than it fails
				err = w.look(job)
			}
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestRowsText(t *testing.T) {
	t.Parallel()
	one, none := "1", (*string)(nil)
	golden(t, "sqlrows.golden", rowsText(row.Schema{{Name: "VendorID", Alias: "COL0"}, {Name: "LABEL", Alias: "LABEL"}}, [][]*string{{&one, none}}).String()+"\n")
}

func TestSQLRunWhilePaused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		w.schedule, w.status = "DISABLED", "READY"
		r, err := w.sqlRun(t.Context(), sql, 200)
		if got, want := strings.Join(w.calls, ", "), "update, start, tick"; err != nil || got != want || w.schedule != "DISABLED" {
			t.Errorf("got %v after %s, want %s", err, got, want)
		}
		if !strings.Contains(strings.Join(r.Did, " "), "stays disabled, as it was") {
			t.Errorf("got %q", r.Did)
		}
	})
}

// TestSQLRunIsRolledBack: whatever fails after the pause, application, ledger and schedule are as they were.
func TestSQLRunIsRolledBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		world func(w *world)
		want  string // of the error
		told  bool
		trial bool // ticks were made for it
	}{
		"it does not start": {func(w *world) { w.refuses = "COL0 < 2" }, "application app did not start, it is READY again: no such function", true, false},
		"it gives no row":   {func(w *world) { w.silences = "COL0 < 2" }, "of the 2 rows that the tick of", true, true},
		"it stops by itself": {func(w *world) {
			w.silences, w.before = "COL0 < 2", func(call string) bool {
				if call == "verify" && len(w.rows) == 0 && slices.Contains(w.calls, "tick") && !slices.Contains(w.calls, "force stop") {
					w.status = "READY"
				}
				return false
			}
		}, "application app has stopped", true, true},
		"the tick is not sent": {func(w *world) { w.before = denies("produce") }, "invoke producer", true, true},
		"it cannot be told":    {func(w *world) { w.before = denies("update") }, "tell application app its query", true, false},
		"it cannot be stopped": {func(w *world) { w.before = denies("stop") }, "stop application app: ", false, false},
		"there is no snapshot": {func(w *world) { w.before = denies("ListApplicationSnapshots") }, "list the snapshots", false, false},
		"it cannot be started": {func(w *world) { w.before = denies("start") }, "start application app: ", true, false},
		"it was set before":    {func(w *world) { w.refuses = "COL0 < 2" }, "is READY again", true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				if name == "it was set before" {
					if _, err := w.sqlRun(t.Context(), strings.Replace(sql, "COL0 < 2", "COL0 < 4", 1), 0); err != nil {
						t.Fatal(err)
					}
				}
				before, told := w.current(), w.sql()
				test.world(w)
				r, err := w.sqlRun(t.Context(), sql, 200)
				w.before = nil
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), before.Pipeline[:12]) {
					t.Fatalf("got error %v, want one with %q", err, test.want)
				}
				now := w.current()
				if now.Pipeline != before.Pipeline || now.By != before.By || w.sql() != told || w.schedule != "ENABLED" || w.status != "RUNNING" || r.Pipeline != before.Pipeline || r.RolledBack != test.told {
					t.Errorf("after %v: the ledger says %+v, the schedule is %s, the application %s, the result %+v", w.calls, now, w.schedule, w.status, r)
				}
				if all := strings.Join(r.Did, " "); !strings.HasSuffix(all, "Schedule ticks is enabled again.") || test.told != strings.Contains(all, "again, from the snapshot of the pause") {
					t.Errorf("said %q", r.Did)
				}
				if (len(now.Rollbacks) == 1) != test.trial {
					t.Fatalf("rollbacks are %+v", now.Rollbacks)
				}
				if last := w.restored; test.told && len(last) > 0 && (!strings.Contains(last[len(last)-1], `"SnapshotName":"`+stopped+`"`) || strings.Contains(last[len(last)-1], "true")) {
					t.Errorf("the old query was started from %s, want the snapshot of the pause", last[len(last)-1])
				}
				for key, o := range w.objects {
					if !strings.HasPrefix(key, ledger.TicksPrefix) {
						continue
					}
					tick, err := ledger.DecodeTick(o.body)
					if err != nil {
						t.Fatal(err)
					}
					if by, ok := now.RolledBack(tick.Pipeline, tick.ClaimedAt); !ok || by != before.Pipeline {
						t.Errorf("the tick of %s, claimed for %s, is judged by %q: %+v", tick.Time, tick.Pipeline, by, now.Rollbacks)
					}
				}
				// Then all can be done again.
				w.refuses, w.silences = "", ""
				time.Sleep(10 * time.Second)
				if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.sql() != sql || w.schedule != "ENABLED" {
					t.Errorf("again: %v", err)
				}
			})
		})
	}
}

// denies refuses a call once.
func denies(call string) func(string) bool {
	denied := false
	return func(name string) bool {
		if name != call || denied {
			return false
		}
		denied = true
		return true
	}
}

// TestSQLRunIsInterrupted: wherever it is, what runs is the old query or the new one, and it is said which.
func TestSQLRunIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"DISABLED", "verify", "stop", "ListApplicationSnapshots", "update", "start", "produce"} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				before := w.current()
				ctx, cancel := context.WithCancel(t.Context())
				w.before = func(call string) bool {
					if call == at {
						cancel()
					}
					return false
				}
				_, err := w.sqlRun(ctx, sql, 200)
				w.before = nil
				if err == nil || !strings.HasPrefix(err.Error(), "interrupted: ") || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), before.Pipeline[:12]) {
					t.Fatalf("got error %v", err)
				}
				if now := w.current(); now.Pipeline != before.Pipeline || w.sql() != "" || w.schedule != "ENABLED" || w.status != "RUNNING" {
					t.Errorf("after %v: the ledger says %+v, the schedule is %s, the application %s", w.calls, now, w.schedule, w.status)
				}
				time.Sleep(10 * time.Second)
				if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.sql() != sql {
					t.Errorf("again: %v", err)
				}
			})
		})
	}
}

// TestSQLRunTouchesNothing where the file has faults.
func TestSQLRunTouchesNothing(t *testing.T) {
	t.Parallel()
	legacy := `CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (COL0 integer, COL3 integer, COL4 real, COL18 real);
CREATE OR REPLACE PUMP P AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM COL0, COL3, COL4, COL18 FROM "SOURCE_SQL_STREAM_001";
`
	refused := flink.Fault{Line: 2, Column: 4, Message: "Flink says no"}
	for name, test := range map[string]struct {
		change func(sql string) string
		plan   []flink.Fault
		want   string
		faults string
	}{
		"a fault of the dialect": {func(string) string { return strings.Replace(legacy, "COL3, COL4", "COLX, COL4", 1) }, nil, "query.sql has 1 fault: nothing was touched", "query.sql:2:"},
		"one that Flink finds":   {func(sql string) string { return sql }, []flink.Fault{refused}, "query.sql has 1 fault", "query.sql:2:4: Flink says no"},
		"one in the translation": {func(string) string { return legacy }, []flink.Fault{refused}, "query.sql has 1 fault", "query.sql: Flink refuses its translation at 2:4: Flink says no\n  "},
		"other columns":          {func(sql string) string { return strings.Replace(sql, "COL3  INTEGER", "COL3 BIGINT", 1) }, nil, "its rows have the columns (COL0 INTEGER, COL3 BIGINT", ""},
		"too long":               {func(sql string) string { return sql + strings.Repeat("-- é\n", 30_000) }, nil, "49 x 2048", ""},
		"no UTF-8":               {func(sql string) string { return sql + "-- \xff" }, nil, "query.sql is not UTF-8", ""},
		"nothing":                {func(string) string { return "" }, nil, "query.sql has 1 fault", "query.sql:1:1: there is no statement"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				before := len(w.objects)
				r, err := w.sqlRun(t.Context(), test.change(sql), 200, test.plan...)
				var usage *usageError
				if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got error %v, want one of usage with %q", err, test.want)
				}
				if len(w.calls) > 0 || len(w.objects) != before {
					t.Errorf("after %v, %d objects stand there", w.calls, len(w.objects))
				}
				var faults []string
				if r != nil {
					for _, f := range r.Faults {
						faults = append(faults, f.in("query.sql").String())
					}
				}
				if !strings.HasPrefix(strings.Join(faults, "\n"), test.faults) || (test.faults == "") != (len(faults) == 0) {
					t.Errorf("got faults %q, want %q", faults, test.faults)
				}
			})
		})
	}
}

func TestSQLShowText(t *testing.T) {
	t.Parallel()
	inText := func(q shownQuery, flink bool) string {
		q.Pipeline, q.Since, q.SQL, q.Flink = strings.Repeat("a", 64), time.Date(2026, 11, 28, 7, 30, 0, 0, time.UTC), "SELECT 1;\n", "SELECT 2;\n"
		return showText(&q, flink).String()
	}
	got := inText(shownQuery{By: ledger.ByDeploy, Judged: true, Agrees: true, Application: stack.Application{Status: "RUNNING"}}, false) + "\n" +
		inText(shownQuery{By: ledger.BySQLRun, NotJudged: "pipeline.sql:3:1: it has windows", Problem: "it has been told another one", Application: stack.Application{Status: "READY"}}, true)
	golden(t, "sqlshow.golden", got)
	if script, err := dialect.Parse(string(embeddedSQL(t))); err != nil || script.Dialect != dialect.Flink {
		t.Fatal(err)
	}
	if shown := showText(&shownQuery{SQL: string(embeddedSQL(t))}, false).String(); !bytes.Contains([]byte(shown), embeddedSQL(t)) {
		t.Error("the SQL is not shown as it was given")
	} else if _, err := dialect.Parse(shown); err != nil {
		t.Errorf("what is shown is no SQL: %v", err)
	}
}

func embeddedSQL(t *testing.T) []byte {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p.SQL
}
