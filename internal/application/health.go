package application

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

const (
	// Namespace is the namespace of the service's metrics. At this level their only dimension is the application's name.
	// https://docs.aws.amazon.com/managed-flink/latest/java/metrics-dimensions.html
	Namespace = "AWS/KinesisAnalytics"
	// Dimension is the name of the dimension.
	Dimension = "Application"

	// servicePeriod is how often the service publishes its metrics.
	servicePeriod = time.Minute
	// steadyAfter is how long a job without a checkpoint must run without a restart.
	steadyAfter = time.Minute
	// mostRestarts is how many restarts are too many: a job that fails once may run when Flink restarts it.
	mostRestarts = 2
	// loggedWithin is how long after a failure CloudWatch may have nothing of what the job has logged about it.
	loggedWithin = 20 * time.Second
	// lookBack is how far back Restarting looks: a job waits up to a minute between restarts, and metrics arrive late.
	lookBack = 5 * time.Minute
)

// The metrics that show a job's health.
const (
	MetricRestarts   = "fullRestarts"           // since the job was submitted
	MetricUptime     = "uptime"                 // milliseconds without an interruption
	MetricDowntime   = "downtime"               // milliseconds of the current outage; 0 for a job that runs
	MetricCheckpoint = "lastCheckpointDuration" // milliseconds; above 0 once there was one
)

var metrics = []string{MetricRestarts, MetricUptime, MetricDowntime, MetricCheckpoint}

// health is what the metrics say about a job since a moment.
type health struct {
	points     int     // periods with metrics
	restarts   float64 // from the first point to the last
	total      float64 // since the job was submitted
	uptime     float64 // at the last point
	downtime   float64 // at the last point
	checkpoint bool    // one was completed
}

// steady reports whether the job has completed a checkpoint and not restarted, or has run for long enough.
func (h health) steady() bool {
	return h.points > 0 && h.downtime <= 0 &&
		(h.checkpoint && h.restarts == 0 || h.uptime >= float64(steadyAfter.Milliseconds()))
}

func (h health) String() string {
	if h.points == 0 {
		return "CloudWatch has no metrics of it yet"
	}
	return fmt.Sprintf("it has restarted %.0f times and completed no checkpoint since it was started", h.total)
}

// A JobError says that the application runs but its job does not.
type JobError struct {
	Application string
	Problem     string // such as "its job has restarted 3 times"
	Says        string // what the job has logged about it, if anything
	Again       bool   // it has failed too often for another restart to help
	look        string
}

func (e *JobError) Error() string {
	if e.Says != "" {
		return fmt.Sprintf("application %s runs, but %s: %s", e.Application, e.Problem, e.Says)
	}
	return fmt.Sprintf("application %s runs, but %s; %s", e.Application, e.Problem, e.look)
}

