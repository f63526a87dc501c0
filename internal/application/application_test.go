package application_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cloudwatchlogstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/application"
)

// service is a fake of Managed Flink with one application, and of CloudWatch. Its status moves along the statuses, one
// a look; the last one stays. A call that is taken goes on after the next bar.
type service struct {
	statuses   []string
	errs       []error // of the first, second, … call that changes something
	outcome    types.OperationStatus
	why        string
	operations []types.ApplicationOperationInfo
	snapshots  []types.SnapshotDetails
	without    bool // it takes no snapshots
	metrics    func(at time.Time) point
	metricsErr error
	log        []string
	late       int // calls that come too early for the log

	calls []string
	start *kinesisanalyticsv2.StartApplicationInput
	began time.Time
}

// point is what CloudWatch has of one period.
type point struct {
	restarts, uptime, downtime, checkpoint float64
	none                                   bool
}

func (s *service) application() *application.Application {
	s.began = time.Now()
	return &application.Application{Name: "an-application", LogGroup: "a-group", API: s, Metrics: s, Logs: s}
}

func (s *service) call(name string) error {
	s.calls = append(s.calls, name)
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			return err
		}
	}
	if i := slices.Index(s.statuses, "|"); i >= 0 {
		s.statuses = s.statuses[i+1:]
	}
	return nil
}

func (s *service) DescribeApplication(ctx context.Context, _ *kinesisanalyticsv2.DescribeApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	status := s.statuses[0]
	if len(s.statuses) > 1 && s.statuses[1] != "|" {
		s.statuses = s.statuses[1:]
	}
	if status == "gone" {
		return nil, &types.ResourceNotFoundException{}
	}
	return &kinesisanalyticsv2.DescribeApplicationOutput{ApplicationDetail: &types.ApplicationDetail{
		ApplicationStatus: types.ApplicationStatus(status), ApplicationVersionId: aws.Int64(7),
		ApplicationConfigurationDescription: &types.ApplicationConfigurationDescription{
			ApplicationSnapshotConfigurationDescription: &types.ApplicationSnapshotConfigurationDescription{SnapshotsEnabled: aws.Bool(!s.without)},
		},
	}}, nil
}

func (s *service) DescribeApplicationOperation(context.Context, *kinesisanalyticsv2.DescribeApplicationOperationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOperationOutput, error) {
	if s.outcome == "" {
		return nil, errors.New("AccessDenied")
	}
	d := &types.ApplicationOperationInfoDetails{OperationStatus: s.outcome}
	if s.why != "" {
		d.OperationFailureDetails = &types.OperationFailureDetails{ErrorInfo: &types.ErrorInfo{ErrorString: &s.why}}
	}
	return &kinesisanalyticsv2.DescribeApplicationOperationOutput{ApplicationOperationInfoDetails: d}, nil
}

func (s *service) ListApplicationOperations(context.Context, *kinesisanalyticsv2.ListApplicationOperationsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationOperationsOutput, error) {
	return &kinesisanalyticsv2.ListApplicationOperationsOutput{ApplicationOperationInfoList: s.operations}, nil
}

func (s *service) ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error) {
	return &kinesisanalyticsv2.ListApplicationSnapshotsOutput{SnapshotSummaries: s.snapshots}, nil
}

func (s *service) StartApplication(_ context.Context, in *kinesisanalyticsv2.StartApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StartApplicationOutput, error) {
	s.start = in
	return &kinesisanalyticsv2.StartApplicationOutput{OperationId: aws.String("o")}, s.call("start")
}

func (s *service) StopApplication(_ context.Context, in *kinesisanalyticsv2.StopApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StopApplicationOutput, error) {
	name := "stop"
	if *in.Force {
		name = "force"
	}
	return &kinesisanalyticsv2.StopApplicationOutput{OperationId: aws.String("o")}, s.call(name)
}

func (s *service) UpdateApplication(_ context.Context, in *kinesisanalyticsv2.UpdateApplicationInput, _ ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.UpdateApplicationOutput, error) {
	if *in.CurrentApplicationVersionId != 7 {
		return nil, errors.New("another version")
	}
	return &kinesisanalyticsv2.UpdateApplicationOutput{}, s.call("update")
}

