// Package stacktest stands in for AWS with one stack, in tests of what operates stacks.
package stacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

// A World stands in for AWS with one stack: its ledger, its schedule, its application, and functions that behave like
// the real ones as far as a change of the query can see.
type World struct {
	t        *testing.T
	mu       *sync.Mutex // of Do
	Objects  map[string]Object
	versions int
	Schedule string // its state
	Status   string // of the application
	Groups   []any
	Restored []string // what each start was from
	Calls    []string
	// The application does not start with SQL that contains Refuses. SQL that contains Silences gives no rows.
	Refuses, Silences string
	// Before, if set, is called with the name of each call, and reports whether that call is refused.
	Before func(call string) (refused bool)
	Rows   map[string]bool // by the tick's key: its rows are delivered
	// Delivers is the object of rows that each tick delivers.
	Delivers []byte
	// Changes counts the requests that change something. After DiesAfter of them, if it is not 0, no request is
	// answered, as if the process had been killed.
	Changes, DiesAfter int
	Undecided          bool // every verdict is
	// NotJudged is a part of the SQL of queries that the verifier does not judge.
	NotJudged string
	Transform string // the parameter
	// PartitionKey is the parameter, empty for none.
	PartitionKey string
	Restarts     int                // of the job, which is down if there are any
	Logs         map[string][]Event // the log groups' events, by the template's name
	// Outputs are the stack's. A stack that reads an existing stream has StartPosition instead of a producer.
	Outputs map[string]string
	// Stream is the data of the records in the stream's first shard, the oldest first.
	Stream []string
}

// An Event is one of a log group.
type Event struct {
	Time    time.Time
	Message string
}

type Object struct {
	Body    []byte
	ETag    string
	Written time.Time
}

const (
	Bucket   = "the-bucket"
	Snapshot = "STOP-1"
)

func New(t *testing.T) (*World, *pipeline.Pipeline) {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, mu: new(sync.Mutex), Objects: map[string]Object{}, Schedule: "ENABLED", Status: "RUNNING", Rows: map[string]bool{}, Delivers: []byte("1,2,3.5,4.25\n1,,5.0,6.5\n"),
		Groups: []any{map[string]any{"PropertyGroupId": "streamproof", "PropertyMap": map[string]string{"a": "b"}}},
		Outputs: map[string]string{
			"BucketName": Bucket, "StreamName": "s", "DeliveryStreamName": "d", "ApplicationName": "app", "ProducerFunction": "producer", "ProducerSchedule": "ticks",
			"VerifierFunction": "verifier", "DataPrefix": "data/", "ErrorsPrefix": "data-errors/", "FailedPrefix": "errors/data/processing-failed/", "DeliveryDeadlineSeconds": "60",
		}}
	book := w.Open().Book()
	if err := book.PublishPipeline(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := book.SetCurrent(t.Context(), &ledger.Current{Pipeline: p.Hash(), Since: time.Now(), By: ledger.ByDeploy, Deployed: p.Hash()}, nil); err != nil {
		t.Fatal(err)
	}
	w.Calls = nil
	return w, p
}

// Clone copies the world for another test.
func (w *World) Clone(t *testing.T) *World {
	c := *w
	c.t, c.mu = t, new(sync.Mutex)
	c.Objects, c.Rows, c.Outputs, c.Logs = maps.Clone(w.Objects), maps.Clone(w.Rows), maps.Clone(w.Outputs), maps.Clone(w.Logs)
	c.Groups, c.Restored, c.Calls = slices.Clone(w.Groups), slices.Clone(w.Restored), slices.Clone(w.Calls)
	return &c
}

