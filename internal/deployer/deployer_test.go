package deployer_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cloudwatchlogstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"streamproof/internal/analytics"
	"streamproof/internal/application"
	"streamproof/internal/deployer"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

// timeout is the function's, as in the template. The tests run in synctest bubbles, whose clock moves when all wait.
const timeout = 15 * time.Minute

// bucket is a fake of S3 with one bucket, which keeps versions.
type bucket struct {
	mu       sync.Mutex
	stands   []stored // the older ones first
	gone     bool
	ids      int
	pageSize int // of a listing; 1000 where it is 0
	calls    map[string]int
	// Each of these, where set, is asked before the call is carried out.
	upload func() error
	head   func(in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error)
	list   func() error
	refuse func(v stored) (code string) // of one version; empty deletes it
	remove func() error                 // DeleteBucket
}

// stored is one version of an object, or a delete marker.
type stored struct {
	key, id, body string
	marker        bool
}

func newBucket(keys ...string) *bucket {
	b := &bucket{calls: map[string]int{}}
	for _, key := range keys {
		b.put(key, "")
	}
	return b
}

func (b *bucket) put(key, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids++
	b.stands = append(b.stands, stored{key: key, id: strconv.Itoa(b.ids), body: body})
}

// hide deletes as somebody does who names no version.
func (b *bucket) hide(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids++
	b.stands = append(b.stands, stored{key: key, id: strconv.Itoa(b.ids), marker: true})
}

// newest is the newest version under a key, which is what a reader sees.
func (b *bucket) newest(key string) (stored, bool) {
	for _, v := range slices.Backward(b.stands) {
		if v.key == key {
			return v, !v.marker
		}
	}
	return stored{}, false
}

