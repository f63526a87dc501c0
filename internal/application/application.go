package application

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

const (
	pollInterval = 2 * time.Second
	// graceAfterCall is how long an application may still be seen in its former status after a call that changes it.
	graceAfterCall = 30 * time.Second
	// reasonLimit bounds the parts of an error whose length is not ours to choose. CloudFormation takes 4 KB in all.
	reasonLimit = 1500
)

// API is the part of the service's API that an Application calls.
type API interface {
	DescribeApplication(context.Context, *kinesisanalyticsv2.DescribeApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error)
	DescribeApplicationOperation(context.Context, *kinesisanalyticsv2.DescribeApplicationOperationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOperationOutput, error)
	ListApplicationOperations(context.Context, *kinesisanalyticsv2.ListApplicationOperationsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationOperationsOutput, error)
	ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error)
	StartApplication(context.Context, *kinesisanalyticsv2.StartApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StartApplicationOutput, error)
	StopApplication(context.Context, *kinesisanalyticsv2.StopApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StopApplicationOutput, error)
	UpdateApplication(context.Context, *kinesisanalyticsv2.UpdateApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.UpdateApplicationOutput, error)
}

// Metrics reads CloudWatch's metrics.
type Metrics interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Logs reads CloudWatch's logs.
type Logs interface {
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

var (
	_ API     = (*kinesisanalyticsv2.Client)(nil)
	_ Metrics = (*cloudwatch.Client)(nil)
	_ Logs    = (*cloudwatchlogs.Client)(nil)
)

// An Application is one Managed Flink application.
type Application struct {
	Name     string
	LogGroup string // found out where it is empty; of an application that writes no logs it stays so
	// MetricPeriod is how often the application's metrics come, a minute where it is 0: the service publishes no faster.
	MetricPeriod time.Duration
	startedAt    time.Time // when it was last started here

	API     API
	Metrics Metrics
	Logs    Logs
	Log     *slog.Logger // discards where nil
}

// From says what an application starts from.
type From struct {
	// Snapshot is the name of a snapshot; the latest one where it is empty. An application that takes no snapshots
	// starts without one in that case, since the latest it may still have is of long ago.
	Snapshot string
	// LeaveState starts without the state that belongs to no operator of the job. All of the job's own have fixed names,
	// so this is what the planner has made of another query: the windows that it had open. The rows that the sink has
	// yet to deliver are never left.
	LeaveState bool
}

// Describe returns what the service says of the application.
func (a *Application) Describe(ctx context.Context) (*types.ApplicationDetail, error) {
	out, err := a.API.DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &a.Name})
	if err != nil {
		return nil, fmt.Errorf("describe application %s: %w", a.Name, err)
	}
	if a.LogGroup == "" {
		a.LogGroup = logGroup(out.ApplicationDetail)
	}
	return out.ApplicationDetail, nil
}

// logGroup is that of an application's log stream, empty where it has none.
func logGroup(detail *types.ApplicationDetail) string {
	for _, option := range detail.CloudWatchLoggingOptionDescriptions {
		if _, rest, ok := strings.Cut(aws.ToString(option.LogStreamARN), ":log-group:"); ok {
			group, _, _ := strings.Cut(rest, ":")
			return group
		}
	}
	return ""
}

// Start returns when the application runs, and the service says that the start has succeeded; asked is false where it
// ran before. The job need not be steady yet.
//
// An update of a running application restarts it, and leaves it READY where the new version did not come up. Such an
// application is started here once more, and its second failure is the answer.
func (a *Application) Start(ctx context.Context, from From) (asked bool, err error) {
	w := a.watch()
	var operation string
	var askedAt time.Time
	left := false // it was seen in another status since it was asked
	for {
		detail, err := w.look(ctx)
		if err != nil {
			return asked, err
		}
		switch status := detail.ApplicationStatus; status {
		case types.ApplicationStatusRunning:
			outcome, why := a.outcome(ctx, operation)
			if failed(outcome) {
				return asked, fmt.Errorf("application %s did not start%s; %s", a.Name, why, a.lookAt())
			}
			if outcome != types.OperationStatusInProgress {
				return asked, nil
			}
		case types.ApplicationStatusReady:
			if asked {
				outcome, why := a.outcome(ctx, operation)
				if failed(outcome) || left || time.Since(askedAt) > graceAfterCall {
					return asked, fmt.Errorf("application %s did not start, it is %s again%s; %s", a.Name, status, why, a.lookAt())
				}
				break
			}
			if operation, asked, err = a.askStart(ctx, detail, from); err != nil {
				return asked, w.overdue(ctx, err)
			}
			if asked {
				askedAt = time.Now()
				a.startedAt = askedAt
				continue // its status is news: no need to wait
			}
		case types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return asked, fmt.Errorf("application %s is %s and cannot be started; look at its operations in the console, and %s", a.Name, status, a.lookAt())
		default: // transient
			left = asked
		}
		if err := w.wait(ctx); err != nil {
			return asked, err
		}
	}
}

