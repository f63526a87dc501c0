package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/explain"
	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

// project makes a directory that looks like the project's, and goes there.
func project(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "samconfig.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return dir
}

func TestUsage(t *testing.T) {
	dir := project(t)
	for name, value := range map[string]string{
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	tests := []struct {
		args   string
		status int
		stderr string // a part of it
	}{
		{"", exitDone, ""},
		{"--help", exitDone, ""},
		{"produce --help", exitDone, ""},
		{"pause --help", exitDone, ""},
		{"pause", exitUsage, "no local stack runs"},
		{"verify --stack=", exitUsage, "--stack is empty"},
		{"doctor --region=", exitUsage, "--region is empty"},
		{"down --state-dir=", exitUsage, "--state-dir is empty"},
		{"verify --deadline 999ms", exitUsage, "at least 1s"},
		{"resume --stack a --region eu-west-1", exitUsage, "no AWS credentials"},
		{"explain", exitUsage, "no local stack runs"},
		{"explain --report none", exitUsage, "none"},
		{"explain --latest --report " + filepath.Join(dir, "samconfig.toml"), exitUsage, "can't be used together"},
		{"nonsense", exitUsage, "nonsense"},
		{"produce many", exitUsage, "many"},
		{"produce 0", exitUsage, "cannot produce 0 records"},
		{"produce -- -5", exitUsage, "cannot produce -5 records"},
		{"produce 10000001", exitUsage, "cannot produce 10000001 records: give 1 to 10000000"},
		{"demo --records 10000001", exitUsage, "give 1 to 10000000"},
		{"sql run x --records 10000001", exitUsage, "to 10000000"},
		{"produce --tick 2020-01-01T00:00:00Z", exitUsage, "ago: give a later one"},
		{"produce --tick 0001-01-01T00:00:00Z", exitUsage, "ago: give a later one"},
		{"produce --tick 2130-01-01T00:00:00Z", exitUsage, "ahead: give an earlier one"},
		{"produce 10 --poison 11", exitUsage, "poison is 11: of 10 records, 0 to 10 can be malformed"},
		{"demo --poison=-1", exitUsage, "poison is -1"},
		{"up --set Transform", exitUsage, "Transform"},
		{"produce 10 --tick yesterday", exitUsage, "yesterday"},
		{"demo --records 0", exitUsage, "cannot produce 0 records"},
		{"up --port 70000", exitUsage, "70000"},
		{"up", exitUsage, "run `make build`"},
		{"demo", exitUsage, "run `make build`"},
		{"verify --stack a --state-dir b", exitUsage, "can't be used together"},
		{"verify --region eu-west-1", exitUsage, "--stack"},
		{"verify --stack a", exitUsage, "no region"},
		{"verify --stack a --region eu-west-1", exitUsage, "no AWS credentials"},
		{"produce", exitUsage, "no local stack runs in " + filepath.Join(dir, ".streamproof") + ": start one with `streamproof up`"},
		{"verify", exitUsage, "no local stack runs"},
		{"status --json", exitUsage, "no local stack runs"},
		{"status --state-dir elsewhere", exitUsage, "no local stack runs in " + filepath.Join(dir, "elsewhere")},
		{"follow " + dir, exitUsage, "no local stack runs"},
		{"down", exitDone, ""},
		{"--project none up", exitUsage, "none"},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		status := Run(t.Context(), strings.Fields(test.args), &stdout, &stderr)
		if status != test.status {
			t.Errorf("streamproof %s: got status %d, want %d: %s", test.args, status, test.status, stderr.String())
		}
		if !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("streamproof %s: got %q, want %q", test.args, stderr.String(), test.stderr)
		}
		last := strings.TrimSuffix(stderr.String(), "\n")
		last = last[strings.LastIndexByte(last, '\n')+1:]
		if status != exitDone && !strings.HasPrefix(last, "streamproof: ") {
			t.Errorf("streamproof %s: got %q, want one line that begins with streamproof:", test.args, stderr.String())
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".streamproof", "demo-*")); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want no directory of a demo that was not", left, err)
	}
}

