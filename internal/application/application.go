package application

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
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
	// reasonLimit bounds the parts of an error that come from outside. CloudFormation accepts 4 KB in all.
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
	LogGroup string // looked up if empty; it stays empty for an application that writes no logs
	// MetricPeriod is how often the application's metrics arrive; 0 for the service's own minute.
	MetricPeriod time.Duration
	startedAt    time.Time // when it was last started here

	API     API
	Metrics Metrics
	Logs    Logs
	Log     *slog.Logger // nil discards
}

// From says what an application starts from.
type From struct {
	// Snapshot is the name of a snapshot, empty for the latest. An application that takes no snapshots then starts
	// without one, because the latest that it still has may be old.
	Snapshot string
	// LeaveState drops state that belongs to no operator of the job. The job's own operators have fixed names, so this
	// is what the planner created for another query, such as its open windows. Rows that the sink has yet to deliver
	// are always kept.
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

// Code is where the application's code is in S3, zero if it has none there.
func Code(detail *types.ApplicationDetail) (at types.S3ApplicationCodeLocationDescription) {
	c := detail.ApplicationConfigurationDescription
	if c == nil || c.ApplicationCodeConfigurationDescription == nil || c.ApplicationCodeConfigurationDescription.CodeContentDescription == nil {
		return at
	}
	if in := c.ApplicationCodeConfigurationDescription.CodeContentDescription.S3ApplicationCodeLocationDescription; in != nil {
		at = *in
	}
	return at
}

// logGroup is the group of an application's log stream, empty if it has none.
func logGroup(detail *types.ApplicationDetail) string {
	for _, option := range detail.CloudWatchLoggingOptionDescriptions {
		if _, rest, ok := strings.Cut(aws.ToString(option.LogStreamARN), ":log-group:"); ok {
			group, _, _ := strings.Cut(rest, ":")
			return group
		}
	}
	return ""
}

// Start returns when the application runs and the service says that the start succeeded. It reports false if the
// application was running before. Its job need not be steady yet.
//
// An update of a running application restarts it, and leaves it READY if the new version does not come up. Start tries
// once more, and returns the second failure.
func (a *Application) Start(ctx context.Context, from From) (asked bool, err error) {
	w := a.watch()
	for {
		detail, err := w.next(ctx)
		if err != nil {
			return asked, err
		}
		switch status := detail.ApplicationStatus; status {
		case types.ApplicationStatusRunning:
			outcome, why := a.outcome(ctx, w.operation)
			if failed(outcome) {
				return asked, fmt.Errorf("application %s did not start%s; %s", a.Name, why, a.lookAt())
			}
			if outcome != types.OperationStatusInProgress {
				return asked, nil
			}
		case types.ApplicationStatusReady:
			if asked {
				if gaveUp, why := w.gaveUp(ctx); gaveUp {
					return asked, fmt.Errorf("application %s did not start, it is %s again%s; %s", a.Name, status, why, a.lookAt())
				}
				break
			}
			operation, accepted, err := a.askStart(ctx, detail, from)
			if err != nil {
				return asked, w.overdue(ctx, err)
			}
			if accepted {
				asked = true
				w.accepted(operation)
				a.startedAt = w.acceptedAt
			}
		case types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return asked, fmt.Errorf("application %s is %s and cannot be started; look at its operations in the console, and %s", a.Name, status, a.lookAt())
		default: // transient
			w.left = asked
		}
	}
}

// askStart asks for a start. The service does not accept it while the status changes: the next look decides.
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

// Stopped is the result of a stop.
type Stopped struct {
	Asked  bool // false if the application was not running
	Forced bool
	// Refused is why the service did not stop the application with a snapshot.
	Refused string
	// Snapshot is the one that the next start goes back to after a stop by force, nil if there is none or it is unknown.
	Snapshot *types.SnapshotDetails
}

// Cost says in a sentence what a stop by force costs. It is empty if the stop was not forced.
func (s Stopped) Cost() string {
	switch {
	case !s.Forced:
		return ""
	case s.Snapshot == nil:
		return "It was stopped by force and has no snapshot: the next start reads all that the stream still holds, and what was delivered of it is delivered twice."
	}
	return fmt.Sprintf("It was stopped by force: the next start goes back to its last snapshot, %s of %s, and what was delivered since then is delivered twice.",
		aws.ToString(s.Snapshot.SnapshotName), aws.ToTime(s.Snapshot.SnapshotCreationTimestamp).UTC().Format("2006-01-02 15:04:05 UTC"))
}

// Stop returns when the application has stopped. It is stopped with a snapshot, which first delivers what the job
// holds; with force, without one. It is also stopped by force if the service refuses or fails to take the snapshot, or
// if half of the context's time is over: see Stopped.Cost.
func (a *Application) Stop(ctx context.Context, force bool) (s Stopped, err error) {
	w := a.watch()
	patience := halfOf(ctx)
	for {
		detail, err := w.next(ctx)
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
			// The stop may have been accepted, and its snapshot may have failed.
			if gaveUp, why := w.gaveUp(ctx); gaveUp && s.Forced {
				return s, fmt.Errorf("application %s is %s again after it was stopped by force%s; %s", a.Name, status, why, a.lookAt())
			} else if gaveUp {
				s.Refused, force, ask = "the stop failed"+why, true, true
			}
		case types.ApplicationStatusStarting, types.ApplicationStatusUpdating, types.ApplicationStatusAutoscaling, types.ApplicationStatusStopping:
			w.left = s.Asked
			ask = force && !s.Forced
		default: // transient, and not to be stopped by force either
			w.left = s.Asked
		}
		if ask {
			out, err := a.API.StopApplication(ctx, &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &a.Name, Force: aws.Bool(force)})
			switch {
			case !force && snapshotRefused(err) != "":
				a.log().WarnContext(ctx, "stop with a snapshot refused", "application", a.Name, "error", err)
				s.Refused, force, w.soon = snapshotRefused(err), true, true
			case busy(err):
				a.log().WarnContext(ctx, "stop refused", "application", a.Name, "force", force, "error", err)
			case err != nil:
				return s, w.overdue(ctx, fmt.Errorf("stop application %s: %w", a.Name, err))
			default:
				w.accepted(aws.ToString(out.OperationId))
				s.Asked, s.Forced = true, force
			}
		}
	}
}