// askStart asks for a start. It is not accepted where the status has just changed: the next look decides.
func (a *Application) askStart(ctx context.Context, detail *types.ApplicationDetail, from From) (operation string, accepted bool, err error) {
	restore := &types.ApplicationRestoreConfiguration{ApplicationRestoreType: types.ApplicationRestoreTypeRestoreFromLatestSnapshot}
	switch {
	case from.Snapshot != "":
		restore.ApplicationRestoreType, restore.SnapshotName = types.ApplicationRestoreTypeRestoreFromCustomSnapshot, &from.Snapshot
	case !takesSnapshots(detail):
		restore.ApplicationRestoreType = types.ApplicationRestoreTypeSkipRestoreFromSnapshot
	}
	out, err := a.API.StartApplication(ctx, &kinesisanalyticsv2.StartApplicationInput{
		ApplicationName: &a.Name,
		RunConfiguration: &types.RunConfiguration{
			ApplicationRestoreConfiguration: restore,
			FlinkRunConfiguration:           &types.FlinkRunConfiguration{AllowNonRestoredState: aws.Bool(from.LeaveState)},
		},
	})
	switch {
	case busy(err):
		a.log().WarnContext(ctx, "start refused", "application", a.Name, "error", err)
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("start application %s: %w", a.Name, err)
	}
	return aws.ToString(out.OperationId), true, nil
}

// takesSnapshots reports whether the application takes a snapshot when it is stopped or updated.
func takesSnapshots(detail *types.ApplicationDetail) bool {
	c := detail.ApplicationConfigurationDescription
	return c == nil || c.ApplicationSnapshotConfigurationDescription == nil || aws.ToBool(c.ApplicationSnapshotConfigurationDescription.SnapshotsEnabled)
}

// Stopped is what a stop came to.
type Stopped struct {
	Asked  bool // false where the application did not run
	Forced bool
	// Refused is what the service said where it refused to stop the application with a snapshot, or failed to.
	Refused string
	// Snapshot is the one that the next start goes back to, after a stop by force; nil where there is none, or where it
	// cannot be told.
	Snapshot *types.SnapshotDetails
}

// Cost says in a sentence what a stop by force costs; empty where there was none.
func (s Stopped) Cost() string {
	switch {
	case !s.Forced:
		return ""
	case s.Snapshot == nil:
		return "It was stopped by force and has no snapshot: the next start reads all that the stream still holds, and what was delivered of that is delivered twice."
	}
	return fmt.Sprintf("It was stopped by force: the next start goes back to its last snapshot, %s of %s, and what was delivered since then is delivered twice.",
		aws.ToString(s.Snapshot.SnapshotName), aws.ToTime(s.Snapshot.SnapshotCreationTimestamp).UTC().Format("2006-01-02 15:04:05 UTC"))
}

// Stop returns when the application has stopped. It is stopped with a snapshot, which first delivers what the job holds;
// with force, without one. Where the service refuses or fails to take the snapshot, or where half of the context's time
// is over, it is stopped by force all the same: see Stopped.Cost.
func (a *Application) Stop(ctx context.Context, force bool) (s Stopped, err error) {
	patience := time.Duration(1<<63 - 1)
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline) / 2
	}
	w := a.watch()
	var operation string
	var askedAt time.Time
	left := false // it was seen in another status since it was asked
	for {
		detail, err := w.look(ctx)
		if err != nil {
			return s, err
		}
		status := detail.ApplicationStatus
		force = force || time.Since(w.began) > patience
		ask := false
		switch status {
		case types.ApplicationStatusReady, types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			if s.Forced {
				s.Snapshot, _ = a.LatestSnapshot(ctx) // it only says more
			}
			return s, nil
		case types.ApplicationStatusRunning:
			if ask = !s.Asked || force && !s.Forced; ask {
				break
			}
			// The stop may have been accepted and its snapshot failed.
			outcome, why := a.outcome(ctx, operation)
			if gaveUp := failed(outcome) || left || time.Since(askedAt) > graceAfterCall; gaveUp && s.Forced {
				return s, fmt.Errorf("application %s is %s again after it was stopped by force%s; %s", a.Name, status, why, a.lookAt())
			} else if gaveUp {
				s.Refused, force, ask = "the stop failed"+why, true, true
			}
		case types.ApplicationStatusStarting, types.ApplicationStatusUpdating, types.ApplicationStatusAutoscaling, types.ApplicationStatusStopping:
			left = s.Asked
			ask = force && !s.Forced
		default: // transient, and not to be stopped by force either
			left = s.Asked
		}
		if ask {
			out, err := a.API.StopApplication(ctx, &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &a.Name, Force: aws.Bool(force)})
			switch {
			case !force && snapshotRefused(err) != "":
				a.log().WarnContext(ctx, "stop with a snapshot refused", "application", a.Name, "error", err)
				s.Refused, force = snapshotRefused(err), true
				continue
			case busy(err):
				a.log().WarnContext(ctx, "stop refused", "application", a.Name, "force", force, "error", err)
			case err != nil:
				return s, w.overdue(ctx, fmt.Errorf("stop application %s: %w", a.Name, err))
			default:
				operation, askedAt, left = aws.ToString(out.OperationId), time.Now(), false
				s.Asked, s.Forced = true, force
				continue
			}
		}
		if err := w.wait(ctx); err != nil {
			return s, err
		}
	}
}