func TestOutsideTheProject(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	if status := Run(t.Context(), []string{"up"}, &stdout, &stderr); status != exitUsage || !strings.Contains(stderr.String(), "--project") {
		t.Errorf("got status %d, %q, want %d and what to do", status, stderr.String(), exitUsage)
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	judged := func(verdict proof.Verdict) error { return verdictOf(&report.Report{Verdict: verdict}) }
	tests := []struct {
		err    error
		status int
		stderr string
	}{
		{nil, 0, ""},
		{judged(proof.Proven), 0, ""},
		{judged(proof.NotProven), 1, ""},
		{judged(proof.Undecided), 3, ""},
		{errors.Join(judged(proof.Undecided)), 3, ""},
		{&usageError{errors.New("wrong")}, 2, "streamproof: wrong\n"},
		{fmt.Errorf("start: %w", &local.SetupError{Problem: "not built"}), 2, "streamproof: start: not built\n"},
		{fmt.Errorf("%w: no such stack", stack.ErrNotUsable), 2, "streamproof: not usable: no such stack\n"},
		{errors.New("timeout"), 3, "streamproof: timeout\n"},
		{t.Context().Err(), 0, ""},
		{&local.LogError{Err: errors.New("failed"), Log: "none"}, 3, "streamproof: failed; its log is none\n"},
	}
	for _, test := range tests {
		var stderr bytes.Buffer
		e := newEnv(io.Discard, &stderr)
		if got := e.report(test.err); got != test.status || stderr.String() != test.stderr {
			t.Errorf("%v: got status %d, %q, want %d, %q", test.err, got, stderr.String(), test.status, test.stderr)
		}
	}
	var stderr bytes.Buffer
	newEnv(io.Discard, &stderr).report(&local.LogError{Err: errors.New("failed"), Log: log})
	if got := stderr.String(); strings.Contains(got, "line 9\n") || !strings.Contains(got, "  | line 10\n") || !strings.Contains(got, "  | line 29\nstreamproof: failed") {
		t.Errorf("got %q, want the last 20 lines of the log and then the error", got)
	}
}

var tick = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func notProven() *report.Report {
	return &report.Report{
		Version: 1, Verdict: proof.NotProven, JudgedAt: tick, Bucket: "s3://bucket", Prefix: "ingestion-kinesis/",
		Reasons: []string{"1 row is missing."},
		Key:     "reports/2026/01/02/20260102T030405Z.json",
		Covers: report.Coverage{
			From: tick.Add(-time.Hour), To: tick, Ticks: 3, TicksUnsettled: 1, Records: 3000, Objects: 12, Rows: 1500, Bytes: 23456,
			DeliveryDeadlineSeconds: 600, ArchivedUntil: tick.Add(-9 * time.Hour),
		},
		Counts: proof.Counts{Owed: 1505, Delivered: 1490, Rejects: 2, Missing: 1, Failed: 2, Duplicated: 7, Corrupt: 2, Leaked: 1, InFlight: 10, Late: 3, Foreign: 1},
		Delay:  report.Delay{Rows: 1490, P50: 20, P95: 30, Max: 640, LateMax: 40},
		Samples: map[proof.Class][]proof.Sample{
			proof.Missing:    {{Row: "1,2,3.0,4.5", Count: 1, Tick: &tick}},
			proof.Duplicated: {{Row: "a", Count: 1, Object: "o", Line: 1}, {Row: "b", Count: 1}, {Row: "c", Count: 1}, {Row: "d", Count: 1}, {Row: "e", Count: 1}, {Row: "f", Count: 1}, {Row: "g", Count: 1}},
			proof.Foreign:    {{Row: `"x"`, Count: 1, Object: "ingestion-kinesis-errors/2026/01/02/03/y", Line: 2, Reason: "wrong number of columns"}},
			proof.Corrupt:    {{Row: "1,2,3.01,2,3.0", Count: 1, Object: "ingestion-kinesis/2026/01/02/03/x", Line: 17, Reason: "5 columns, want 4"}},
		},
		LastSeen: []report.Finding{{Class: proof.Missing, Row: "1,2,3.0,4.5", Count: 1, Tick: tick, Hop: report.InStream, Text: "in the stream, and nowhere else"}},
		Rejects:  []report.Rejects{{Prefix: "ingestion-kinesis-errors/", Reason: "wrong number of columns", Count: 3}},
	}
}

// TestVerifyDir: a copy without a ledger cannot be judged, and the last line and the exit status say so.
func TestVerifyDir(t *testing.T) {
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	status := Run(t.Context(), []string{"verify", "--dir", dir}, &stdout, &stderr)
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if last := lines[len(lines)-1]; status != 3 || !strings.HasPrefix(last, "UNDECIDED: nothing was counted; ") || !strings.Contains(stdout.String(), "there is no ledger") {
		t.Errorf("exit status %d, want 3:\n%s%s", status, stdout.String(), stderr.String())
	}
	for _, args := range [][]string{{"--dir", dir, "--stack", "s"}, {"--dir", dir, "--deadline", "0s"}, {"--dir", filepath.Join(dir, "missing")},
		{"--dir", ""}, {"--dir="}, {"--dir", dir, "--html", ""}, {"--dir", dir, "--prefix", ""}, {"--dir", dir, "--errors="}} {
		if status := Run(t.Context(), append([]string{"verify"}, args...), &stdout, &stderr); status != exitUsage {
			t.Errorf("verify %v: exit status %d, want %d", args, status, exitUsage)
		}
	}
}

func TestReportText(t *testing.T) {
	t.Parallel()
	r := notProven()
	text := reportText(r).String()
	golden.Check(t, "testdata/report.txt", text+"\n")
	if last := text[strings.LastIndexByte(text, '\n')+1:]; last != r.LastLine() || !strings.HasPrefix(last, "NOT PROVEN") {
		t.Errorf("got last line %q, want %q", last, r.LastLine())
	}
	golden.Check(t, "testdata/report-empty.txt", reportText(&report.Report{Verdict: proof.Undecided, Bucket: "s3://bucket", Prefix: "p/", Reasons: []string{"there is no ledger"}}).String()+"\n")
}

func TestAnswerText(t *testing.T) {
	t.Parallel()
	golden.Check(t, "testdata/answer.txt", answerText(&producer.Answer{
		Tick: tick, State: ledger.Complete, Sent: true, Records: 1000, Acknowledged: 990, Rejected: 7, Unknown: 3,
		Shards: map[string]ledger.Shard{
			"shardId-000000000001": {Records: 490, FirstSequenceNumber: "3", LastSequenceNumber: "4"},
			"shardId-000000000000": {Records: 500, FirstSequenceNumber: "1", LastSequenceNumber: "2"},
		},
		Message: "7 records were rejected.",
	}).String()+"\n")
	golden.Check(t, "testdata/answer-empty.txt", answerText(&producer.Answer{Tick: tick, State: ledger.Claimed, Records: 10, Message: "It is in progress."}).String()+"\n")
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	aws := &stack.Status{
		Stack: "streamproof", Region: "eu-west-1", State: "UPDATE_COMPLETE",
		Outputs: stack.Outputs{
			BucketName: "bucket", StreamName: "stream", DeliveryStreamName: "delivery", ApplicationName: "analytics", DataPrefix: "ingestion-kinesis/",
		},
		Schedule:    stack.Schedule{Name: "tick", Expression: "rate(1 minute)", State: "ENABLED"},
		Application: stack.Application{Status: "RUNNING", Version: 4},
		Stream:      stack.Stream{Status: "ACTIVE", Shards: []string{"shardId-000000000000", "shardId-000000000001"}},
		Ledger:      stack.Ledger{Since: tick.Truncate(24*time.Hour).AddDate(0, 0, -1)},
	}
	golden.Check(t, "testdata/status-aws.txt", statusText(&status{Status: aws}).String()+"\n")
	paused := *aws
	paused.Schedule.State, paused.Application.Status = "DISABLED", "READY"
	golden.Check(t, "testdata/status-paused.txt", statusText(&status{Status: &paused}).String()+"\n")
	here := *aws
	here.Ledger.Ticks, here.Ledger.Last = 17, &ledger.Tick{Time: tick, State: ledger.InProgress, Records: 1000}
	here.Last = notProven()
	at := tick.Truncate(time.Second)
	golden.Check(t, "testdata/status-local.txt", statusText(&status{Status: &here, Local: &localStatus{
		Endpoint: "http://127.0.0.1:4566", StateDir: "/project/.streamproof", Following: true,
		Job: runner.Status{
			State: runner.Starting, Version: 4, PID: 42, Address: "http://127.0.0.1:8081", Starts: 3, Failures: 1,
			RestoredFrom: "/project/.streamproof/flink/checkpoints/a/chk-7", LastError: "the JVM ended by itself", LastErrorAt: &at,
		},
	}}).String()+"\n")
	golden.Check(t, "testdata/status-nobody.txt", statusText(&status{Status: aws, Local: &localStatus{Endpoint: "http://127.0.0.1:4566", StateDir: "/project/.streamproof"}}).String()+"\n")
}

func TestSettled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		r    report.Report
		want bool
	}{
		{"all delivered", report.Report{Verdict: proof.Proven, Covers: report.Coverage{Ticks: 3}}, true},
		{"a tick is not judged yet", report.Report{Verdict: proof.Proven, Covers: report.Coverage{Ticks: 2}}, false},
		{"in flight", report.Report{Verdict: proof.Proven, Covers: report.Coverage{Ticks: 3}, Counts: proof.Counts{InFlight: 1}}, false},
		{"undecided", report.Report{Verdict: proof.Undecided, Covers: report.Coverage{Ticks: 3}}, false},
		{"not proven", report.Report{Verdict: proof.NotProven, Counts: proof.Counts{InFlight: 1}}, true},
	}
	for _, test := range tests {
		if got := settled(&test.r, 3); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}

