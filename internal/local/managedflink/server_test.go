package managedflink_test

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/smithy-go"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/managedflink"
	"streamproof/internal/local/runner"
)

const app = "an-application"

// world is an emulator with one application, and what runs its job.
type world struct {
	mu        sync.Mutex
	status    types.ApplicationStatus // the emulator's, which ignores the job
	version   int64
	code      string
	snapshots bool
	rollback  bool
	taken     []string // snapshots
	roleAge   time.Duration
	denied    bool // the role may not read the code
	metrics   int  // calls that published some

	job    runner.Status
	jobErr error
	asked  int // how often the server asked for the job
	logged bytes.Buffer

	server *managedflink.Server
	client *kinesisanalyticsv2.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{status: types.ApplicationStatusReady, version: 1, code: "code/1.jar", snapshots: true, roleAge: time.Hour, job: runner.Status{State: runner.Stopped}}
	fake := httptest.NewServer(w)
	t.Cleanup(fake.Close)
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: &fake.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1}
	var err error
	w.server, err = managedflink.Start(managedflink.Config{AWS: config, Listen: "127.0.0.1:0", Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), w), nil)), Job: func(string) (runner.Status, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked++
		return w.job, w.jobErr
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.Close(); err != nil {
			t.Error(err)
		}
	})
	config.BaseEndpoint = aws.String(w.server.URL())
	w.client = kinesisanalyticsv2.NewFromConfig(config)
	return w
}

// Write takes a line of the server's log.
func (w *world) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logged.Write(line)
}

// change changes the world under its lock.
func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// ServeHTTP is the emulator.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	_, action, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		w.others(rw, r, string(body))
		return
	}
	var in struct {
		ApplicationName                string
		CurrentApplicationVersionId    int64 //nolint:revive // the service's name
		ApplicationConfigurationUpdate struct {
			ApplicationCodeConfigurationUpdate struct {
				CodeContentUpdate struct {
					S3ContentLocationUpdate struct{ FileKeyUpdate string }
				}
			}
		}
		Force bool
	}
	_ = json.Unmarshal(body, &in)
	answer := func(v any) { _ = json.NewEncoder(rw).Encode(v) }
	refuse := func(code string) {
		rw.WriteHeader(http.StatusBadRequest)
		answer(map[string]string{"__type": code, "message": "as the emulator says"})
	}
	if in.ApplicationName != app {
		refuse("ResourceNotFoundException")
		return
	}
	detail := map[string]any{"ApplicationDetail": map[string]any{
		"ApplicationName": app, "ApplicationStatus": w.status, "ApplicationVersionId": w.version, "CreateTimestamp": 1700000000,
		"ApplicationConfigurationDescription": map[string]any{
			"ApplicationCodeConfigurationDescription": map[string]any{"CodeContentDescription": map[string]any{
				"S3ApplicationCodeLocationDescription": map[string]any{"BucketARN": "arn:aws:s3:::b", "FileKey": w.code},
			}},
			"ApplicationSnapshotConfigurationDescription":       map[string]any{"SnapshotsEnabled": w.snapshots},
			"ApplicationSystemRollbackConfigurationDescription": map[string]any{"RollbackEnabled": w.rollback},
		},
	}}
	switch action {
	case "DescribeApplication":
		answer(detail)
	case "StartApplication":
		w.status = types.ApplicationStatusRunning
		answer(map[string]string{"OperationId": "the emulator's"})
	case "StopApplication":
		w.status = types.ApplicationStatusReady
		if w.snapshots && !in.Force {
			w.taken = append(w.taken, fmt.Sprintf("STOP-%d", len(w.taken)))
		}
		answer(map[string]string{"OperationId": "the emulator's"})
	case "UpdateApplication":
		if in.CurrentApplicationVersionId != w.version {
			refuse("ConcurrentModificationException")
			return
		}
		w.version++
		if key := in.ApplicationConfigurationUpdate.ApplicationCodeConfigurationUpdate.CodeContentUpdate.S3ContentLocationUpdate.FileKeyUpdate; key != "" {
			w.code = key
		}
		if w.status == types.ApplicationStatusRunning && w.snapshots {
			w.taken = append(w.taken, fmt.Sprintf("UPDATE-%d", len(w.taken)))
		}
		detail["ApplicationDetail"].(map[string]any)["ApplicationVersionId"] = w.version
		answer(detail)
	case "DeleteApplication":
		answer(map[string]any{})
	case "ListApplicationSnapshots":
		list := []map[string]any{}
		for _, name := range w.taken {
			list = append(list, map[string]any{"SnapshotName": name, "SnapshotStatus": "READY", "SnapshotCreationTimestamp": 1700000000, "ApplicationVersionId": 1})
		}
		answer(map[string]any{"SnapshotSummaries": list})
	case "DescribeApplicationSnapshot":
		answer(map[string]any{"SnapshotDetails": map[string]any{"SnapshotName": "x", "SnapshotStatus": "READY", "SnapshotCreationTimestamp": 1700000000, "ApplicationVersionId": 1}})
	case "DeleteApplicationSnapshot":
		w.taken = w.taken[:len(w.taken)-1]
		answer(map[string]any{})
	default:
		refuse("UnknownOperationException")
	}
}