func (s *service) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if err := errors.Join(s.metricsErr, ctx.Err()); err != nil {
		return nil, err
	}
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		r := cloudwatchtypes.MetricDataResult{Id: q.Id}
		// The points of whole periods, a minute after they have ended.
		for at := *in.StartTime; at.Before(*in.EndTime) && time.Since(at) > 2*time.Minute; at = at.Add(time.Minute) {
			p := s.metrics(at)
			if p.none {
				continue
			}
			r.Values = append(r.Values, map[string]float64{
				"fullRestarts": p.restarts, "uptime": p.uptime, "downtime": p.downtime, "lastCheckpointDuration": p.checkpoint,
			}[*q.MetricStat.Metric.MetricName])
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func (s *service) FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	if s.late--; s.late >= 0 {
		return out, nil
	}
	for _, line := range s.log {
		out.Events = append(out.Events, cloudwatchlogstypes.FilteredLogEvent{Message: &line})
	}
	return out, nil
}

var (
	inUse      = &types.ResourceInUseException{Message: aws.String("busy")}
	concurrent = &types.ConcurrentModificationException{Message: aws.String("another version")}
	down       = &types.InvalidApplicationConfigurationException{Message: aws.String("Failed to take snapshot for the application an-application at this moment. The application is currently experiencing downtime.")}
	wrong      = &types.InvalidApplicationConfigurationException{Message: aws.String("the parallelism is wrong")}
)

func check(t *testing.T, s *service, err error, want, calls string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got error %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got error %v, want one with %q", err, want)
	}
	if got := strings.Join(s.calls, " "); got != calls {
		t.Errorf("got calls %q, want %q", got, calls)
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service service
		asked   bool
		want    string
		calls   string
	}{
		"from a stop":              {service{statuses: strings.Fields("READY | STARTING RUNNING")}, true, "", "start"},
		"it runs already":          {service{statuses: strings.Fields("RUNNING")}, false, "", ""},
		"the status lags":          {service{statuses: strings.Fields("READY | READY READY STARTING RUNNING")}, true, "", "start"},
		"while it stops":           {service{statuses: strings.Fields("STOPPING READY | STARTING RUNNING")}, true, "", "start"},
		"something else was first": {service{statuses: strings.Fields("READY | RUNNING"), errs: []error{inUse, concurrent, nil}}, true, "", "start start start"},
		"the operation says so":    {service{statuses: strings.Fields("READY | STARTING RUNNING"), outcome: types.OperationStatusSuccessful}, true, "", "start"},
		"it is READY again":        {service{statuses: strings.Fields("READY | STARTING READY")}, true, "did not start, it is READY again; look at the log group a-group", "start"},
		"it never begins":          {service{statuses: strings.Fields("READY | READY")}, true, "did not start, it is READY again", "start"},
		"the operation has failed": {service{statuses: strings.Fields("READY | READY"), outcome: types.OperationStatusFailed, why: "no main\nclass"}, true, "did not start, it is READY again: no main class; look", "start"},
		"it runs, and the operation has failed": {service{statuses: strings.Fields("READY | RUNNING"), outcome: types.OperationStatusFailed, why: "rolled back"}, true,
			"did not start: rolled back", "start"},
		"the operation never ends": {service{statuses: strings.Fields("READY | RUNNING"), outcome: types.OperationStatusInProgress}, true, "is still RUNNING after 10m0s", "start"},
		"it hangs":                 {service{statuses: strings.Fields("READY | STARTING")}, true, "is still STARTING after 10m0s", "start"},
		"it is refused":            {service{statuses: strings.Fields("READY"), errs: []error{errors.New("AccessDenied")}}, false, "start application an-application: AccessDenied", "start"},
		"it is deleted":            {service{statuses: strings.Fields("DELETING")}, false, "is DELETING and cannot be started", ""},
		"it is not there":          {service{statuses: strings.Fields("gone")}, false, "describe application an-application", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := test.service
				asked, err := s.application().Start(within(t, 10*time.Minute), application.From{})
				check(t, &s, err, test.want, test.calls)
				if asked != test.asked {
					t.Errorf("asked %t, want %t", asked, test.asked)
				}
			})
		})
	}
}

