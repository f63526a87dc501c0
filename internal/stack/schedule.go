package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"streamproof/internal/application"
	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/ledger"
	"streamproof/internal/report"
	"streamproof/internal/sample"
	"streamproof/internal/stream"
)

const (
	// operationTimeout is for a start or a stop of the application, with its snapshot.
	operationTimeout = 15 * time.Minute
	// longestLease is more than an attempt at a tick takes: no function runs longer on Lambda.
	longestLease = 16 * time.Minute
)

// Schedule is that of the producer. The verifier has one of its own.
type Schedule struct {
	Name       string    `json:"name"`
	Expression string    `json:"expression"`
	State      string    `json:"state"`   // ENABLED or DISABLED
	Changed    time.Time `json:"changed"` // when anything of it last was
}

// Enabled tells whether the schedule produces.
func (s Schedule) Enabled() bool { return s.State == string(schedulertypes.ScheduleStateEnabled) }

// Interval is the time from one tick to the next, where the schedule is a rate.
func (s Schedule) Interval() (interval time.Duration, ok bool) {
	var n int64
	var unit string
	if _, err := fmt.Sscanf(s.Expression, "rate(%d %s", &n, &unit); err != nil {
		return 0, false
	}
	for name, one := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour} {
		if unit == name+")" || unit == name+"s)" {
			return time.Duration(n) * one, n > 0
		}
	}
	return 0, false
}

// Schedule describes the producer's schedule.
func (s *Stack) Schedule(ctx context.Context) (Schedule, error) {
	got, err := s.getSchedule(ctx)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{
		Name: s.Outputs.ProducerSchedule, Expression: aws.ToString(got.ScheduleExpression), State: string(got.State),
		Changed: aws.ToTime(got.LastModificationDate).UTC(),
	}, nil
}

func (s *Stack) getSchedule(ctx context.Context) (*scheduler.GetScheduleOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &s.Outputs.ProducerSchedule})
	if err != nil {
		return nil, fmt.Errorf("describe schedule %s: %w", s.Outputs.ProducerSchedule, err)
	}
	return got, nil
}

// EnableSchedule enables or disables the producer's schedule, and tells whether it was otherwise before. It needs
// scheduler:GetSchedule, scheduler:UpdateSchedule and iam:PassRole for the schedule's role.
func (s *Stack) EnableSchedule(ctx context.Context, enable bool) (changed bool, err error) {
	got, err := s.getSchedule(ctx)
	if err != nil {
		return false, err
	}
	state := schedulertypes.ScheduleStateDisabled
	if enable {
		state = schedulertypes.ScheduleStateEnabled
	}
	if got.State == state {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// UpdateSchedule replaces the whole: what is not given again falls back to its default.
	// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
	_, err = s.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name:                       got.Name,
		GroupName:                  got.GroupName,
		Description:                got.Description,
		State:                      state,
		ScheduleExpression:         got.ScheduleExpression,
		ScheduleExpressionTimezone: got.ScheduleExpressionTimezone,
		StartDate:                  got.StartDate,
		EndDate:                    got.EndDate,
		FlexibleTimeWindow:         got.FlexibleTimeWindow,
		ActionAfterCompletion:      got.ActionAfterCompletion,
		KmsKeyArn:                  got.KmsKeyArn,
		Target:                     got.Target, // with its Input, RetryPolicy, DeadLetterConfig and RoleArn
	})
	if err != nil {
		return false, fmt.Errorf("set schedule %s to %s: %w", s.Outputs.ProducerSchedule, state, err)
	}
	return true, nil
}

// DeployedQuiet tells whether the stack's parameter ScheduleState says that nothing is produced on a schedule.
func (s *Stack) DeployedQuiet() bool {
	return s.parameters["ScheduleState"] == string(schedulertypes.ScheduleStateDisabled)
}

// OpenTicks counts the ticks since yesterday, in UTC, that a producer may still be sending.
func (s *Stack) OpenTicks(ctx context.Context) (open int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := bucket.NewS3(s.S3, s.Outputs.BucketName)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for day := -1; day <= 1; day++ { // a tick can be made for the time to come
		objects, now, err := in.List(ctx, ledger.TicksPrefix+today.AddDate(0, 0, day).Format("2006/01/02/"))
		if err != nil {
			return 0, err
		}
		for _, object := range objects {
			if !ledger.IsTickKey(object.Key) || now.Sub(object.LastModified) > longestLease {
				continue
			}
			tick, err := s.Tick(ctx, object.Key)
			if err != nil {
				return 0, err
			}
			if tick.State != ledger.Complete && !tick.Crashed(now) {
				open++
			}
		}
	}
	return open, nil
}