// keys has a key for each version and each delete marker, in order.
func (b *bucket) keys() string {
	var keys []string
	for _, v := range b.stands {
		keys = append(keys, v.key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

func apiError(code string) error { return &smithy.GenericAPIError{Code: code, Message: "as asked"} }

// asked counts the call and says whether it can be carried out.
func (b *bucket) asked(ctx context.Context, call string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[call]++
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.gone {
		return apiError("NoSuchBucket")
	}
	return nil
}

func (b *bucket) Upload(ctx context.Context, in *s3.PutObjectInput, _ ...func(*manager.Uploader)) (*manager.UploadOutput, error) {
	if err := b.asked(ctx, "Upload"); err != nil {
		return nil, err
	}
	if b.upload != nil {
		return nil, b.upload()
	}
	if _, ok := b.newest(*in.Key); ok && in.IfNoneMatch != nil {
		return nil, fmt.Errorf("upload multipart failed: %w", apiError("PreconditionFailed"))
	}
	data, err := io.ReadAll(in.Body)
	b.put(*in.Key, string(data))
	return &manager.UploadOutput{}, err
}

func (b *bucket) HeadBucket(ctx context.Context, in *s3.HeadBucketInput, _ ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	if err := b.asked(ctx, "HeadBucket"); err != nil {
		return nil, err
	}
	return b.head(in)
}

func (b *bucket) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput, _ ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	if err := b.asked(ctx, "ListObjectVersions"); err != nil {
		return nil, err
	}
	if b.list != nil {
		if err := b.list(); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	number := func(id string) int { n, _ := strconv.Atoi(id); return n }
	all := slices.Clone(b.stands)
	slices.SortFunc(all, func(v, w stored) int {
		return cmp.Or(strings.Compare(v.key, w.key), number(w.id)-number(v.id))
	})
	size := cmp.Or(b.pageSize, 1000)
	out := &s3.ListObjectVersionsOutput{IsTruncated: aws.Bool(false)}
	for _, v := range all {
		after := in.KeyMarker == nil || v.key > *in.KeyMarker ||
			v.key == *in.KeyMarker && in.VersionIdMarker != nil && number(v.id) < number(*in.VersionIdMarker)
		if !after || !strings.HasPrefix(v.key, aws.ToString(in.Prefix)) {
			continue
		}
		if len(out.Versions)+len(out.DeleteMarkers) == size {
			out.IsTruncated = aws.Bool(true)
			break
		}
		if v.marker {
			out.DeleteMarkers = append(out.DeleteMarkers, s3types.DeleteMarkerEntry{Key: &v.key, VersionId: &v.id})
		} else {
			out.Versions = append(out.Versions, s3types.ObjectVersion{Key: &v.key, VersionId: &v.id})
		}
		out.NextKeyMarker, out.NextVersionIdMarker = &v.key, &v.id
	}
	return out, nil
}

func (b *bucket) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, _ ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	if err := b.asked(ctx, "DeleteObjects"); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(in.Delete.Objects); n == 0 || n > 1000 {
		return nil, apiError("MalformedXML")
	}
	out := &s3.DeleteObjectsOutput{}
	for _, o := range in.Delete.Objects {
		b.stands = slices.DeleteFunc(b.stands, func(v stored) bool {
			if v.key != *o.Key || v.id != *o.VersionId {
				return false
			}
			if b.refuse != nil {
				if code := b.refuse(v); code != "" {
					out.Errors = append(out.Errors, s3types.Error{Key: o.Key, VersionId: o.VersionId, Code: &code, Message: aws.String("as asked")})
					return false
				}
			}
			return true
		})
	}
	return out, nil
}

func (b *bucket) DeleteBucket(ctx context.Context, _ *s3.DeleteBucketInput, _ ...func(*s3.Options)) (*s3.DeleteBucketOutput, error) {
	if err := b.asked(ctx, "DeleteBucket"); err != nil {
		return nil, err
	}
	if b.remove != nil {
		if err := b.remove(); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.stands) > 0 {
		return nil, apiError("BucketNotEmpty")
	}
	b.gone = true
	return &s3.DeleteBucketOutput{}, nil
}

// book is a fake of the ledger in a bucket, which counts publications.
type book struct {
	*bucket
	published int
	current   *ledger.Current
	err       error
}

func (l *book) Current(context.Context) (*ledger.Current, error) { return l.current, nil }

func (l *book) SetCurrent(_ context.Context, next, over *ledger.Current) (time.Time, error) {
	if over != l.current {
		return time.Time{}, errors.New("somebody else has changed it")
	}
	if _, err := next.Encode(); err != nil {
		return time.Time{}, err
	}
	l.current = next
	return time.Now(), l.err
}

func (l *book) PublishPipeline(context.Context, *pipeline.Pipeline) error {
	l.published++
	return l.err
}

func (l *book) ClaimFor(_ context.Context, stack ledger.Stack) error {
	if l.err != nil {
		return l.err
	}
	if stands, _ := l.ClaimedFor(context.Background()); stands != nil && !stands.Same(stack) {
		return &ledger.TakenError{Bucket: "a-bucket", Asking: stack, Stands: *stands}
	} else if stands == nil {
		body, err := stack.Encode()
		if err != nil {
			return err
		}
		l.put(ledger.StackKey, string(body))
	}
	return nil
}

func (l *book) ClaimedFor(ctx context.Context) (*ledger.Stack, error) {
	if err := l.asked(ctx, "GetObject"); err != nil {
		return nil, err
	}
	if v, ok := l.newest(ledger.StackKey); ok {
		return ledger.DecodeStack([]byte(v.body))
	}
	return nil, l.err
}

// flink is a fake of Managed Flink with one application. Its status moves along next, one a DescribeApplication; the
// last one stays. A call that succeeds puts what follows it into next.
type flink struct {
	next       []types.ApplicationStatus
	afterStart []types.ApplicationStatus
	afterStop  []types.ApplicationStatus
	startErr   []error // of the first, second, … StartApplication
	stopErr    error
	err        error // of DescribeApplication
	why        string
	calls      []string
	start      *kinesisanalyticsv2.StartApplicationInput
	groups     []types.PropertyGroup
	updateErr  error
	snapshots  bool   // SnapshotsEnabled
	code       string // the key of what it runs
	snapshot   string // the name of its only one
	// crashes is how often its job restarts in a minute.
	crashes int
	began   time.Time // of the job
}

// GetMetricData has a point for each whole minute since the job began.
func (f *flink) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		result := cloudwatchtypes.MetricDataResult{Id: q.Id}
		for at := *in.StartTime; at.Before(*in.EndTime) && !at.Add(time.Minute).After(time.Now()); at = at.Add(time.Minute) {
			if at.Before(f.began) {
				continue
			}
			age := at.Add(time.Minute).Sub(f.began)
			value := 0.0
			switch *q.MetricStat.Metric.MetricName {
			case application.MetricRestarts:
				value = float64(f.crashes) * age.Minutes()
			case application.MetricUptime:
				if value = float64(age.Milliseconds()); f.crashes > 0 {
					value = 0
				}
			case application.MetricDowntime:
				value = float64(f.crashes)
			case application.MetricCheckpoint:
				if value = 12; f.crashes > 0 {
					value = -1
				}
			}
			result.Timestamps, result.Values = append(result.Timestamps, at), append(result.Values, value)
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

func (f *flink) FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	return &cloudwatchlogs.FilterLogEventsOutput{Events: []cloudwatchlogstypes.FilteredLogEvent{
		{Message: aws.String(`{"throwableInformation": ["org.apache.flink.FlinkException: it failed", "Caused by: java.lang.ArithmeticException: / by zero"]}`)},
	}}, nil
}

func (f *flink) ListApplicationOperations(context.Context, *kinesisanalyticsv2.ListApplicationOperationsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationOperationsOutput, error) {
	return &kinesisanalyticsv2.ListApplicationOperationsOutput{ApplicationOperationInfoList: []types.ApplicationOperationInfo{
		{Operation: aws.String("RollbackApplication"), OperationId: aws.String("back"), OperationStatus: types.OperationStatusSuccessful, StartTime: aws.Time(time.Unix(2, 0))},
		{Operation: aws.String("UpdateApplication"), OperationId: aws.String("operation"), OperationStatus: types.OperationStatusFailed, StartTime: aws.Time(time.Unix(1, 0))},
	}}, nil
}

func (f *flink) ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error) {
	out := &kinesisanalyticsv2.ListApplicationSnapshotsOutput{}
	if f.snapshot != "" {
		out.SnapshotSummaries = []types.SnapshotDetails{{SnapshotName: &f.snapshot, SnapshotStatus: types.SnapshotStatusReady, SnapshotCreationTimestamp: aws.Time(time.Unix(1_700_000_000, 0))}}
	}
	return out, nil
}

func (f *flink) UpdateApplication(_ context.Context, in *kinesisanalyticsv2.UpdateApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.UpdateApplicationOutput, error) {
	f.calls = append(f.calls, "update")
	if f.updateErr != nil {
		return nil, f.updateErr
	}
	if aws.ToInt64(in.CurrentApplicationVersionId) != 7 {
		return nil, &types.ConcurrentModificationException{Message: aws.String("another version")}
	}
	f.groups = in.ApplicationConfigurationUpdate.EnvironmentPropertyUpdates.PropertyGroups
	f.next = []types.ApplicationStatus{updating, running}
	return &kinesisanalyticsv2.UpdateApplicationOutput{}, nil
}

func (f *flink) DescribeApplication(ctx context.Context, in *kinesisanalyticsv2.DescribeApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error) {
	if err := errors.Join(f.err, ctx.Err()); err != nil {
		return nil, err
	}
	status := f.next[0]
	if len(f.next) > 1 {
		f.next = f.next[1:]
	}
	if status == "" {
		return nil, &types.ResourceNotFoundException{Message: aws.String("no " + *in.ApplicationName)}
	}
	return &kinesisanalyticsv2.DescribeApplicationOutput{ApplicationDetail: &types.ApplicationDetail{
		ApplicationStatus: status, ApplicationVersionId: aws.Int64(7),
		ApplicationConfigurationDescription: &types.ApplicationConfigurationDescription{
			EnvironmentPropertyDescriptions:             &types.EnvironmentPropertyDescriptions{PropertyGroupDescriptions: f.groups},
			ApplicationSnapshotConfigurationDescription: &types.ApplicationSnapshotConfigurationDescription{SnapshotsEnabled: &f.snapshots},
			ApplicationCodeConfigurationDescription: &types.ApplicationCodeConfigurationDescription{CodeContentDescription: &types.CodeContentDescription{
				S3ApplicationCodeLocationDescription: &types.S3ApplicationCodeLocationDescription{FileKey: &f.code},
			}},
		},
	}}, nil
}

func (f *flink) DescribeApplicationOperation(context.Context, *kinesisanalyticsv2.DescribeApplicationOperationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOperationOutput, error) {
	if f.why == "" {
		return nil, errors.New("UnknownOperationException")
	}
	return &kinesisanalyticsv2.DescribeApplicationOperationOutput{ApplicationOperationInfoDetails: &types.ApplicationOperationInfoDetails{
		OperationStatus:         types.OperationStatusFailed,
		OperationFailureDetails: &types.OperationFailureDetails{ErrorInfo: &types.ErrorInfo{ErrorString: &f.why}},
	}}, nil
}

func (f *flink) StartApplication(_ context.Context, in *kinesisanalyticsv2.StartApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StartApplicationOutput, error) {
	f.calls = append(f.calls, "start")
	f.start = in
	if len(f.startErr) > 0 {
		err := f.startErr[0]
		f.startErr = f.startErr[1:]
		if err != nil {
			return nil, err
		}
	}
	f.next = f.afterStart
	return &kinesisanalyticsv2.StartApplicationOutput{OperationId: aws.String("operation")}, nil
}

func (f *flink) StopApplication(_ context.Context, in *kinesisanalyticsv2.StopApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StopApplicationOutput, error) {
	call := "stop"
	if *in.Force {
		call = "force stop"
	}
	f.calls = append(f.calls, call)
	if f.stopErr != nil && (!*in.Force || !errors.As(f.stopErr, new(*types.InvalidApplicationConfigurationException))) {
		return nil, f.stopErr
	}
	if f.afterStop != nil {
		f.next = f.afterStop
	}
	if *in.Force {
		f.next = []types.ApplicationStatus{forceStopping, ready}
	}
	return &kinesisanalyticsv2.StopApplicationOutput{}, nil
}

const (
	ready         = types.ApplicationStatusReady
	starting      = types.ApplicationStatusStarting
	running       = types.ApplicationStatusRunning
	updating      = types.ApplicationStatusUpdating
	autoscaling   = types.ApplicationStatusAutoscaling
	stopping      = types.ApplicationStatusStopping
	forceStopping = types.ApplicationStatusForceStopping
	maintenance   = types.ApplicationStatusMaintenance
	rollingBack   = types.ApplicationStatusRollingBack
	rolledBack    = types.ApplicationStatusRolledBack
	deleting      = types.ApplicationStatusDeleting
	gone          = types.ApplicationStatus("")
)

func statuses(s ...types.ApplicationStatus) []types.ApplicationStatus { return s }

// handle has a deployer answer one of the sample events, which the change may alter, in the function's time.
func handle(t *testing.T, d *deployer.Deployer, sample string, change func(*cfn.Event)) (string, map[string]any, error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "functions", "deployer", "events", sample+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var event cfn.Event
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&event)
	}
	if d.Pipeline, err = pipeline.Embedded(); err != nil {
		t.Fatal(err)
	}
	d.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	id, data, err := d.Handle(ctx, event)
	if ctx.Err() != nil {
		t.Errorf("the request was answered after the function's time was over")
	}
	return id, data, err
}