// others is IAM, STS, S3 and CloudWatch.
func (w *world) others(rw http.ResponseWriter, r *http.Request, body string) {
	switch {
	case strings.Contains(body, "Action=GetRole"):
		fmt.Fprintf(rw, "<GetRoleResponse><GetRoleResult><Role><RoleName>r</RoleName><Arn>a</Arn><Path>/</Path><RoleId>i</RoleId><CreateDate>%s</CreateDate></Role></GetRoleResult></GetRoleResponse>",
			time.Now().Add(-w.roleAge).UTC().Format(time.RFC3339))
	case strings.Contains(body, "Action=AssumeRole"):
		fmt.Fprintf(rw, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>k</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case strings.Contains(body, "Action=PutMetricData"):
		w.metrics++
		fmt.Fprint(rw, "<PutMetricDataResponse></PutMetricDataResponse>")
	case r.Method == http.MethodHead && w.denied:
		rw.WriteHeader(http.StatusForbidden)
	}
}

func (w *world) describe(t *testing.T) *types.ApplicationDetail {
	t.Helper()
	out, err := w.client.DescribeApplication(t.Context(), &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: aws.String(app)})
	if err != nil {
		t.Fatal(err)
	}
	return out.ApplicationDetail
}

func (w *world) await(t *testing.T, want types.ApplicationStatus) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := w.describe(t).ApplicationStatus
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the application is %s, want %s", got, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) start(ctx context.Context) (string, error) {
	out, err := w.client.StartApplication(ctx, &kinesisanalyticsv2.StartApplicationInput{ApplicationName: aws.String(app)})
	if err != nil {
		return "", err
	}
	return *out.OperationId, nil
}

func (w *world) stop(ctx context.Context, force bool) (string, error) {
	out, err := w.client.StopApplication(ctx, &kinesisanalyticsv2.StopApplicationInput{ApplicationName: aws.String(app), Force: &force})
	if err != nil {
		return "", err
	}
	return *out.OperationId, nil
}

func (w *world) update(ctx context.Context, version int64, code string) (string, error) {
	out, err := w.client.UpdateApplication(ctx, &kinesisanalyticsv2.UpdateApplicationInput{
		ApplicationName: aws.String(app), CurrentApplicationVersionId: &version,
		ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{ApplicationCodeConfigurationUpdate: &types.ApplicationCodeConfigurationUpdate{
			CodeContentUpdate: &types.CodeContentUpdate{S3ContentLocationUpdate: &types.S3ContentLocationUpdate{FileKeyUpdate: &code}},
		}},
	})
	if err != nil {
		return "", err
	}
	return *out.OperationId, nil
}

func (w *world) delete(ctx context.Context) error {
	_, err := w.client.DeleteApplication(ctx, &kinesisanalyticsv2.DeleteApplicationInput{ApplicationName: aws.String(app), CreateTimestamp: aws.Time(time.Unix(1700000000, 0))})
	return err
}

func (w *world) operation(t *testing.T, id string) *types.ApplicationOperationInfoDetails {
	t.Helper()
	out, err := w.client.DescribeApplicationOperation(t.Context(), &kinesisanalyticsv2.DescribeApplicationOperationInput{ApplicationName: aws.String(app), OperationId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out.ApplicationOperationInfoDetails
}

// run brings the application to RUNNING.
func (w *world) run(t *testing.T) {
	t.Helper()
	if _, err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.change(func() { w.job = running(w.version) })
	w.await(t, types.ApplicationStatusRunning)
}

// code is that of an error, empty for none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: got %q, want %q (%v)", what, got, want, err)
	}
}

const (
	inUse      = "ResourceInUseException"
	noSnapshot = "InvalidApplicationConfigurationException"
	concurrent = "ConcurrentModificationException"
)