// TestStartFrom: an application that takes no snapshots is not started from one of long ago.
func TestStartFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		without bool
		from    application.From
		want    types.ApplicationRestoreType
	}{
		"the latest":                      {false, application.From{}, types.ApplicationRestoreTypeRestoreFromLatestSnapshot},
		"one by name":                     {false, application.From{Snapshot: "s", LeaveState: true}, types.ApplicationRestoreTypeRestoreFromCustomSnapshot},
		"without snapshots":               {true, application.From{}, types.ApplicationRestoreTypeSkipRestoreFromSnapshot},
		"without snapshots, one is named": {true, application.From{Snapshot: "s"}, types.ApplicationRestoreTypeRestoreFromCustomSnapshot},
	} {
		s := service{statuses: strings.Fields("READY | RUNNING"), without: test.without}
		if _, err := s.application().Start(t.Context(), test.from); err != nil {
			t.Fatal(err)
		}
		got := s.start.RunConfiguration
		if restore := got.ApplicationRestoreConfiguration; restore.ApplicationRestoreType != test.want || aws.ToString(restore.SnapshotName) != test.from.Snapshot ||
			*got.FlinkRunConfiguration.AllowNonRestoredState != test.from.LeaveState {
			t.Errorf("%s: got %s of %q", name, restore.ApplicationRestoreType, aws.ToString(restore.SnapshotName))
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service service
		force   bool
		stopped application.Stopped
		want    string
		calls   string
	}{
		"with a snapshot":                {service{statuses: strings.Fields("RUNNING | STOPPING READY")}, false, application.Stopped{Asked: true}, "", "stop"},
		"stopped before":                 {service{statuses: strings.Fields("READY")}, false, application.Stopped{}, "", ""},
		"after an update":                {service{statuses: strings.Fields("UPDATING RUNNING | STOPPING READY")}, false, application.Stopped{Asked: true}, "", "stop"},
		"something else was first":       {service{statuses: strings.Fields("RUNNING | STOPPING READY"), errs: []error{inUse}}, false, application.Stopped{Asked: true}, "", "stop stop"},
		"its job is down":                {service{statuses: strings.Fields("RUNNING | FORCE_STOPPING READY"), errs: []error{down}}, false, application.Stopped{Asked: true, Forced: true, Refused: "InvalidApplicationConfigurationException: Failed to take snapshot for the application an-application at this moment. The application is currently experiencing downtime"}, "", "stop force"},
		"refused for another reason":     {service{statuses: strings.Fields("RUNNING"), errs: []error{wrong}}, false, application.Stopped{}, "the parallelism is wrong", "stop"},
		"its snapshot fails":             {service{statuses: strings.Fields("RUNNING | STOPPING RUNNING | FORCE_STOPPING READY"), outcome: types.OperationStatusFailed, why: "no"}, false, application.Stopped{Asked: true, Forced: true, Refused: "the stop failed: no"}, "", "stop force"},
		"it takes half of the time":      {service{statuses: strings.Fields("RUNNING | STOPPING | FORCE_STOPPING READY")}, false, application.Stopped{Asked: true, Forced: true}, "", "stop force"},
		"by force":                       {service{statuses: strings.Fields("STARTING | READY")}, true, application.Stopped{Asked: true, Forced: true}, "", "force"},
		"by force while it stops":        {service{statuses: strings.Fields("STOPPING | READY")}, true, application.Stopped{Asked: true, Forced: true}, "", "force"},
		"by force, and it runs on":       {service{statuses: strings.Fields("RUNNING | FORCE_STOPPING RUNNING")}, true, application.Stopped{Asked: true, Forced: true}, "is RUNNING again after it was stopped by force", "force"},
		"it is about something for ever": {service{statuses: strings.Fields("MAINTENANCE")}, false, application.Stopped{}, "is still MAINTENANCE after 10m0s", ""},
		"denied":                         {service{statuses: strings.Fields("RUNNING"), errs: []error{errors.New("AccessDenied")}}, false, application.Stopped{}, "stop application an-application: AccessDenied", "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := test.service
				got, err := s.application().Stop(within(t, 10*time.Minute), test.force)
				check(t, &s, err, test.want, test.calls)
				if got != test.stopped {
					t.Errorf("got %+v, want %+v", got, test.stopped)
				}
			})
		})
	}
}