// check compares an error with a part of what it has to say; empty is no error.
func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got error %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func jar(t *testing.T, content string) (path, key string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), deployer.JARName)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	return path, "code/" + hex.EncodeToString(sum[:]) + ".jar"
}

func TestCodeIsUploadedUnderItsHash(t *testing.T) {
	t.Parallel()
	path, key := jar(t, "new code")
	b := newBucket()
	for _, sample := range []string{"code-create", "code-update"} {
		id, data, err := handle(t, &deployer.Deployer{JAR: path, Uploader: b, Objects: b}, sample, nil)
		check(t, err, "")
		if id != key || data["Key"] != key {
			t.Errorf("%s: got physical id %s and key %v, want %s", sample, id, data["Key"], key)
		}
		if got, _ := b.newest(key); got.body != "new code" {
			t.Errorf("%s: got %q in the bucket, want the code", sample, got.body)
		}
	}
	if got := b.keys(); got != key {
		t.Errorf("got %s in the bucket, want the JAR once", got)
	}
}

func TestCodeIsDeletedByItsOwnKeyOnly(t *testing.T) {
	t.Parallel()
	_, old := jar(t, "old code")
	_, young := jar(t, "new code")
	b := newBucket(old, old, young, "ledger/ticks/1", old+".txt")
	b.hide(old)
	d := &deployer.Deployer{Objects: b}

	_, _, err := handle(t, d, "code-delete", func(e *cfn.Event) { e.PhysicalResourceID = old })
	check(t, err, "")
	// The id of a resource whose creation failed, and keys that no JAR ever had.
	for _, id := range []string{"8b1cb3f1-5a4f", "ledger/ticks/1", "code/../ledger/ticks/1"} {
		_, _, err := handle(t, d, "code-delete", func(e *cfn.Event) { e.PhysicalResourceID = id })
		check(t, err, "")
	}
	want := []string{old + ".txt", young, "ledger/ticks/1"}
	slices.Sort(want)
	if got := b.keys(); got != strings.Join(want, " ") {
		t.Errorf("got %s left in the bucket, want all but every version of %s", got, old)
	}
	b.gone = true
	_, _, err = handle(t, d, "code-delete", func(e *cfn.Event) { e.PhysicalResourceID = old })
	check(t, err, "")
}