func running(version int64) runner.Status {
	return runner.Status{State: runner.Running, JobState: "RUNNING", RunsSince: aws.Time(time.Now()), Version: version}
}

// TestRefusals: in each status, which calls are refused, and how.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                           string
		prepare                        func(t *testing.T, w *world)
		start, stop, force, update, rm string // errors; * where the call is not made, since it is taken
	}{
		{"READY", func(*testing.T, *world) {}, "*", inUse, inUse, "*", "*"},
		{"STARTING", func(t *testing.T, w *world) {
			_, err := w.start(t.Context())
			check(t, "start", err, "")
		}, inUse, inUse, "*", inUse, inUse},
		{"RUNNING", func(t *testing.T, w *world) { w.run(t) }, inUse, "*", "*", "*", "*"},
		{"RUNNING, and the job is down", func(t *testing.T, w *world) {
			w.run(t)
			w.change(func() { w.job.RunsSince = nil })
		}, inUse, noSnapshot, "*", noSnapshot, "*"},
		{"RUNNING without snapshots, and the job is down", func(t *testing.T, w *world) {
			w.run(t)
			w.change(func() { w.job.RunsSince, w.snapshots = nil, false })
		}, inUse, "*", "*", "*", "*"},
		{"UPDATING", func(t *testing.T, w *world) {
			w.run(t)
			_, err := w.update(t.Context(), 1, "code/2.jar")
			check(t, "update", err, "")
		}, inUse, inUse, "*", inUse, inUse},
		{"STOPPING", func(t *testing.T, w *world) {
			w.run(t)
			_, err := w.stop(t.Context(), false)
			check(t, "stop", err, "")
		}, inUse, inUse, "*", inUse, inUse},
		{"FORCE_STOPPING", func(t *testing.T, w *world) {
			w.run(t)
			_, err := w.stop(t.Context(), true)
			check(t, "stop", err, "")
		}, inUse, inUse, inUse, inUse, inUse},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.prepare(t, w)
			status, _, _ := strings.Cut(test.name, ",")
			status, _, _ = strings.Cut(status, " ")
			if got := w.describe(t).ApplicationStatus; string(got) != status {
				t.Fatalf("the application is %s, want %s", got, status)
			}
			version := w.describe(t).ApplicationVersionId
			for _, call := range []struct {
				name, want string
				do         func() error
			}{
				{"start", test.start, func() error { _, err := w.start(t.Context()); return err }},
				{"stop", test.stop, func() error { _, err := w.stop(t.Context(), false); return err }},
				{"stop by force", test.force, func() error { _, err := w.stop(t.Context(), true); return err }},
				{"update", test.update, func() error { _, err := w.update(t.Context(), *version, "code/3.jar"); return err }},
				{"delete", test.rm, func() error { return w.delete(t.Context()) }},
			} {
				if call.want != "*" {
					check(t, call.name, call.do(), call.want)
				}
			}
		})
	}
}

// TestRunningIsNoHealth: a job that was accepted and fails is RUNNING all the same, and can only be stopped by force.
func TestRunningIsNoHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, err := w.start(t.Context())
	check(t, "start", err, "")
	w.change(func() {
		w.job = runner.Status{State: runner.Starting, JobState: "RESTARTING", Version: 1, Metrics: map[string]float64{"fullRestarts": 4}}
	})
	w.await(t, types.ApplicationStatusRunning)
	if got := w.operation(t, id).OperationStatus; got != types.OperationStatusSuccessful {
		t.Errorf("the start is %s", got)
	}
	_, err = w.stop(t.Context(), false)
	check(t, "stop", err, noSnapshot)
	if err == nil || !strings.Contains(err.Error(), "Failed to take snapshot") {
		t.Errorf("got %v", err)
	}
	id, err = w.stop(t.Context(), true)
	check(t, "stop by force", err, "")
	w.await(t, types.ApplicationStatusForceStopping)
	w.change(func() { w.job = runner.Status{State: runner.Stopped, Version: 1} })
	w.await(t, types.ApplicationStatusReady)
	if got := w.operation(t, id).OperationStatus; got != types.OperationStatusSuccessful {
		t.Errorf("the stop is %s", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.taken) > 0 {
		t.Errorf("there are snapshots of a job that could take none: %q", w.taken)
	}
	if w.metrics == 0 {
		t.Error("CloudWatch was told nothing")
	}
}