// TestCost: a stop by force says what the next start goes back to.
func TestCost(t *testing.T) {
	t.Parallel()
	at := func(name string, status types.SnapshotStatus, seconds int64) types.SnapshotDetails {
		return types.SnapshotDetails{SnapshotName: &name, SnapshotStatus: status, SnapshotCreationTimestamp: aws.Time(time.Unix(seconds, 0))}
	}
	ready := types.SnapshotStatusReady
	for want, snapshots := range map[string][]types.SnapshotDetails{
		"has no snapshot: the next start reads all that the stream still holds": {at("failed", types.SnapshotStatusFailed, 9)},
		"goes back to its last snapshot, b of 1970-01-01 00:00:02 UTC":          {at("a", ready, 1), at("b", ready, 2), at("c", types.SnapshotStatusCreating, 3)},
	} {
		s := service{statuses: strings.Fields("RUNNING | READY"), snapshots: snapshots}
		got, err := s.application().Stop(t.Context(), true)
		if err != nil || !strings.Contains(got.Cost(), want) || !strings.Contains(got.Cost(), "delivered twice") {
			t.Errorf("got %q, %v, want %q", got.Cost(), err, want)
		}
	}
	if got := (application.Stopped{Asked: true}).Cost(); got != "" {
		t.Errorf("a stop with a snapshot costs nothing, and got %q", got)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service service
		forced  bool
		want    string
		calls   string
	}{
		"it runs":                      {service{statuses: strings.Fields("RUNNING")}, false, "", "update"},
		"it is stopped":                {service{statuses: strings.Fields("READY")}, false, "", "update"},
		"it is about something":        {service{statuses: strings.Fields("UPDATING AUTOSCALING MAINTENANCE RUNNING")}, false, "", "update"},
		"somebody else has changed it": {service{statuses: strings.Fields("RUNNING"), errs: []error{concurrent}}, false, "", "update update"},
		"its job is down":              {service{statuses: strings.Fields("RUNNING | FORCE_STOPPING READY"), errs: []error{down}}, true, "", "update force update"},
		"refused for another reason":   {service{statuses: strings.Fields("RUNNING"), errs: []error{wrong}}, false, "the parallelism is wrong", "update"},
		"refused though it is stopped": {service{statuses: strings.Fields("READY"), errs: []error{down}}, false, "Failed to take snapshot", "update"},
		"it is deleted":                {service{statuses: strings.Fields("DELETING")}, false, "is DELETING and cannot be updated", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := test.service
				got, err := s.application().Update(within(t, 10*time.Minute), func(*types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error) {
					return &kinesisanalyticsv2.UpdateApplicationInput{}, nil
				})
				check(t, &s, err, test.want, test.calls)
				if got.Forced != test.forced {
					t.Errorf("got %+v, want forced %t", got, test.forced)
				}
			})
		})
	}
}

// minutes is how many there are since a moment.
func minutes(since, at time.Time) float64 { return max(0, at.Add(time.Minute).Sub(since).Minutes()) }