func TestCodeFaults(t *testing.T) {
	t.Parallel()
	path, key := jar(t, "new code")
	denied := func() *bucket {
		b := newBucket()
		b.upload = func() error { return apiError("AccessDenied") }
		return b
	}
	undeletable := newBucket(key)
	undeletable.refuse = func(stored) string { return "AccessDenied" }
	unlistable := newBucket(key)
	unlistable.list = func() error { return apiError("AccessDenied") }
	tests := []struct {
		name   string
		d      deployer.Deployer
		sample string
		change func(*cfn.Event)
		id     string
		want   string
	}{
		{"no JAR", deployer.Deployer{JAR: path + ".not-there"}, "code-create", nil, "", "no JAR built"},
		{"a folder for a JAR", deployer.Deployer{JAR: filepath.Dir(path)}, "code-create", nil, "", "read the JAR"},
		{"upload denied", deployer.Deployer{JAR: path, Uploader: denied()}, "code-create", nil, "", "upload the JAR to s3://a-bucket/" + key + ": api error AccessDenied"},
		{"upload denied on update", deployer.Deployer{JAR: path, Uploader: denied()}, "code-update", func(e *cfn.Event) { e.PhysicalResourceID = "the old id" }, "the old id", "AccessDenied"},
		{"delete denied", deployer.Deployer{Objects: undeletable}, "code-delete", func(e *cfn.Event) { e.PhysicalResourceID = key }, key, "S3 refused to delete 1 object versions of s3://a-bucket: " + key + " (version 1): AccessDenied: as asked"},
		{"list denied", deployer.Deployer{Objects: unlistable}, "code-delete", func(e *cfn.Event) { e.PhysicalResourceID = key }, key, "list the versions of s3://a-bucket/" + key},
		{"no bucket", deployer.Deployer{JAR: path}, "code-create", func(e *cfn.Event) { delete(e.ResourceProperties, "Bucket") }, "", "property Bucket is missing"},
		{"another type", deployer.Deployer{}, "code-create", func(e *cfn.Event) { e.ResourceType = "Custom::Other" }, "", "not Custom::Other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id, _, err := handle(t, &test.d, test.sample, test.change)
			check(t, err, test.want)
			if id != test.id {
				t.Errorf("got physical id %q, want %q", id, test.id)
			}
		})
	}
}