// AwaitSteady returns once the job of a running application has completed a checkpoint, or has run for a minute
// without a restart. It returns a *JobError if the job keeps restarting instead, or is not steady when the context's
// time is over.
func (a *Application) AwaitSteady(ctx context.Context) error {
	w := a.watch()
	since := time.Now()
	var h health
	for {
		detail, err := w.look(ctx)
		if err == nil {
			switch status := detail.ApplicationStatus; status {
			case types.ApplicationStatusRunning:
				h, err = a.health(ctx, since)
			case types.ApplicationStatusReady, types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
				return a.stoppedError(ctx, status)
			default: // transient: another job starts, as after maintenance
				since = time.Now()
			}
		}
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return a.jobError(ctx, w.began, fmt.Sprintf("its job is not steady after %s: %s", time.Since(w.began).Round(time.Second), h))
		case err != nil:
			return err
		case h.steady():
			return nil
		case max(h.restarts, h.total) >= mostRestarts && !h.checkpoint, h.restarts >= mostRestarts:
			failed := a.jobError(ctx, w.began, fmt.Sprintf("its job keeps failing: it has restarted %.0f times", max(h.restarts, h.total)))
			for until := time.Now().Add(loggedWithin); failed.Says == "" && a.logs() && time.Now().Before(until) && w.wait(ctx) == nil; {
				failed = a.jobError(ctx, w.began, failed.Problem)
			}
			return failed
		}
		if err := w.wait(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// Restarting reports whether the job of a running application is down or has just restarted, so that the service would
// refuse to take a snapshot of it.
func (a *Application) Restarting(ctx context.Context) (bool, error) {
	h, err := a.health(ctx, time.Now().Add(-lookBack))
	return h.restarting(), err
}

func (h health) restarting() bool {
	return h.points > 0 && (h.downtime > 0 || h.restarts > 0 && h.uptime < float64(steadyAfter.Milliseconds()))
}

// Check returns an error if the application does not run, or its job is down or has just restarted.
func (a *Application) Check(ctx context.Context) error {
	detail, err := a.Describe(ctx)
	if err != nil {
		return err
	}
	switch status := detail.ApplicationStatus; status {
	case types.ApplicationStatusReady, types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
		return a.stoppedError(ctx, status)
	case types.ApplicationStatusRunning:
		h, err := a.health(ctx, time.Now().Add(-lookBack))
		if err != nil || !h.restarting() {
			return err
		}
		failed := a.jobError(ctx, time.Now().Add(-lookBack), "its job fails and restarts")
		failed.Again = h.restarts >= mostRestarts
		return failed
	default:
		return nil
	}
}

func (a *Application) stoppedError(ctx context.Context, status types.ApplicationStatus) error {
	return fmt.Errorf("application %s has stopped and is %s%s; %s", a.Name, status, a.LastFailure(ctx), a.lookAt())
}

// health reads the metrics of the complete periods since a moment. The period that contains the moment may still
// describe the previous job.
func (a *Application) health(ctx context.Context, since time.Time) (h health, err error) {
	period := a.MetricPeriod
	if period == 0 {
		period = servicePeriod
	}
	start := since.Truncate(period).Add(period)
	end := time.Now().Add(period)
	if !start.Before(end) {
		return h, nil
	}
	in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, ScanBy: cloudwatchtypes.ScanByTimestampAscending}
	for i, name := range metrics {
		in.MetricDataQueries = append(in.MetricDataQueries, cloudwatchtypes.MetricDataQuery{
			Id: aws.String(fmt.Sprintf("m%d", i)),
			MetricStat: &cloudwatchtypes.MetricStat{
				Period: aws.Int32(int32(period.Seconds())),
				Stat:   aws.String(string(cloudwatchtypes.StatisticMaximum)),
				Metric: &cloudwatchtypes.Metric{
					Namespace: aws.String(Namespace), MetricName: &name,
					Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String(Dimension), Value: &a.Name}},
				},
			},
		})
	}
	values := map[string][]float64{}
	pages := cloudwatch.NewGetMetricDataPaginator(a.Metrics, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return h, fmt.Errorf("read the metrics of application %s: %w", a.Name, err)
		}
		for _, result := range page.MetricDataResults {
			var i int
			if _, err := fmt.Sscanf(aws.ToString(result.Id), "m%d", &i); err == nil && i < len(metrics) {
				values[metrics[i]] = append(values[metrics[i]], result.Values...)
			}
		}
	}
	last := func(name string) float64 {
		if all := values[name]; len(all) > 0 {
			return all[len(all)-1]
		}
		return 0
	}
	restarts := values[MetricRestarts]
	if h.points = min(len(restarts), len(values[MetricUptime])); h.points == 0 {
		return h, nil
	}
	h.total, h.restarts = last(MetricRestarts), last(MetricRestarts)-restarts[0]
	h.uptime, h.downtime = last(MetricUptime), last(MetricDowntime)
	h.checkpoint = slices.ContainsFunc(values[MetricCheckpoint], func(ms float64) bool { return ms > 0 })
	return h, nil
}

func (a *Application) jobError(ctx context.Context, since time.Time, problem string) *JobError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	since = since.Add(-time.Minute) // it may have failed before the wait began
	if a.startedAt.After(since) {
		since = a.startedAt
	}
	return &JobError{Application: a.Name, Problem: problem, Says: a.says(ctx, since), look: a.lookAt()}
}

// echo is what the source reports when another operator of the same task failed a moment before.
const echo = "java.util.concurrent.RejectedExecutionException"

// logs reports whether what the job logs can be read.
func (a *Application) logs() bool { return a.LogGroup != "" && a.Logs != nil }

// says returns the causes of the failures that the job has logged since a moment, each once.
func (a *Application) says(ctx context.Context, since time.Time) string {
	if !a.logs() {
		return ""
	}
	out, err := a.Logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &a.LogGroup, StartTime: aws.Int64(since.UnixMilli()), FilterPattern: aws.String("throwableInformation"), Limit: aws.Int32(100),
	})
	if err != nil {
		a.log().WarnContext(ctx, "read the log", "group", a.LogGroup, "error", err)
		return ""
	}
	var causes []string
	for _, event := range out.Events {
		cause := Cause(aws.ToString(event.Message))
		if cause != "" && !strings.HasPrefix(cause, echo) && !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
	}
	return Clean(strings.Join(causes, "; and: "))
}

// Cause returns the innermost cause of the exception in a line of the service's log, empty if there is none. A line is
// a JSON object that holds the stack trace as a string, or as one string for each of its lines.
// https://docs.aws.amazon.com/managed-flink/latest/java/cloudwatch-logs-reading.html
func Cause(line string) string {
	var event struct {
		Trace json.RawMessage `json:"throwableInformation"`
	}
	if json.Unmarshal([]byte(line), &event) != nil {
		return ""
	}
	var lines []string
	var text string
	if json.Unmarshal(event.Trace, &lines) != nil && json.Unmarshal(event.Trace, &text) == nil {
		lines = strings.Split(text, "\n")
	}
	cause := ""
	for i, line := range lines {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Caused by: "); ok || i == 0 {
			cause = text
		}
	}
	return strings.TrimSpace(cause)
}