// TestStartFails: code that does not start leaves the application READY, and the operation has the reason.
func TestStartFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 { // what was said of the first attempt is not taken for the second's
		id, err := w.start(t.Context())
		check(t, "start", err, "")
		time.Sleep(300 * time.Millisecond)
		w.await(t, types.ApplicationStatusStarting)
		w.change(func() {
			w.job = runner.Status{State: runner.Waiting, Version: 1, Refused: "no main class\n\tat x", RefusedAt: time.Now()}
		})
		w.await(t, types.ApplicationStatusReady)
		o := w.operation(t, id)
		if o.OperationStatus != types.OperationStatusFailed || aws.ToString(o.OperationFailureDetails.ErrorInfo.ErrorString) != "no main class" {
			t.Errorf("got %+v", o)
		}
	}
}

// TestStopFails: where the snapshot fails, the application is RUNNING as before, and there is no snapshot.
func TestStopFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t)
	id, err := w.stop(t.Context(), false)
	check(t, "stop", err, "")
	w.change(func() { w.job.StopFailed, w.job.StopFailedAt = "not all tasks are running", time.Now() })
	w.await(t, types.ApplicationStatusRunning)
	if o := w.operation(t, id); o.OperationStatus != types.OperationStatusFailed || *o.OperationFailureDetails.ErrorInfo.ErrorString != "not all tasks are running" {
		t.Errorf("got %+v", o)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status != types.ApplicationStatusRunning || len(w.taken) > 0 {
		t.Errorf("the emulator says %s and has the snapshots %q", w.status, w.taken)
	}
}

// TestUpdateFails: the application is READY afterwards; or runs what ran before, where it says that it is to be rolled
// back.
func TestUpdateFails(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback %t", rollback), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rollback = rollback
			w.run(t)
			_, err := w.update(t.Context(), 7, "code/2.jar")
			check(t, "update of another version", err, concurrent)
			_, err = w.client.UpdateApplication(t.Context(), &kinesisanalyticsv2.UpdateApplicationInput{ApplicationName: aws.String(app)})
			check(t, "update of no version", err, "InvalidArgumentException")
			id, err := w.update(t.Context(), 1, "code/2.jar")
			check(t, "update", err, "")
			w.await(t, types.ApplicationStatusUpdating)
			w.change(func() {
				w.job = runner.Status{State: runner.Waiting, Version: 2, Refused: "no main class", RefusedAt: time.Now()}
			})
			if !rollback {
				w.await(t, types.ApplicationStatusReady)
				return
			}
			w.await(t, types.ApplicationStatusRollingBack)
			w.change(func() { w.job = running(3) })
			w.await(t, types.ApplicationStatusRunning)
			d := w.describe(t)
			if got := *d.ApplicationConfigurationDescription.ApplicationCodeConfigurationDescription.CodeContentDescription.S3ApplicationCodeLocationDescription.FileKey; got != "code/1.jar" || *d.ApplicationVersionId != 3 {
				t.Errorf("version %d runs %s, want what ran before", *d.ApplicationVersionId, got)
			}
			o := w.operation(t, id)
			if o.OperationStatus != types.OperationStatusFailed || aws.ToString(o.OperationFailureDetails.RollbackOperationId) == "" || *o.ApplicationVersionChangeDetails.ApplicationVersionUpdatedTo != 2 {
				t.Errorf("got %+v", o)
			}
			list, err := w.client.ListApplicationOperations(t.Context(), &kinesisanalyticsv2.ListApplicationOperationsInput{ApplicationName: aws.String(app)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range list.ApplicationOperationInfoList {
				got = append(got, *o.Operation+" "+string(o.OperationStatus))
			}
			if want := []string{"RollbackApplication SUCCESSFUL", "UpdateApplication FAILED", "StartApplication SUCCESSFUL"}; !slices.Equal(got, want) {
				t.Errorf("got operations %q, want %q", got, want)
			}
		})
	}
}

// TestRollback is by hand, and needs a snapshot.
func TestRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.snapshots = false
	rollBack := func() error {
		_, err := w.client.RollbackApplication(t.Context(), &kinesisanalyticsv2.RollbackApplicationInput{ApplicationName: aws.String(app), CurrentApplicationVersionId: aws.Int64(2)})
		return err
	}
	check(t, "READY", rollBack(), inUse)
	w.run(t)
	check(t, "nothing to go back to", rollBack(), "InvalidRequestException")
	_, err := w.update(t.Context(), 1, "code/2.jar")
	check(t, "update", err, "")
	w.change(func() { w.job.Version = 2 })
	w.await(t, types.ApplicationStatusRunning)
	check(t, "no snapshot", rollBack(), "InvalidRequestException")
	w.change(func() { w.taken = []string{"x"} })
	check(t, "rollback", rollBack(), "")
	w.await(t, types.ApplicationStatusRollingBack)
}