func TestRunStarts(t *testing.T) {
	t.Parallel()
	inUse := &types.ResourceInUseException{Message: aws.String("busy")}
	tests := []struct {
		name  string
		app   flink
		calls []string
		want  string
	}{
		{"first start", flink{next: statuses(ready), afterStart: statuses(starting, starting, running)}, []string{"start"}, ""},
		{"it runs already", flink{next: statuses(running)}, nil, ""},
		{"an update restarts it", flink{next: statuses(updating, updating, running)}, nil, ""},
		{"an update left it stopped", flink{next: statuses(updating, ready), afterStart: statuses(starting, running)}, []string{"start"}, ""},
		{"it is being stopped", flink{next: statuses(stopping, ready), afterStart: statuses(starting, running)}, []string{"start"}, ""},
		{"it scales, is maintained, is rolled back", flink{next: statuses(autoscaling, maintenance, rollingBack, forceStopping, running)}, nil, ""},
		{"the status lags", flink{next: statuses(ready), afterStart: statuses(ready, ready, starting, running)}, []string{"start"}, ""},
		{"somebody else starts it", flink{next: statuses(ready, starting, running), startErr: []error{inUse}}, []string{"start"}, ""},
		{"somebody else touches it", flink{next: statuses(ready), afterStart: statuses(running), startErr: []error{inUse, nil}}, []string{"start", "start"}, ""},

		{"the job does not come up", flink{next: statuses(ready), afterStart: statuses(starting, ready), why: "no main class"}, []string{"start"}, "application a-stack-analytics did not start, it is READY again: no main class; look at the log group a-log-group"},
		{"nobody says why", flink{next: statuses(ready), afterStart: statuses(starting, ready)}, []string{"start"}, "did not start, it is READY again; look at the log group a-log-group"},
		{"it never leaves READY", flink{next: statuses(ready), afterStart: statuses(ready)}, []string{"start"}, "did not start"},
		{"a long reason", flink{next: statuses(ready), afterStart: statuses(starting, ready), why: strings.Repeat("x", 5000)}, []string{"start"}, "x…"},
		{"start denied", flink{next: statuses(ready), startErr: []error{errors.New("AccessDenied")}}, []string{"start"}, "start application a-stack-analytics: AccessDenied"},
		{"describe denied", flink{err: errors.New("AccessDenied")}, nil, "describe application a-stack-analytics: AccessDenied"},
		{"it starts for ever", flink{next: statuses(ready), afterStart: statuses(starting)}, []string{"start", "force stop"}, "application a-stack-analytics is still STARTING after 12m40s; look at the log group a-log-group"},
		{"it updates for ever", flink{next: statuses(updating)}, []string{"force stop"}, "is still UPDATING after 12m40s"},

		{"its job keeps failing", flink{next: statuses(ready), afterStart: statuses(starting, running), crashes: 3}, []string{"start", "force stop"}, "application a-stack-analytics runs, but its job keeps failing: it has restarted 6 times: java.lang.ArithmeticException: / by zero. It was stopped by force and has no snapshot"},
		{"its job fails, and there is a snapshot", flink{next: statuses(running), crashes: 3, snapshot: "UPDATE-1"}, []string{"force stop"}, "the next start goes back to its last snapshot, UPDATE-1 of 2023-11-14 22:13:20 UTC, and what was delivered since then is delivered twice"},
		{"the service rolled it back to other code", flink{next: statuses(updating, rollingBack, running), code: "code/old.jar", why: "no main class"}, []string{"force stop"}, "runs code/old.jar and not code/new.jar: the service has rolled the update back: no main class"},
		{"it runs the code that was asked for", flink{next: statuses(updating, running), code: "code/new.jar"}, nil, ""},
		{"it is going", flink{next: statuses(deleting)}, nil, "is DELETING and cannot be started"},
		{"the service rolled it back", flink{next: statuses(rollingBack, rolledBack)}, nil, "is ROLLED_BACK and cannot be started"},
	}
	for _, test := range tests {
		for _, sample := range []string{"run-create", "run-update"} {
			t.Run(test.name+"/"+sample, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					app, l := test.app, &book{}
					app.startErr = slices.Clone(app.startErr)
					id, _, err := handle(t, runner(&app, l), sample, func(e *cfn.Event) { e.ResourceProperties["Code"] = "code/new.jar" })
					check(t, err, test.want)
					if err != nil && len(err.Error()) > 3000 {
						t.Errorf("got a reason of %d bytes, which CloudFormation does not take", len(err.Error()))
					}
					if id != "a-stack-analytics" {
						t.Errorf("got physical id %q, want the application's name", id)
					}
					if !slices.Equal(app.calls, test.calls) {
						t.Errorf("got calls %q, want %q", app.calls, test.calls)
					}
					want := 1
					if test.want != "" {
						want = 0
					}
					if l.published != want {
						t.Errorf("the pipeline was published %d times, want %d: what is published has run", l.published, want)
					}
				})
			})
		}
	}
}