func TestScheduleTimeout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expression, state string
		want              time.Duration
	}{
		{"rate(1 minute)", "ENABLED", 3 * time.Minute},
		{"rate(5 minutes)", "ENABLED", 7 * time.Minute},
		{"rate(6 minutes)", "ENABLED", 0},
		{"rate(1 minute)", "DISABLED", 0},
		{"cron(* * * * ? *)", "ENABLED", 0},
	} {
		if got := scheduleTimeout(stack.Schedule{Expression: test.expression, State: test.state}); got != test.want {
			t.Errorf("%s, %s: got %s, want %s", test.expression, test.state, got, test.want)
		}
	}
}

func TestProgressLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(newEnv(io.Discard, &out))
	p.step("first")(nil)
	p.step("second")(errors.New("no"))
	p.begin("third").Update("half")
	p.stop()
	if want := "first …\nfirst: done in 0s\nsecond …\nsecond: failed after 0s\nthird …\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestExplainText(t *testing.T) {
	t.Parallel()
	r := notProven()
	place := report.Place{Shard: "shardId-000000000001", SequenceNumber: "49650000000000000000000000000000000000000000000000000007"}
	packed := place
	packed.Aggregate = &report.Aggregate{PartitionKey: "5ca1ab1e00000000", ExplicitHashKey: "42", Position: 3, Records: 120}
	out := &explain.Explanation{Beyond: 7, Findings: []report.Finding{
		{
			Class: proof.Missing, Row: "1,5,3,9.8", Count: 1, Tick: tick, Hop: report.InStream, Candidates: 7,
			Text: "in the stream, not among the rejects, not under processing-failed, not in the data: lost in the application or after Firehose took it; 1 of these 7 records, which give equal rows",
			Records: []report.Record{
				{Index: 17, PartitionKey: "0123456789abcdef", Outcome: ledger.Acknowledged, Places: []report.Place{place}},
				{Index: 18, PartitionKey: "fedcba9876543210", Outcome: ledger.AcknowledgedAfterUnknown, Places: []report.Place{place, packed}},
			},
		},
		{Class: proof.Failed, Row: `"a\xff"`, Count: 2, Hop: report.NotFound, Text: "the report does not say which tick owes it"},
	}}
	golden.Check(t, "testdata/explain.txt", explainText(out, r).String()+"\n")
	golden.Check(t, "testdata/explain-nothing.txt", explainText(&explain.Explanation{}, &report.Report{Verdict: proof.Proven}).String()+"\n")
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	denied := fmt.Errorf("describe schedule x: %w", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"})
	if got := needs(denied, "a and b").Error(); !strings.Contains(got, "describe schedule x") || !strings.HasSuffix(got, "your own credentials, which need a and b") {
		t.Errorf("got %q", got)
	}
	other := errors.New("other")
	if got := needs(other, "a and b"); got != other { //nolint:errorlint // it is to be the very same
		t.Errorf("got %v", got)
	}
}