func TestAwaitSteady(t *testing.T) {
	t.Parallel()
	log := []string{
		"no JSON", `{"message": "no exception"}`,
		`{"throwableInformation": ["org.apache.flink.FlinkException: x", "\tat y", "Caused by: java.lang.ArithmeticException: / by zero"]}`,
		`{"throwableInformation": "org.apache.flink.FlinkException: x\nCaused by: java.lang.ArithmeticException: / by zero"}`,
		`{"throwableInformation": ["java.util.concurrent.RejectedExecutionException: echo"]}`,
		`{"throwableInformation": ["java.lang.OutOfMemoryError: \u001b[31mheap"]}`,
	}
	for name, test := range map[string]struct {
		statuses string
		metrics  func(began, at time.Time) point
		err      error
		took     time.Duration // at most
		want     string
	}{
		"its first checkpoint": {"RUNNING", func(began, at time.Time) point { return point{uptime: 1000, checkpoint: 40} }, nil, 4 * time.Minute, ""},
		"a minute without a restart": {"RUNNING", func(began, at time.Time) point {
			return point{uptime: 60_000 * minutes(began, at), checkpoint: -1}
		}, nil, 5 * time.Minute, ""},
		"it has run for long": {"RUNNING", func(began, at time.Time) point { return point{restarts: 9, uptime: 9e9, checkpoint: 40} }, nil, 4 * time.Minute, ""},
		"it restarts once, and runs": {"RUNNING", func(began, at time.Time) point {
			if minutes(began, at) < 3 {
				return point{restarts: 1, downtime: 500, checkpoint: -1}
			}
			return point{restarts: 1, uptime: 100_000, checkpoint: -1}
		}, nil, 7 * time.Minute, ""},
		"maintenance comes between": {"RUNNING MAINTENANCE MAINTENANCE RUNNING", func(began, at time.Time) point { return point{uptime: 1000, checkpoint: 40} }, nil, 5 * time.Minute, ""},
		"it restarts for ever": {"RUNNING", func(began, at time.Time) point {
			return point{restarts: 3 * minutes(began, at), downtime: 500, checkpoint: -1}
		}, nil, 5 * time.Minute, "application an-application runs, but its job keeps failing: it has restarted 5 times: java.lang.ArithmeticException: / by zero; and: java.lang.OutOfMemoryError:  [31mheap"},
		"it restarts for ever after a checkpoint": {"RUNNING", func(began, at time.Time) point {
			return point{restarts: 3 * minutes(began, at), downtime: 500, checkpoint: 40}
		}, nil, 6 * time.Minute, "its job keeps failing"},
		"it does nothing":      {"RUNNING", func(began, at time.Time) point { return point{checkpoint: -1} }, nil, 10 * time.Minute, "its job is not steady after 10m0s: it has restarted 0 times and completed no checkpoint"},
		"there are no metrics": {"RUNNING", func(began, at time.Time) point { return point{none: true} }, nil, 10 * time.Minute, "CloudWatch has no metrics of it yet"},
		"it stops":             {"RUNNING RUNNING READY", func(began, at time.Time) point { return point{none: true} }, nil, time.Minute, "has stopped and is READY: why it failed; look at the log group a-group"},
		"metrics are denied":   {"RUNNING", nil, errors.New("AccessDenied"), 2 * time.Minute, "read the metrics of application an-application: AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(17 * time.Second) // into a period
				s := &service{
					statuses: strings.Fields(test.statuses), log: log, late: 2, metricsErr: test.err, outcome: types.OperationStatusFailed, why: "why it failed",
					operations: []types.ApplicationOperationInfo{
						{Operation: aws.String("RollbackApplication"), OperationStatus: types.OperationStatusSuccessful, StartTime: aws.Time(time.Unix(3, 0))},
						{Operation: aws.String("StartApplication"), OperationStatus: types.OperationStatusFailed, OperationId: aws.String("o"), StartTime: aws.Time(time.Unix(2, 0))},
						{Operation: aws.String("StopApplication"), OperationStatus: types.OperationStatusSuccessful, StartTime: aws.Time(time.Unix(1, 0))},
					},
				}
				began := time.Now()
				s.metrics = func(at time.Time) point {
					if at.Before(began) {
						t.Error("a point of the job before was asked for")
					}
					return test.metrics(began, at)
				}
				err := s.application().AwaitSteady(within(t, 10*time.Minute))
				check(t, s, err, test.want, "")
				if took := time.Since(began); took > test.took {
					t.Errorf("it took %s, want at most %s", took, test.took)
				}
			})
		})
	}
}

func TestMakeWayAndCheck(t *testing.T) {
	t.Parallel()
	well := point{restarts: 4, uptime: 9e6, checkpoint: 40}
	for name, test := range map[string]struct {
		statuses string
		metrics  func(at time.Time) point
		calls    string
		want     string // of Check
	}{
		"well":                       {"RUNNING", func(time.Time) point { return well }, "", ""},
		"down":                       {"RUNNING | READY", func(time.Time) point { return point{restarts: 4, downtime: 10} }, "force", "its job fails and restarts"},
		"restarted a moment ago":     {"RUNNING | READY", func(at time.Time) point { return point{restarts: float64(at.Unix()), uptime: 5000} }, "force", "its job fails and restarts"},
		"restarted some minutes ago": {"RUNNING", func(at time.Time) point { return point{restarts: float64(at.Unix()), uptime: 90_000} }, "", ""},
		"nothing is known of it":     {"RUNNING", func(time.Time) point { return point{none: true} }, "", ""},
		"stopped":                    {"READY", nil, "", "has stopped and is READY"},
		"not there":                  {"gone", nil, "", "describe application"},
		"hangs":                      {"UPDATING | READY", nil, "force", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{statuses: strings.Fields(test.statuses), metrics: test.metrics}
				check(t, s, s.application().Check(within(t, time.Minute)), test.want, "")
				stopped, err := s.application().MakeWay(within(t, 10*time.Minute))
				check(t, s, err, "", test.calls)
				if stopped.Forced != (test.calls != "") {
					t.Errorf("got %+v", stopped)
				}
			})
		})
	}
}