// Update changes the application as change says, given its description, and returns when the service has accepted it.
// A running application restarts. If the service refuses that, the application is stopped by force first, and does not
// run afterwards.
func (a *Application) Update(ctx context.Context, change func(*types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error)) (s Stopped, err error) {
	w := a.watch()
	for {
		detail, err := w.next(ctx)
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
				s.Refused, w.soon = refused, true
			case busy(err):
				a.log().WarnContext(ctx, "update refused", "application", a.Name, "error", err)
			default:
				return s, w.overdue(ctx, fmt.Errorf("update application %s: %w", a.Name, err))
			}
		case types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return s, fmt.Errorf("application %s is %s and cannot be updated; look at its operations in the console, and %s", a.Name, status, a.lookAt())
		}
	}
}

// MakeWay returns when the service would accept an update of the application. It stops the application by force if its
// job keeps restarting, or if it is still in a transient status after half of the context's time. An application that
// does not exist is fine.
func (a *Application) MakeWay(ctx context.Context) (Stopped, error) {
	w := a.watch()
	patience := halfOf(ctx)
	for {
		detail, err := w.next(ctx)
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
	}
}

func halfOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline) / 2
}

// LatestSnapshot returns the newest snapshot that can be restored, nil if there is none.
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

// outcome returns how an operation ended, and why it failed, as part of a sentence. Both are empty if there was no
// operation, or the service does not tell the caller: then the application's status has to do.
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
		why = ": " + Clean(*f.ErrorInfo.ErrorString)
	}
	return d.OperationStatus, why
}

// LastFailure says why the newest operation failed, as part of a sentence. It is empty if it did not fail.
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

// busy reports whether the service refused a call because something else is changing the application: the next look
// decides.
func busy(err error) bool {
	return errors.As(err, new(*types.ResourceInUseException)) || errors.As(err, new(*types.ConcurrentModificationException))
}

// snapshotRefused returns what the service said if it refused a call because the job cannot take a snapshot.
// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html#troubleshooting-rt-appconfigexception
func snapshotRefused(err error) string {
	refused := (*types.InvalidApplicationConfigurationException)(nil)
	if !errors.As(err, &refused) || !strings.Contains(strings.ToLower(refused.ErrorMessage()), "snapshot") {
		return ""
	}
	return Clean(strings.TrimSuffix(refused.Error(), "."))
}

// lookAt says where to find out more, as part of a sentence.
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

// A watch waits for an operation of the application.
type watch struct {
	*Application
	began time.Time
	last  types.ApplicationStatus

	operation  string // the one that was accepted last
	acceptedAt time.Time
	left       bool // the application was seen in another status since
	soon       bool // its status is news: no need to wait for the next look
}

func (w *watch) accepted(operation string) {
	w.operation, w.acceptedAt, w.left, w.soon = operation, time.Now(), false, true
}

// gaveUp reports whether the service has ended the accepted operation without effect, given that the application is in
// its former status; why is part of a sentence.
func (w *watch) gaveUp(ctx context.Context) (gaveUp bool, why string) {
	outcome, why := w.outcome(ctx, w.operation)
	return failed(outcome) || w.left || time.Since(w.acceptedAt) > graceAfterCall, why
}

func (a *Application) watch() *watch { return &watch{Application: a, began: time.Now()} }

// next describes the application, at once or when it is time to look again.
func (w *watch) next(ctx context.Context) (*types.ApplicationDetail, error) {
	if w.last != "" && !w.soon {
		if err := w.wait(ctx); err != nil {
			return nil, err
		}
	}
	w.soon = false
	return w.look(ctx)
}

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

// overdue returns what the application was last seen doing if the context's time is over, and err if it is not.
func (w *watch) overdue(ctx context.Context, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || w.last == "" {
		return err
	}
	return fmt.Errorf("application %s is still %s after %s; %s: %w", w.Name, w.last, time.Since(w.began).Round(time.Second), w.lookAt(), ctx.Err())
}

// Clean makes a text from outside safe for a line of a terminal or of a response to CloudFormation.
func Clean(text string) string {
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