func TestRunStartsFromTheLatestSnapshotAndKeepsAllState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for snapshots, want := range map[bool]types.ApplicationRestoreType{
			true: types.ApplicationRestoreTypeRestoreFromLatestSnapshot,
			// The latest one, if there is any, is of before snapshots were switched off.
			false: types.ApplicationRestoreTypeSkipRestoreFromSnapshot,
		} {
			app := &flink{next: statuses(ready), afterStart: statuses(running), snapshots: snapshots}
			_, _, err := handle(t, runner(app, &book{}), "run-create", nil)
			check(t, err, "")
			run := app.start.RunConfiguration
			if got := run.ApplicationRestoreConfiguration.ApplicationRestoreType; got != want {
				t.Errorf("snapshots %t: got restore type %s, want %s", snapshots, got, want)
			}
			if *run.FlinkRunConfiguration.AllowNonRestoredState {
				t.Error("a start may leave state behind")
			}
		}
	})
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	inUse := &types.ResourceInUseException{Message: aws.String("busy")}
	down := &types.InvalidApplicationConfigurationException{Message: aws.String("Failed to take snapshot for the application at this moment. The application is currently experiencing downtime.")}
	tests := []struct {
		name  string
		app   flink
		calls []string
		want  string
	}{
		{"its job cannot take a snapshot", flink{next: statuses(running), stopErr: down}, []string{"stop", "force stop"}, ""},
		{"its snapshot fails", flink{next: statuses(running), afterStop: statuses(stopping, running), why: "the job is not running"}, []string{"stop", "force stop"}, ""},
		{"running", flink{next: statuses(running), afterStop: statuses(stopping, stopping, ready)}, []string{"stop"}, ""},
		{"stopped already", flink{next: statuses(ready)}, nil, ""},
		{"gone", flink{next: statuses(gone)}, nil, ""},
		{"going", flink{next: statuses(deleting)}, nil, ""},
		{"rolled back", flink{next: statuses(rolledBack)}, nil, ""},
		{"it goes while it stops", flink{next: statuses(running), afterStop: statuses(stopping, gone)}, []string{"stop"}, ""},
		{"a start that failed hangs", flink{next: statuses(starting)}, []string{"force stop"}, ""},
		{"updating", flink{next: statuses(updating, autoscaling, running), afterStop: statuses(stopping, ready)}, []string{"stop"}, ""},
		{"updating for ever", flink{next: statuses(updating)}, []string{"force stop"}, ""},
		{"stopping for ever", flink{next: statuses(running), afterStop: statuses(stopping)}, []string{"stop", "force stop"}, ""},
		{"the service is at it for ever", flink{next: statuses(maintenance)}, nil, "is still MAINTENANCE after 14m40s"},
		{"stop denied", flink{next: statuses(running), stopErr: errors.New("AccessDenied")}, []string{"stop"}, "stop application a-stack-analytics: AccessDenied"},
		{"somebody else stops it", flink{next: statuses(running, running, stopping, ready), stopErr: inUse}, []string{"stop"}, ""},
		{"describe denied", flink{err: errors.New("AccessDenied")}, nil, "describe application a-stack-analytics: AccessDenied"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				app := test.app
				_, _, err := handle(t, runner(&app, &book{}), "run-delete", nil)
				check(t, err, test.want)
				if !slices.Equal(app.calls, test.calls) {
					t.Errorf("got calls %q, want %q", app.calls, test.calls)
				}
			})
		})
	}
}

func TestRunFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := runner(&flink{next: statuses(running)}, &book{err: errors.New("publish: AccessDenied")})
		_, _, err := handle(t, d, "run-create", nil)
		check(t, err, "AnalyticsRun: publish: AccessDenied")
	})

	d := runner(&flink{next: statuses(running)}, &book{})
	_, _, err := handle(t, d, "run-create", func(e *cfn.Event) { e.ResourceProperties = map[string]any{"Application": 1} })
	for _, name := range []string{"Application", "Bucket"} {
		check(t, err, "property "+name+" is missing")
	}
}

// Without logs there is nothing to look at, but a way to have some.
func TestRunWithoutLogs(t *testing.T) {
	t.Parallel()
	const how = "set the template's parameter AnalyticsLogLevel to see why"
	tests := []struct {
		name string
		app  flink
		want string
	}{
		{"it runs", flink{next: statuses(ready), afterStart: statuses(starting, running)}, ""},
		{"the job does not come up", flink{next: statuses(ready), afterStart: statuses(starting, ready), why: "no main class"}, "it is READY again: no main class; " + how},
		{"it starts for ever", flink{next: statuses(ready), afterStart: statuses(starting)}, "is still STARTING after 12m40s; " + how},
		{"the service rolled it back", flink{next: statuses(rolledBack)}, "look at its operations in the console, and " + how},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				app := test.app
				_, _, err := handle(t, runner(&app, &book{}), "run-create", func(e *cfn.Event) { delete(e.ResourceProperties, "LogGroup") })
				check(t, err, test.want)
			})
		})
	}
}

func runner(app *flink, l *book) *deployer.Deployer {
	return &deployer.Deployer{Applications: app, Metrics: app, Logs: app, Ledger: func(string) deployer.Ledger { return l }}
}