func (w *World) Open() *stack.Stack {
	w.t.Helper()
	s, err := stack.Open(w.t.Context(), aws.Config{
		Region: "eu-west-1", HTTPClient: w, BaseEndpoint: aws.String("http://127.0.0.1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}, "streamproof")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// SQL returns the query that was set for the application, empty if none was.
func (w *World) SQL() (text string) {
	for _, g := range w.Groups {
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

func (w *World) Current() *ledger.Current {
	w.t.Helper()
	c, err := ledger.DecodeCurrent(w.Objects[ledger.CurrentKey].Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Do answers in this process, so that time can stand still.
func (w *World) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.DiesAfter > 0 && w.Changes >= w.DiesAfter {
		return nil, errors.New("the process is dead")
	}
	if _, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); r.Method == http.MethodPut || strings.Contains(r.URL.Path, "/functions/producer/") ||
		slices.Contains([]string{"StartApplication", "StopApplication", "UpdateApplication"}, target) {
		w.Changes++
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
	if w.Before != nil && w.Before(name) {
		out.WriteHeader(http.StatusBadRequest)
		w.write(out, map[string]any{"__type": "AccessDeniedException", "message": "not allowed"})
		return out.Result(), nil
	}
	answer(out)
	return out.Result(), nil
}

func (w *World) write(out io.Writer, value any) {
	if err := json.NewEncoder(out).Encode(value); err != nil {
		w.t.Error(err)
	}
}

// route says what a request asks for, and how it is answered.
func (w *World) route(r *http.Request, body []byte) (call string, answer func(*httptest.ResponseRecorder)) {
	_, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	change := func(call string, do func()) (string, func(*httptest.ResponseRecorder)) {
		return call, func(out *httptest.ResponseRecorder) {
			w.Calls = append(w.Calls, call)
			do()
			w.write(out, map[string]any{"OperationId": "1"})
		}
	}
	describe := func(call string, value any) (string, func(*httptest.ResponseRecorder)) {
		return call, func(out *httptest.ResponseRecorder) { w.write(out, value) }
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/schedules/") && r.Method == http.MethodGet:
		return describe("GetSchedule", map[string]any{"Name": "ticks", "State": w.Schedule, "ScheduleExpression": "rate(1 minute)", "LastModificationDate": float64(time.Now().Add(-time.Hour).Unix()),
			"Target": map[string]any{"Arn": "a", "RoleArn": "r"}, "FlexibleTimeWindow": map[string]any{"Mode": "OFF"}})
	case strings.HasPrefix(path, "/schedules/"):
		state, _ := in["State"].(string)
		return change(state, func() { w.Schedule = state })
	case strings.Contains(path, "/functions/producer/"):
		return "produce", func(out *httptest.ResponseRecorder) { w.produce(out, in) }
	case strings.Contains(path, "/functions/verifier/"):
		return "verify", w.verify
	case target == "DescribeApplication":
		return describe(target, map[string]any{"ApplicationDetail": map[string]any{"ApplicationStatus": w.Status, "ApplicationVersionId": w.versions,
			"ApplicationConfigurationDescription": map[string]any{"EnvironmentPropertyDescriptions": map[string]any{"PropertyGroupDescriptions": w.Groups}}}})
	case target == "DescribeStreamSummary":
		return describe(target, map[string]any{"StreamDescriptionSummary": map[string]any{"StreamName": "s", "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24}})
	case target == "ListShards":
		return describe(target, map[string]any{"Shards": []any{
			map[string]any{"ShardId": "shardId-000000000000", "SequenceNumberRange": map[string]any{"StartingSequenceNumber": "1"}},
			map[string]any{"ShardId": "shardId-000000000001", "SequenceNumberRange": map[string]any{"StartingSequenceNumber": "1"}},
		}})
	case target == "GetShardIterator":
		at := len(w.Stream)
		if in["ShardIteratorType"] == "TRIM_HORIZON" {
			at = 0
		}
		return describe(target, map[string]any{"ShardIterator": fmt.Sprintf("%s %d", in["ShardId"], at)})
	case target == "GetRecords":
		return "GetRecords", func(out *httptest.ResponseRecorder) { w.records(out, in) }
	case target == "ListApplicationSnapshots":
		return describe(target, map[string]any{"SnapshotSummaries": []any{map[string]any{"SnapshotName": Snapshot, "SnapshotStatus": "READY", "SnapshotCreationTimestamp": 1, "ApplicationVersionId": 1}}})
	case target == "DescribeApplicationOperation":
		details := map[string]any{"Operation": "StartApplication", "OperationStatus": "SUCCESSFUL", "StartTime": 1, "EndTime": 2}
		if w.Status == "READY" {
			details["OperationStatus"] = "FAILED"
			details["OperationFailureDetails"] = map[string]any{"ErrorInfo": map[string]any{"ErrorString": "no such function"}}
		}
		return describe(target, map[string]any{"ApplicationOperationInfoDetails": details})
	case target == "ListApplicationOperations":
		return describe(target, map[string]any{"ApplicationOperationInfoList": []any{}})
	case strings.Contains(string(body), "Action=GetMetricData"): // of a job that is steady
		return "GetMetricData", func(out *httptest.ResponseRecorder) {
			fmt.Fprint(out, `<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>`)
			downtime := min(w.Restarts, 1) * 1000
			for i, value := range []int{w.Restarts, 1000, downtime, 40} { // restarts, uptime, downtime, the last checkpoint
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
		return change(call, func() { w.Status = "READY" })
	case target == "StartApplication":
		return change("start", func() {
			restore, _ := in["RunConfiguration"].(map[string]any)
			text, _ := json.Marshal(restore)
			w.Restored = append(w.Restored, string(text))
			if w.Status = "RUNNING"; w.Refuses != "" && strings.Contains(w.SQL(), w.Refuses) {
				w.Status = "READY"
			}
		})
	case target == "UpdateApplication":
		return change("update", func() {
			w.versions++
			w.Groups = in["ApplicationConfigurationUpdate"].(map[string]any)["EnvironmentPropertyUpdates"].(map[string]any)["PropertyGroups"].([]any)
		})
	case target == "DescribeStreamSummary":
		return describe(target, map[string]any{"StreamDescriptionSummary": map[string]any{"StreamStatus": "ACTIVE"}})
	case target == "ListShards":
		return describe(target, map[string]any{"Shards": []any{map[string]any{"ShardId": "shardId-000000000000"}}})
	case target == "FilterLogEvents":
		group, _ := in["logGroupName"].(string)
		since, _ := in["startTime"].(float64)
		events := []any{}
		for _, e := range w.Logs[group] {
			if e.Time.UnixMilli() >= int64(since) {
				events = append(events, map[string]any{"timestamp": e.Time.UnixMilli(), "message": e.Message})
			}
		}
		return describe(target, map[string]any{"events": events})
	case strings.Contains(string(body), "Action=ListStackResources"):
		return "ListStackResources", func(out *httptest.ResponseRecorder) {
			fmt.Fprint(out, `<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>`)
			for name := range w.Logs {
				fmt.Fprintf(out, `<member><LogicalResourceId>%[1]s</LogicalResourceId><PhysicalResourceId>%[1]s</PhysicalResourceId></member>`, name)
			}
			fmt.Fprint(out, `</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>`)
		}
	case strings.HasPrefix(path, "/"+Bucket):
		return "s3", func(out *httptest.ResponseRecorder) {
			w.s3(out, r, strings.TrimPrefix(strings.TrimPrefix(path, "/"+Bucket), "/"), body)
		}
	}
	return "DescribeStacks", func(out *httptest.ResponseRecorder) {
		var members strings.Builder
		for key, value := range w.Outputs {
			fmt.Fprintf(&members, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
		}
		fmt.Fprintf(out, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>streamproof</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>%s</Outputs><Parameters><member><ParameterKey>Transform</ParameterKey><ParameterValue>%s</ParameterValue></member><member><ParameterKey>PartitionKey</ParameterKey><ParameterValue>%s</ParameterValue></member></Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, members.String(), w.Transform, w.PartitionKey)
	}
}

// records answers with the records of the first shard from an iterator on. The other one has none.
func (w *World) records(out io.Writer, in map[string]any) {
	var shard string
	var at int
	if _, err := fmt.Sscanf(fmt.Sprint(in["ShardIterator"]), "%s %d", &shard, &at); err != nil {
		w.t.Error(err)
	}
	var records []any
	if strings.HasSuffix(shard, "0") {
		for i, data := range w.Stream[at:] {
			records = append(records, map[string]any{
				"Data": []byte(data), "PartitionKey": "k", "SequenceNumber": fmt.Sprint(at + i), "ApproximateArrivalTimestamp": float64(time.Now().Unix()),
			})
		}
		at = len(w.Stream)
	}
	w.write(out, map[string]any{"Records": records, "NextShardIterator": fmt.Sprintf("%s %d", shard, at), "MillisBehindLatest": 0})
}

func (w *World) s3(out *httptest.ResponseRecorder, r *http.Request, key string, body []byte) {
	stands, there := w.Objects[key]
	switch {
	case key == "":
		query := r.URL.Query()
		fmt.Fprint(out, `<ListBucketResult>`)
		var keys []string
		for k := range w.Objects {
			if strings.HasPrefix(k, query.Get("prefix")) && k > query.Get("start-after") {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		folders := map[string]bool{}
		for _, k := range keys {
			rest := strings.TrimPrefix(k, query.Get("prefix"))
			if folder, _, deeper := strings.Cut(rest, "/"); deeper && query.Get("delimiter") == "/" {
				if folder = query.Get("prefix") + folder + "/"; !folders[folder] {
					folders[folder] = true
					fmt.Fprintf(out, `<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>`, html.EscapeString(folder))
				}
				continue
			}
			fmt.Fprintf(out, `<Contents><Key>%s</Key><ETag>%s</ETag><Size>%d</Size><LastModified>%s</LastModified></Contents>`,
				html.EscapeString(k), w.Objects[k].ETag, len(w.Objects[k].Body), w.Objects[k].Written.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		fmt.Fprint(out, `</ListBucketResult>`)
	case r.Method == http.MethodPut:
		if r.Header.Get("If-None-Match") != "" && there || r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != stands.ETag {
			out.WriteHeader(http.StatusPreconditionFailed)
			fmt.Fprint(out, `<Error><Code>PreconditionFailed</Code></Error>`)
			return
		}
		w.Put(key, body)
		out.Header().Set("ETag", w.Objects[key].ETag)
	case !there:
		out.WriteHeader(http.StatusNotFound)
		fmt.Fprint(out, `<Error><Code>NoSuchKey</Code></Error>`)
	default:
		out.Header().Set("ETag", stands.ETag)
		out.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(stands.Body)-1, len(stands.Body)))
		_, _ = out.Write(stands.Body)
	}
}

func (w *World) Put(key string, body []byte) {
	w.versions++
	w.Objects[key] = Object{Body: body, ETag: fmt.Sprintf(`"%d"`, w.versions), Written: time.Now()}
}

// PutReport makes a report the latest one.
func (w *World) PutReport(r *report.Report) {
	data, err := json.Marshal(r)
	if err != nil {
		w.t.Error(err)
	}
	w.Put("reports/latest.json", data)
}

// produce claims a tick of the current pipeline, and delivers two rows of it where the application gives any.
func (w *World) produce(out *httptest.ResponseRecorder, in map[string]any) {
	at, err := time.Parse(time.RFC3339, in["tick"].(string))
	if err != nil {
		w.t.Error(err)
	}
	if pending := w.Current().Pending(); pending != "" {
		out.Header().Set("X-Amz-Function-Error", "Unhandled")
		w.write(out, map[string]any{"errorMessage": pending})
		return
	}
	tick := &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "o", LeaseEnd: at.Add(time.Minute), ClaimedAt: time.Now().UTC().Truncate(time.Second), Seed: 1, Generator: 1,
		Pipeline: w.Current().Pipeline, Records: 1, PartitionKey: "uniform", Outcomes: []ledger.Range{{Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
	data, err := tick.Encode()
	if err != nil {
		w.t.Error(err)
	}
	w.Calls = append(w.Calls, "tick")
	w.Put(ledger.TickKey(at), data)
	if w.Status == "RUNNING" && (w.Silences == "" || !strings.Contains(w.SQL(), w.Silences)) {
		w.Rows[ledger.TickKey(at)] = true
		w.Put("data/"+time.Now().UTC().Format("2006/01/02/15")+"/rows", w.Delivers)
	}
	w.write(out, map[string]any{"tick": at, "state": "complete"})
}

func (w *World) verify(out *httptest.ResponseRecorder) {
	r := report.Report{Version: report.Version, Verdict: proof.Proven, JudgedAt: time.Now()}
	if w.Undecided {
		r.Verdict, r.Reasons = proof.Undecided, []string{"the ledger cannot be read"}
		w.write(out, r)
		return
	}
	for key, o := range w.Objects {
		if !strings.HasPrefix(key, ledger.TicksPrefix) {
			continue
		}
		tick, err := ledger.DecodeTick(o.Body)
		if err != nil {
			w.t.Error(err)
		}
		t := report.Tick{Tick: tick.Time, State: tick.State, Owed: 2, Delivered: 2}
		if _, rolledBack := w.Current().RolledBack(tick.Pipeline, tick.ClaimedAt); !w.Rows[key] && !rolledBack {
			if t.Delivered, t.InFlight = 0, 2; time.Since(tick.ClaimedAt) > time.Minute {
				t.InFlight, t.Missing, r.Verdict = 0, 2, proof.NotProven
			}
		}
		r.Counts.InFlight += t.InFlight
		r.Counts.Missing += t.Missing
		r.Ticks = append(r.Ticks, t)
	}
	if w.NotJudged != "" && strings.Contains(w.SQL(), w.NotJudged) {
		current := report.Epoch{Pipelines: []string{w.Current().Pipeline}, Current: true, Seen: &report.Seen{}}
		for key, o := range w.Objects {
			if strings.HasPrefix(key, ledger.TicksPrefix) && time.Since(o.Written) <= time.Minute {
				current.TicksUnsettled++
			}
		}
		r.Verdict, r.Epochs, r.Counts = proof.Undecided, []report.Epoch{current}, proof.Counts{}
	} else if len(r.Ticks) == 0 {
		r.Verdict, r.Reasons = proof.Undecided, []string{"there is no ledger"}
	}
	w.write(out, r)
}