// HasTicks tells whether the ledger has any tick at all.
func (s *Stack) HasTicks(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	input := &s3.ListObjectsV2Input{Bucket: &s.Outputs.BucketName, Prefix: aws.String(ledger.TicksPrefix)}
	for page, err := range bucket.Pages(ctx, s.S3, input) {
		if err != nil {
			return false, fmt.Errorf("list s3://%s/%s: %w", s.Outputs.BucketName, ledger.TicksPrefix, err)
		}
		for _, o := range page.Contents {
			if ledger.IsTickKey(aws.ToString(o.Key)) {
				return true, nil
			}
		}
	}
	return false, nil
}

// StopApplication stops the application with a snapshot, and returns when it has stopped; by force where its job cannot
// take one. It needs kinesisanalytics:DescribeApplication, StopApplication, DescribeApplicationOperation and
// ListApplicationSnapshots.
func (s *Stack) StopApplication(ctx context.Context) (application.Stopped, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return s.application.Stop(ctx, false)
}

// ForceStopApplication stops the application without a snapshot, even while it starts, and returns when it has stopped.
func (s *Stack) ForceStopApplication(ctx context.Context) (application.Stopped, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return s.application.Stop(ctx, true)
}

// StartApplication starts the application from its latest snapshot, and returns when its job is steady; asked is false
// where it ran before. It needs kinesisanalytics:DescribeApplication, DescribeApplicationOperation,
// ListApplicationOperations and StartApplication, and cloudwatch:GetMetricData; with logs:FilterLogEvents on the
// application's log group it says what the job says where it is not steady.
func (s *Stack) StartApplication(ctx context.Context) (asked bool, err error) {
	return s.StartApplicationFrom(ctx, "", false)
}

// StartApplicationFrom is StartApplication from a snapshot by its name, empty for the latest one, with or without the
// state of another query: see application.From.
func (s *Stack) StartApplicationFrom(ctx context.Context, snapshot string, leaveState bool) (asked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if asked, err = s.application.Start(ctx, application.From{Snapshot: snapshot, LeaveState: leaveState}); err != nil {
		return asked, err
	}
	return asked, s.application.AwaitSteady(ctx)
}

// Restarting returns an error that says why, where the job of the running application fails and restarts; or, where the
// application has stopped, that.
func (s *Stack) Restarting(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.application.Check(ctx)
}

// LatestReport reads the report of the last verification, nil where there was none.
func (s *Stack) LatestReport(ctx context.Context) (*report.Report, error) { return s.lastReport(ctx) }

// Explain finds out where the missing and failed rows of a report were last, reading the stream and the bucket with the
// caller's own credentials. Failing is why the application's job keeps failing, empty where it does not; unseen says
// that it cannot be known.
func (s *Stack) Explain(ctx context.Context, r *report.Report, failing string, unseen bool) (*explain.Explanation, error) {
	app, err := s.Application(ctx)
	if err != nil {
		return nil, err
	}
	idle := app.Status
	if idle == string(types.ApplicationStatusRunning) {
		idle = ""
	}
	return explain.Explain(ctx, bucket.NewS3(s.S3, s.Outputs.BucketName), stream.NewReader(s.kinesis, s.Outputs.StreamName), r, explain.Options{
		DataPrefix:   s.Outputs.DataPrefix,
		ErrorsPrefix: s.Outputs.ErrorsPrefix,
		FailedPrefix: s.Outputs.FailedPrefix,
		Idle:         idle,
		Failing:      failing,
		Unasked:      unseen,
		Now:          time.Now(),
	})
}

// Sample reads a part of the stack's stream, with the caller's own credentials.
func (s *Stack) Sample(ctx context.Context, o sample.Options) (*sample.Sample, error) {
	return sample.Stream(ctx, s.kinesis, s.Outputs.StreamName, o)
}