// TestRunSettlesTheQuery: whatever stood before, application and ledger agree afterwards, and a sentence says on what.
func TestRunSettlesTheQuery(t *testing.T) {
	t.Parallel()
	const theirs = "cccccccccccccccc"
	embedded, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	hash := embedded.Hash()
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	own, err := analytics.Properties("SELECT 2")
	if err != nil {
		t.Fatal(err)
	}
	settings := types.PropertyGroup{PropertyGroupId: aws.String("streamproof")}
	byHand := func(pipeline, deployed string) *ledger.Current {
		return &ledger.Current{Pipeline: pipeline, Since: since, By: ledger.BySQLRun, Deployed: deployed, Rollbacks: []ledger.Rollback{{Failed: "x", From: since, Until: since, JudgedBy: "y"}}}
	}
	byDeploy := func(pipeline string) *ledger.Current {
		return &ledger.Current{Pipeline: pipeline, Since: since, By: ledger.ByDeploy, Deployed: pipeline}
	}
	broken := func(c *ledger.Current) *ledger.Current {
		c.Change = &ledger.Change{To: "z", Begun: since}
		return c
	}
	const byHandOn = "the query set by hand on 2026-01-02 03:04:05 UTC"
	tests := []struct {
		name    string
		current *ledger.Current
		groups  []types.PropertyGroup
		want    string // of the sentence
		stands  *ledger.Current
		calls   []string
	}{
		{"nobody has said", nil, nil, "of the deploy of 2000-01-01 00:02:00 UTC", byDeploy(hash), nil},
		{"the same again", byDeploy(hash), nil, "of the deploy of 2026-01-02 03:04:05 UTC", byDeploy(hash), nil},
		{"another one", byDeploy("old"), nil, "of the deploy of 2000-01-01 00:02:00 UTC", byDeploy(hash), nil},
		{"set by hand, and CloudFormation has taken the group", byHand(theirs, hash), nil, "2000-01-01 00:02:00 UTC: it replaces " + byHandOn + " (ledger/pipelines/" + theirs + ".json)", byDeploy(hash), nil},
		{"set by hand, and nothing of the application was deployed", byHand(theirs, hash), []types.PropertyGroup{own}, byHandOn + " stays: pipeline cccccccccccc (ledger/pipelines/" + theirs + ".json)", byHand(theirs, hash), nil},
		{"set by hand, and another pipeline.sql is deployed", byHand(theirs, "old"), []types.PropertyGroup{own}, "it replaces " + byHandOn, byDeploy(hash), []string{"update"}},
		{"set by hand, and deployed", byHand(hash, "old"), []types.PropertyGroup{own}, ", which is " + byHandOn, byDeploy(hash), []string{"update"}},
		{"a change by hand has broken off", byDeploy(hash), []types.PropertyGroup{own}, "of the deploy of 2026-01-02", byDeploy(hash), []string{"update"}},
		{"one that was written down", broken(byDeploy(hash)), []types.PropertyGroup{own}, "began on 2026-01-02 03:04:05 UTC is abandoned", byDeploy(hash), []string{"update"}},
		{"one that CloudFormation has taken away", broken(byDeploy(hash)), nil, "is abandoned", byDeploy(hash), nil},
		{"one from a query set by hand", broken(byHand(theirs, hash)), []types.PropertyGroup{own}, "is abandoned", byDeploy(hash), []string{"update"}},
		{"nobody has said, and there is a group", nil, []types.PropertyGroup{own}, "of the deploy of 2000-01-01", byDeploy(hash), []string{"update"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, app := &book{current: test.current}, &flink{next: statuses(running), groups: append([]types.PropertyGroup{settings}, test.groups...)}
				_, data, err := handle(t, runner(app, l), "run-update", nil)
				check(t, err, "")
				if got, _ := data["Query"].(string); !strings.Contains(got, test.want) {
					t.Errorf("got %q, want %q in it", got, test.want)
				}
				if l.current.Pipeline != test.stands.Pipeline || l.current.By != test.stands.By || l.current.Deployed != test.stands.Deployed {
					t.Errorf("the ledger says %+v, want %+v", l.current, test.stands)
				}
				if l.current.Change != nil {
					t.Errorf("the change is still under way: %+v", l.current.Change)
				}
				if test.current != nil && len(l.current.Rollbacks) != len(test.current.Rollbacks) {
					t.Errorf("rollbacks are forgotten: %+v", l.current)
				}
				changed := test.current == nil || test.current.Pipeline != l.current.Pipeline
				if e := l.current.Epochs; changed != (len(e) == 1 && e[0].Pipeline == l.current.Pipeline) || !changed && len(e) > 0 {
					t.Errorf("the pipeline has changed: %t, and the epochs are %+v", changed, e)
				}
				if set := analytics.Hash(app.groups) != ""; set != (l.current.By == ledger.BySQLRun) {
					t.Errorf("the application has a query set by hand: %t, and the ledger says %q", set, l.current.By)
				}
				if *app.groups[0].PropertyGroupId != "streamproof" {
					t.Errorf("the application's own group is gone: %+v", app.groups)
				}
				if !slices.Equal(app.calls, test.calls) {
					t.Errorf("got calls %q, want %q", app.calls, test.calls)
				}
			})
		})
	}
}