// TestFailureIsLoggedOnce: a failure that lasts is one line, until there is another one or it was over.
func TestFailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t)
	for _, failure := range []error{errors.New("unreadable"), errors.New("elsewhere"), nil, errors.New("unreadable")} {
		asked := 0
		w.change(func() { w.jobErr, asked = failure, w.asked })
		for deadline := time.Now().Add(10 * time.Second); asked >= 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			w.change(func() {
				if w.asked > asked+3 {
					asked = -1
				}
			})
		}
	}
	w.change(func() {
		if got, want := strings.Count(w.logged.String(), "level=ERROR"), 3; got != want {
			t.Errorf("got %d lines, want %d:\n%s", got, want, w.logged.String())
		}
	})
}

// TestGate: what CloudFormation is about to do is held to the same rules.
func TestGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(question string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL()+emulator.GatePath, bytes.NewReader([]byte(question)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode == http.StatusOK {
			return ""
		}
		return string(body)
	}
	const create = `{"Operation": "CreateApplication", "Name": "an-application", "Role": "arn:aws:iam::0:role/r",
		"Configuration": {"ApplicationCodeConfiguration": {"CodeContent": {"S3ContentLocation": {"BucketARN": "arn:aws:s3:::b", "FileKey": "code/1.jar"}}}}}`
	const stream = `{"Operation": "CreateDeliveryStream", "Role": "arn:aws:iam::0:role/r"}`
	w.change(func() { w.roleAge = 0 })
	for _, question := range []string{create, stream} {
		if got := ask(question); !strings.Contains(got, "Please check the role provided") {
			t.Errorf("%s: got %q, want it refused: the role is new", question, got)
		}
	}
	w.change(func() { w.roleAge, w.denied = time.Hour, true })
	if got := ask(create); !strings.Contains(got, "unable to get the specified fileKey: code/1.jar in the specified bucket: b") {
		t.Errorf("got %q, want it refused: the role cannot read the code", got)
	}
	if len(w.server.Applications()) > 0 {
		t.Errorf("there are %q, and none was created", w.server.Applications())
	}
	w.change(func() { w.denied = false })
	for _, question := range []string{create, stream} {
		if got := ask(question); got != "" {
			t.Errorf("%s: refused: %s", question, got)
		}
	}
	if got := w.server.Applications(); !slices.Equal(got, []string{app}) {
		t.Errorf("there are %q", got)
	}

	w.run(t)
	const update, remove = `{"Operation": "UpdateApplication", "Name": "an-application"}`, `{"Operation": "DeleteApplication", "Name": "an-application"}`
	w.change(func() { w.job.RunsSince = nil })
	if got := ask(update); !strings.Contains(got, "Failed to take snapshot") {
		t.Errorf("got %q, want it refused: the job is down", got)
	}
	w.change(func() { w.job.RunsSince = aws.Time(time.Now()) })
	if got := ask(update); got != "" {
		t.Errorf("refused: %s", got)
	}
	time.Sleep(time.Second) // the server looks at the application, and the change is not made yet
	w.await(t, types.ApplicationStatusUpdating)
	w.change(func() { w.version++ })
	if got := ask(remove); !strings.Contains(got, inUse) {
		t.Errorf("got %q, want it refused: the application is UPDATING", got)
	}
	w.change(func() { w.job.Version++ })
	w.await(t, types.ApplicationStatusRunning)
	if got := ask(update); got != "" {
		t.Errorf("refused: %s", got)
	}
	w.await(t, types.ApplicationStatusRunning) // the change is never made
	list, err := w.client.ListApplicationOperations(t.Context(), &kinesisanalyticsv2.ListApplicationOperationsInput{ApplicationName: aws.String(app)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list.ApplicationOperationInfoList {
		got = append(got, fmt.Sprint(*o.Operation, " ", o.OperationStatus))
	}
	if want := "UpdateApplication FAILED, UpdateApplication SUCCESSFUL, StartApplication SUCCESSFUL"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := ask(remove); got != "" {
		t.Errorf("refused: %s", got)
	}
	if got := w.server.Applications(); len(got) > 0 {
		t.Errorf("there are %q, and it was deleted", got)
	}
}