// Update changes the application by what change makes of its description, and returns when the service has taken it. A
// running application restarts with it; where the service refuses that, it is stopped by force first, and is not running
// afterwards.
func (a *Application) Update(ctx context.Context, change func(*types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error)) (s Stopped, err error) {
	w := a.watch()
	for {
		detail, err := w.look(ctx)
		if err != nil {
			return s, err
		}
		switch status := detail.ApplicationStatus; status {
		case types.ApplicationStatusReady, types.ApplicationStatusRunning:
			in, err := change(detail)
			if err != nil {
				return s, err
			}
			in.ApplicationName, in.CurrentApplicationVersionId = &a.Name, detail.ApplicationVersionId
			_, err = a.API.UpdateApplication(ctx, in)
			switch {
			case err == nil:
				return s, nil
			case status == types.ApplicationStatusRunning && snapshotRefused(err) != "":
				refused := snapshotRefused(err)
				a.log().WarnContext(ctx, "update with a snapshot refused", "application", a.Name, "error", err)
				if s, err = a.Stop(ctx, true); err != nil {
					return s, err
				}
				s.Refused = refused
				continue
			case busy(err):
				a.log().WarnContext(ctx, "update refused", "application", a.Name, "error", err)
			default:
				return s, w.overdue(ctx, fmt.Errorf("update application %s: %w", a.Name, err))
			}
		case types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return s, fmt.Errorf("application %s is %s and cannot be updated; look at its operations in the console, and %s", a.Name, status, a.lookAt())
		default: // transient
		}
		if err := w.wait(ctx); err != nil {
			return s, err
		}
	}
}

// MakeWay returns when the service would take an update of the application: it stops by force one whose job restarts
// again and again, and one that is still in a transient status after half of the context's time. It leaves alone one
// that is not there.
func (a *Application) MakeWay(ctx context.Context) (Stopped, error) {
	patience := time.Duration(1<<63 - 1)
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline) / 2
	}
	w := a.watch()
	for {
		detail, err := w.look(ctx)
		if errors.As(err, new(*types.ResourceNotFoundException)) {
			return Stopped{}, nil
		}
		if err != nil {
			return Stopped{}, err
		}
		var stop bool
		switch detail.ApplicationStatus {
		case types.ApplicationStatusReady, types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return Stopped{}, nil
		case types.ApplicationStatusRunning:
			if stop, err = a.Restarting(ctx); err != nil || !stop {
				return Stopped{}, err
			}
		default: // transient
			stop = time.Since(w.began) > patience
		}
		if stop {
			return a.Stop(ctx, true)
		}
		if err := w.wait(ctx); err != nil {
			return Stopped{}, err
		}
	}
}

// LatestSnapshot returns the application's newest snapshot that can be restored, nil where it has none.
func (a *Application) LatestSnapshot(ctx context.Context) (latest *types.SnapshotDetails, err error) {
	pages := kinesisanalyticsv2.NewListApplicationSnapshotsPaginator(a.API, &kinesisanalyticsv2.ListApplicationSnapshotsInput{ApplicationName: &a.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the snapshots of application %s: %w", a.Name, err)
		}
		for _, snapshot := range page.SnapshotSummaries {
			if snapshot.SnapshotStatus == types.SnapshotStatusReady &&
				(latest == nil || !aws.ToTime(snapshot.SnapshotCreationTimestamp).Before(aws.ToTime(latest.SnapshotCreationTimestamp))) {
				latest = &snapshot
			}
		}
	}
	return latest, nil
}