func TestAcceptedText(t *testing.T) {
	t.Parallel()
	r := notProven()
	lost := proof.Group{Class: proof.Missing, Place: proof.Place{Tick: *r.Samples[proof.Missing][0].Tick}, Rows: map[proof.Name]int64{}}
	lost.Add(proof.NameOf(r.Samples[proof.Missing][0].Row), 1)
	a, _, err := r.Accept(proof.Missing, 1, []proof.Group{lost}, "deleted by hand.", "ada", tick)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/accepted.txt", acceptedText(a, r).String())
}

// TestWhatIsAccepted: the number must equal the number of findings that the flags select.
func TestWhatIsAccepted(t *testing.T) {
	t.Parallel()
	group := func(class proof.Class, place proof.Place, n int64) proof.Group {
		g := proof.Group{Class: class, Place: place, Rows: map[proof.Name]int64{}}
		g.Add(proof.NameOf("a"), n)
		return g
	}
	found := []proof.Group{
		group(proof.Missing, proof.Place{Tick: tick}, 3), group(proof.Missing, proof.Place{Tick: tick.Add(time.Minute)}, 4),
		group(proof.Duplicated, proof.Place{Object: "a"}, 5), group(proof.Duplicated, proof.Place{Object: "b\x1b"}, 6),
	}
	r := &report.Report{Verdict: proof.NotProven, JudgedAt: tick, Counts: proof.Counts{Missing: 7, Duplicated: 11, Unexpected: 9}}
	for _, test := range []struct {
		cmd  acceptCmd
		want string // the error; empty for none
	}{
		{acceptCmd{Class: "missing", Count: 7}, ""},
		{acceptCmd{Class: "missing", Count: 3, Tick: tick}, ""},
		{acceptCmd{Class: "duplicated", Count: 6, Object: "b\x1b"}, ""},
		{acceptCmd{Class: "missing", Count: 4, Tick: tick}, "cannot accept 4 missing rows: there are 3 that are not accepted yet"},
		{acceptCmd{Class: "missing", Count: 3}, "cannot accept 3 missing rows: there are 7 that are not accepted yet; give that number, or narrow them down with --tick 2026-01-02T03:05:05.006Z (4), --tick 2026-01-02T03:04:05.006Z (3)"},
		{acceptCmd{Class: "duplicated", Count: 1}, `there are 11 that are not accepted yet; give that number, or narrow them down with --object "b\x1b" (6), --object "a" (5)`},
		{acceptCmd{Class: "duplicated", Count: 1, Object: "c"}, "there are 0 that are not accepted yet"},
		{acceptCmd{Class: "unexpected", Count: 9}, "cannot accept 9 unexpected rows: 9 are in too many places to be named"},
		{acceptCmd{Class: "leaked", Count: 1}, "there are 0 that are not accepted yet"},
	} {
		test.cmd.Reason, test.cmd.Who = "known", "ada"
		a, _, err := test.cmd.acceptance(r, slices.Clone(found))
		if test.want == "" && (err != nil || a.Count != test.cmd.Count) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: got %+v, %v, want %q", test.cmd, a, err, test.want)
		}
	}
	for _, wrong := range []acceptCmd{{Class: "missing", Count: 1, Object: "a", Reason: "r"}, {Class: "corrupt", Count: 1, Tick: tick, Reason: "r"}} {
		if err := wrong.Validate(); err == nil || !strings.Contains(err.Error(), "narrow them down with") {
			t.Errorf("%+v: got %v", wrong, err)
		}
	}
}