// TestRunBeginsAnEpoch: a deploy over a drained stack is a clean change, one over a broken one is not, and one that
// changes no query ends the pause alone.
func TestRunBeginsAnEpoch(t *testing.T) {
	t.Parallel()
	embedded, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	drained := time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		from   ledger.Current
		epochs int
		clean  bool
	}{
		"drained":             {ledger.Current{Pipeline: "old", Drained: drained}, 2, true},
		"running":             {ledger.Current{Pipeline: "old"}, 2, false},
		"a change was broken": {ledger.Current{Pipeline: "old", Drained: drained, Change: &ledger.Change{To: "z", Begun: drained}}, 2, false},
		"the same query":      {ledger.Current{Pipeline: embedded.Hash(), Drained: drained}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.from.Since, test.from.By, test.from.Deployed = drained, ledger.ByDeploy, test.from.Pipeline
				test.from.Epochs = []ledger.Epoch{{Pipeline: test.from.Pipeline}}
				l := &book{current: &test.from}
				_, _, err := handle(t, runner(&flink{next: statuses(running)}, l), "run-update", nil)
				check(t, err, "")
				now := l.current
				if len(now.Epochs) != test.epochs || !now.Drained.IsZero() || test.clean != !now.Epochs[len(now.Epochs)-1].Drained.IsZero() {
					t.Errorf("got %+v", now)
				}
			})
		})
	}
}

// Windows of a query that was set by hand keep no other one from starting.
func TestRunStartsBesideTheStateOfAQuerySetByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := &flink{next: statuses(ready), afterStart: statuses(running)}
		l := &book{current: &ledger.Current{Pipeline: "x", Since: time.Now(), By: ledger.BySQLRun, Deployed: "old"}}
		_, _, err := handle(t, runner(app, l), "run-update", nil)
		check(t, err, "")
		if !*app.start.RunConfiguration.FlinkRunConfiguration.AllowNonRestoredState {
			t.Error("what is left of a window keeps the application from starting")
		}
	})
}

// TestGate: before an application is changed, one that the service would not let change is stopped by force, and no
// other.
func TestGate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		app   flink
		calls []string
		want  string
	}{
		{"there is none yet", flink{next: statuses(gone)}, nil, ""},
		{"its job is well", flink{next: statuses(running)}, nil, ""},
		{"its job keeps failing", flink{next: statuses(running), crashes: 1}, []string{"force stop"}, ""},
		{"it is stopped", flink{next: statuses(ready)}, nil, ""},
		{"it is about something that ends", flink{next: statuses(autoscaling, maintenance, running)}, nil, ""},
		{"it hangs", flink{next: statuses(updating)}, []string{"force stop"}, ""},
		{"describe denied", flink{err: errors.New("AccessDenied")}, nil, "describe application a-stack-analytics: AccessDenied"},
	}
	for _, test := range tests {
		for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
			t.Run(fmt.Sprint(test.name, request), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					app := test.app
					app.began = time.Now()
					time.Sleep(10 * time.Minute) // there are metrics of it
					id, _, err := handle(t, runner(&app, &book{}), "run-update", func(e *cfn.Event) {
						e.ResourceType, e.RequestType, e.PhysicalResourceID = deployer.GateType, request, ""
					})
					check(t, err, test.want)
					if err == nil && id != "a-stack-analytics-gate" {
						t.Errorf("got physical id %q", id)
					}
					if !slices.Equal(app.calls, test.calls) {
						t.Errorf("got calls %q, want %q", app.calls, test.calls)
					}
				})
			})
		}
	}
	app := flink{next: statuses(running), crashes: 1}
	if _, _, err := handle(t, runner(&app, &book{}), "run-delete", func(e *cfn.Event) { e.ResourceType = deployer.GateType }); err != nil || app.calls != nil {
		t.Errorf("deleted: got %v and calls %q, want nothing done", err, app.calls)
	}
}

// TestKnownRoles: it answers when the time is over, and a deletion at once.
func TestKnownRoles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request cfn.RequestType
		seconds any
		wait    time.Duration
		want    string
	}{
		{cfn.RequestCreate, "15", 15 * time.Second, ""},
		{cfn.RequestUpdate, "15", 15 * time.Second, ""},
		{cfn.RequestDelete, "15", 0, ""},
		{cfn.RequestCreate, "61", 0, `property Seconds is "61", want 0 to 60`},
		{cfn.RequestCreate, "soon", 0, `property Seconds is "soon"`},
		{cfn.RequestCreate, nil, 0, "property Seconds is missing"},
	} {
		t.Run(fmt.Sprint(test.request, test.seconds), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				id, _, err := handle(t, &deployer.Deployer{}, "run-create", func(e *cfn.Event) {
					e.ResourceType, e.RequestType, e.ResourceProperties = deployer.RolesType, test.request, map[string]any{"Seconds": test.seconds}
				})
				check(t, err, test.want)
				if err == nil && test.request != cfn.RequestDelete && !strings.Contains(id, ":stack/a-stack/") {
					t.Errorf("got physical id %q, want one that no other stack has", id)
				}
				if got := time.Since(began); got != test.wait {
					t.Errorf("waited %s, want %s", got, test.wait)
				}
			})
		})
	}
}