// outcome is how an operation ended and, as a part of a sentence, what the service says of its failure. Both are empty
// where there was no operation, or where the service does not say, or not to the caller: then the status has to do.
func (a *Application) outcome(ctx context.Context, operation string) (outcome types.OperationStatus, why string) {
	if operation == "" {
		return "", ""
	}
	out, err := a.API.DescribeApplicationOperation(ctx, &kinesisanalyticsv2.DescribeApplicationOperationInput{ApplicationName: &a.Name, OperationId: &operation})
	if err != nil || out.ApplicationOperationInfoDetails == nil {
		a.log().WarnContext(ctx, "describe operation", "operation", operation, "error", err)
		return "", ""
	}
	d := out.ApplicationOperationInfoDetails
	if f := d.OperationFailureDetails; f != nil && f.ErrorInfo != nil && aws.ToString(f.ErrorInfo.ErrorString) != "" {
		why = ": " + clean(*f.ErrorInfo.ErrorString)
	}
	return d.OperationStatus, why
}

// LastFailure is what the service says of the newest operation, as a part of a sentence, where that has failed; else
// empty.
func (a *Application) LastFailure(ctx context.Context) string {
	out, err := a.API.ListApplicationOperations(ctx, &kinesisanalyticsv2.ListApplicationOperationsInput{ApplicationName: &a.Name})
	if err != nil {
		a.log().WarnContext(ctx, "list operations", "application", a.Name, "error", err)
		return ""
	}
	var newest types.ApplicationOperationInfo
	for _, o := range out.ApplicationOperationInfoList {
		// A system rollback is an operation of its own, which follows the one that has failed.
		if aws.ToString(o.Operation) != "RollbackApplication" && !aws.ToTime(o.StartTime).Before(aws.ToTime(newest.StartTime)) {
			newest = o
		}
	}
	if !failed(newest.OperationStatus) {
		return ""
	}
	_, why := a.outcome(ctx, aws.ToString(newest.OperationId))
	return why
}

func failed(outcome types.OperationStatus) bool {
	return outcome == types.OperationStatusFailed || outcome == types.OperationStatusCancelled
}

// busy reports whether the service refused a call because something else changes the application: the next look at it
// decides.
func busy(err error) bool {
	return errors.As(err, new(*types.ResourceInUseException)) || errors.As(err, new(*types.ConcurrentModificationException))
}

// snapshotRefused is what the service said where it refused a call because the job cannot take a snapshot; else empty.
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html#troubleshooting-rt-appconfigexception
func snapshotRefused(err error) string {
	refused := (*types.InvalidApplicationConfigurationException)(nil)
	if !errors.As(err, &refused) || !strings.Contains(strings.ToLower(refused.ErrorMessage()), "snapshot") {
		return ""
	}
	return clean(strings.TrimSuffix(refused.Error(), "."))
}

// lookAt says where a person sees more, as a part of a sentence.
func (a *Application) lookAt() string {
	if a.LogGroup == "" {
		return "set the template's parameter AnalyticsLogLevel to see why"
	}
	return "look at the log group " + a.LogGroup
}

func (a *Application) log() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}

// A watch is a wait for the application under way.
type watch struct {
	*Application
	began time.Time
	last  types.ApplicationStatus
}

func (a *Application) watch() *watch { return &watch{Application: a, began: time.Now()} }

// look describes the application.
func (w *watch) look(ctx context.Context) (*types.ApplicationDetail, error) {
	detail, err := w.Describe(ctx)
	if err != nil {
		return nil, w.overdue(ctx, err)
	}
	if detail.ApplicationStatus != w.last {
		w.last = detail.ApplicationStatus
		w.log().InfoContext(ctx, "application", "name", w.Name, "status", w.last)
	}
	return detail, nil
}

// wait waits for the next look.
func (w *watch) wait(ctx context.Context) error {
	interval := pollInterval
	if w.MetricPeriod > 0 {
		interval = min(interval, w.MetricPeriod/2)
	}
	select {
	case <-ctx.Done():
		return w.overdue(ctx, ctx.Err())
	case <-time.After(interval):
		return nil
	}
}

// overdue says, where the time is over, what the application was last seen doing; else it is the error itself.
func (w *watch) overdue(ctx context.Context, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || w.last == "" {
		return err
	}
	return fmt.Errorf("application %s is still %s after %s; %s: %w", w.Name, w.last, time.Since(w.began).Round(time.Second), w.lookAt(), ctx.Err())
}

// clean makes a text from outside fit for a line of a terminal or of an answer to CloudFormation.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > reasonLimit {
		text = strings.ToValidUTF8(text[:reasonLimit], "") + "…"
	}
	return text
}
