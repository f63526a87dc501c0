package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/local/flink"
)

type fakeApplications func() (*types.ApplicationDetail, error)

func (f fakeApplications) DescribeApplication(context.Context, *kinesisanalyticsv2.DescribeApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error) {
	detail, err := f()
	return &kinesisanalyticsv2.DescribeApplicationOutput{ApplicationDetail: detail}, err
}

func (f fakeApplications) ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error) {
	return nil, errors.New("there are no snapshots here")
}

func detail() *types.ApplicationDetail {
	return &types.ApplicationDetail{
		ApplicationName:      aws.String("app"),
		ApplicationStatus:    types.ApplicationStatusRunning,
		ApplicationVersionId: aws.Int64(3),
		ServiceExecutionRole: aws.String("arn:aws:iam::000000000000:role/r"),
		ApplicationConfigurationDescription: &types.ApplicationConfigurationDescription{
			ApplicationCodeConfigurationDescription: &types.ApplicationCodeConfigurationDescription{
				CodeContentDescription: &types.CodeContentDescription{
					S3ApplicationCodeLocationDescription: &types.S3ApplicationCodeLocationDescription{
						BucketARN: aws.String("arn:aws:s3:::b"), FileKey: aws.String("code/1.jar"),
					},
				},
			},
			EnvironmentPropertyDescriptions: &types.EnvironmentPropertyDescriptions{
				PropertyGroupDescriptions: []types.PropertyGroup{{PropertyGroupId: aws.String("streamproof"), PropertyMap: map[string]string{"a": "b"}}},
			},
			FlinkApplicationConfigurationDescription: &types.FlinkApplicationConfigurationDescription{
				CheckpointConfigurationDescription: &types.CheckpointConfigurationDescription{
					CheckpointingEnabled: aws.Bool(true), CheckpointInterval: aws.Int64(60000), MinPauseBetweenCheckpoints: aws.Int64(5000),
				},
				ParallelismConfigurationDescription: &types.ParallelismConfigurationDescription{Parallelism: aws.Int32(2)},
			},
		},
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	client := func(detail *types.ApplicationDetail, err error) fakeApplications {
		return func() (*types.ApplicationDetail, error) { return detail, err }
	}
	got, savepoint, err := describe(t.Context(), client(detail(), nil), "app")
	if err != nil || !savepoint {
		t.Fatalf("got savepoint %t, error %v: a running application is updated with one", savepoint, err)
	}
	want := &Spec{
		Version:            3,
		Role:               "arn:aws:iam::000000000000:role/r",
		Bucket:             "b",
		Key:                "code/1.jar",
		Properties:         []flink.PropertyGroup{{ID: "streamproof", Properties: map[string]string{"a": "b"}}},
		Parallelism:        2,
		CheckpointInterval: time.Minute,
		CheckpointMinPause: 5 * time.Second,
		Restore:            types.ApplicationRestoreTypeRestoreFromLatestSnapshot,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	without := detail()
	without.ApplicationConfigurationDescription.ApplicationSnapshotConfigurationDescription = &types.ApplicationSnapshotConfigurationDescription{SnapshotsEnabled: aws.Bool(false)}
	if got, _, err := describe(t.Context(), client(without, nil), "app"); err != nil || !got.NoSnapshots {
		t.Errorf("got %+v, %v, want it without snapshots", got, err)
	}

	in := func(status types.ApplicationStatus) fakeApplications {
		d := detail()
		d.ApplicationStatus = status
		return client(d, nil)
	}
	for name, test := range map[string]struct {
		client    fakeApplications
		run       bool
		savepoint bool
	}{
		"stopped":          {in(types.ApplicationStatusReady), false, false},
		"being stopped":    {in(types.ApplicationStatusStopping), false, true},
		"stopped by force": {in(types.ApplicationStatusForceStopping), false, false},
		"being updated":    {in(types.ApplicationStatusUpdating), true, true},
		"rolled back":      {in(types.ApplicationStatusRollingBack), true, false},
		"absent":           {client(nil, &types.ResourceNotFoundException{}), false, false},
	} {
		got, savepoint, err := describe(t.Context(), test.client, "app")
		if (got != nil) != test.run || savepoint != test.savepoint || err != nil {
			t.Errorf("%s: got %v, savepoint %t, %v; want run %t, savepoint %t", name, got, savepoint, err, test.run, test.savepoint)
		}
	}
	if _, _, err := describe(t.Context(), client(nil, errors.New("reset")), "app"); err == nil {
		t.Error("got no error where the answer is unknown: that would stop the job")
	}
	noCode := detail()
	noCode.ApplicationConfigurationDescription.ApplicationCodeConfigurationDescription = nil
	if _, _, err := describe(t.Context(), client(noCode, nil), "app"); err == nil || !strings.Contains(err.Error(), "app has no code in S3") {
		t.Errorf("got %v, want that there is no code", err)
	}
}

func TestWithProperties(t *testing.T) {
	t.Parallel()
	groups := []flink.PropertyGroup{{ID: "other", Properties: map[string]string{"x": "y"}}, {ID: "g", Properties: map[string]string{"a": "1", "b": "2"}}}
	got := withProperties(groups, "g", map[string]string{"b": "3"})
	want := []flink.PropertyGroup{groups[0], {ID: "g", Properties: map[string]string{"a": "1", "b": "3"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if groups[1].Properties["b"] != "2" {
		t.Error("the argument was changed")
	}
	got = withProperties(nil, "g", map[string]string{"b": "3"})
	if diff := cmp.Diff([]flink.PropertyGroup{{ID: "g", Properties: map[string]string{"b": "3"}}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

type fakeSTS func(role string) (*ststypes.Credentials, error)

func (f fakeSTS) AssumeRole(_ context.Context, in *sts.AssumeRoleInput, _ ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	c, err := f(aws.ToString(in.RoleArn))
	return &sts.AssumeRoleOutput{Credentials: c, AssumedRoleUser: &ststypes.AssumedRoleUser{}}, err
}

func TestVendor(t *testing.T) {
	t.Parallel()
	calls := 0
	// The first session is about to end, so it is handed out once only; the second lasts.
	expiry := []time.Time{time.Now().Add(10 * time.Minute), time.Now().Add(time.Hour)}
	var fail error
	v, err := newVendor(fakeSTS(func(role string) (*ststypes.Credentials, error) {
		if fail != nil {
			return nil, fail
		}
		calls++
		return &ststypes.Credentials{
			AccessKeyId: aws.String("id of " + role), SecretAccessKey: aws.String("s"), SessionToken: aws.String("t"),
			Expiration: aws.Time(expiry[min(calls, 2)-1]),
		}, nil
	}), "role", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	get := func(token string) (int, map[string]string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]string
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return resp.StatusCode, answer
	}
	if status, answer := get("wrong"); status != http.StatusForbidden || answer["AccessKeyId"] != "" {
		t.Errorf("got %d %v for a wrong token, want 403", status, answer)
	}
	for range 3 {
		get(v.Token)
	}
	status, answer := get(v.Token)
	want := map[string]string{
		"AccessKeyId": "id of role", "SecretAccessKey": "s", "Token": "t",
		"Expiration": expiry[1].UTC().Format(time.RFC3339),
	}
	if diff := cmp.Diff(want, answer); status != http.StatusOK || diff != "" {
		t.Errorf("got %d, (-want +got)\n%s", status, diff)
	}
	if calls != 2 {
		t.Errorf("got %d sessions, want 2: a new one in time, and no more than that", calls)
	}
	fail = errors.New("not allowed")
	other, err := newVendor(fakeSTS(func(string) (*ststypes.Credentials, error) { return nil, fail }), "role", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	v.URL, v.Token = other.URL, other.Token
	if status, answer := get(v.Token); status != http.StatusInternalServerError || !strings.Contains(answer["message"], "not allowed") {
		t.Errorf("got %d %v, want 500 and why", status, answer)
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	for name, test := range map[string]struct {
		status Status
		want   string
	}{
		"it never failed":         {Status{State: Starting}, ""},
		"it restarts":             {Status{State: Starting, LastError: "why", LastErrorAt: ago(50 * time.Second)}, "why"},
		"it runs for a moment":    {Status{State: Running, RunsSince: ago(3 * time.Second), LastError: "why", LastErrorAt: ago(5 * time.Second)}, "why"},
		"it has recovered":        {Status{State: Running, RunsSince: ago(20 * time.Second), LastError: "why", LastErrorAt: ago(25 * time.Second)}, ""},
		"it failed long ago":      {Status{State: Starting, LastError: "why", LastErrorAt: ago(time.Hour)}, ""},
		"its JVM is waited for":   {Status{State: Waiting, LastError: "why", LastErrorAt: ago(time.Second)}, "why"},
		"it was stopped, as such": {Status{State: Stopped, LastError: "why", LastErrorAt: ago(time.Second)}, ""},
	} {
		if got := test.status.Failing(now); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestFailuresAreRecorded: a job that restarts between two looks says why it failed, and Flink tells of it late.
func TestFailuresAreRecorded(t *testing.T) {
	t.Parallel()
	var restarts, failures int // that Flink tells of
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/overview"):
			fmt.Fprint(w, `{"jobs":[{"jid":"j","state":"RUNNING","tasks":{"total":1,"running":1}}]}`)
		case strings.HasSuffix(r.URL.Path, "/metrics"):
			fmt.Fprintf(w, `[{"id":"fullRestarts","value":"%d"}]`, restarts)
		default:
			entries := []string{}
			for i := 1; i <= failures; i++ {
				entries = append(entries, fmt.Sprintf(`{"timestamp":%d,"stacktrace":"failure %d"}`, i, i))
			}
			fmt.Fprintf(w, `{"exceptionHistory":{"entries":[%s]}}`, strings.Join(entries, ","))
		}
	}))
	defer cluster.Close()
	var log bytes.Buffer
	r := &Runner{
		Config: Config{Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))},
		jvm:    &jvm{Client: flink.Client{Address: cluster.URL}}, job: &flink.Job{ID: "j"},
	}
	for i, step := range []struct {
		restarts, failures int
		want               string
	}{
		{0, 0, ""},
		{1, 0, ""}, // it has restarted, and Flink's view is of before
		{1, 1, "failure 1"},
		{2, 2, "failure 2"},
		{2, 2, "failure 2"},
	} {
		restarts, failures = step.restarts, step.failures
		if err := r.publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.status; got.JobFailure != step.want || got.JobFailureAt.UnixMilli() != int64(failures) && failures > 0 || got.RunsSince == nil {
			t.Errorf("step %d: got failure %q at %s, want %q", i, got.JobFailure, got.JobFailureAt, step.want)
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 2 {
		t.Errorf("got %d errors in the log, want one for each failure:\n%s", got, log.String())
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	const thrown = "INFO starting\nFlinkException: no component\n\tat Cluster.main\nCaused by: BindException: port 1\n\t... 4 more\nINFO removed\n\n"
	for _, test := range []struct{ log, prefix, want string }{
		{thrown, "", "INFO removed"},
		{thrown, "Caused by: ", "Caused by: BindException: port 1"},
		{"INFO starting\nINFO removed", "Caused by: ", "INFO removed"},
		{strings.Repeat("x", 5000) + "\nlast\n", "", "last"},
		{"", "Caused by: ", ""},
	} {
		file := filepath.Join(t.TempDir(), "jvm.log")
		if err := os.WriteFile(file, []byte(test.log), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := lastLine(file, test.prefix); got != test.want {
			t.Errorf("the last line with %q of %.20q… is %q, want %q", test.prefix, test.log, got, test.want)
		}
	}
}
