package managedflink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cloudwatchlogstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	service "streamproof/internal/application"
	"streamproof/internal/local/runner"
)

// The service publishes metrics once a minute. Here they come sooner, to save waiting, and most often for a job that
// has just started or is down.
const (
	measureOften  = time.Second
	measureSeldom = 5 * time.Second
	newJob        = 2 * time.Minute
)

// madeWithin is how soon CloudFormation makes a change that it has asked for, if it makes it at all.
const madeWithin = 5 * time.Second

// follow advances the operations as the jobs progress.
func (s *Server) follow(ctx context.Context) {
	defer close(s.stopped)
	ticker := time.NewTicker(stepEvery)
	defer ticker.Stop()
	failures := map[string]string{} // the last step's, by application
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, name := range s.Applications() {
			failure := ""
			if err := s.step(ctx, name); err != nil && ctx.Err() == nil {
				failure = err.Error()
			}
			if failure != "" && failure != failures[name] {
				s.Log.Error("application", "name", name, "error", failure)
			}
			failures[name] = failure
		}
	}
}

// step ends an application's operation once its job has got that far, and publishes the job's metrics and failures.
func (s *Server) step(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.applications[name]
	job, err := s.Job(name)
	if a == nil || err != nil || job.State == "" {
		return err
	}
	if o := a.current(); o != nil {
		if err = s.advance(ctx, name, a, o, job); err == nil && o.Status != types.OperationStatusInProgress {
			s.Log.Info("operation", "application", name, "operation", o.Kind, "status", o.Status, "error", o.Error)
			err = s.save()
		}
	}
	return errors.Join(err, s.log(ctx, name, a, job), s.measure(ctx, name, a, job))
}

func (s *Server) advance(ctx context.Context, name string, a *application, o *operation, job runner.Status) error {
	if o.Kind == stop {
		switch {
		case job.State == runner.Stopped:
			o.end(types.OperationStatusSuccessful, "")
		case !o.Force && job.StopFailedAt.After(o.Start):
			o.end(types.OperationStatusFailed, firstLine(job.StopFailed))
			return s.undoStop(ctx, name, o)
		}
		return nil
	}
	detail, err := s.detail(ctx, name)
	if err != nil {
		return err
	}
	if detail == nil {
		delete(s.applications, name)
		return nil
	}
	version := aws.ToInt64(detail.ApplicationVersionId)
	if version < o.To { // CloudFormation has asked, and is about to make the change
		if time.Since(o.Start) > madeWithin {
			o.end(types.OperationStatusFailed, "CloudFormation did not make the change that it asked for")
		}
		return nil
	}
	switch current := job.Version == version; {
	case current && job.JobState != "":
		o.end(types.OperationStatusSuccessful, "")
		if a.Good == nil || aws.ToInt64(a.Good.ApplicationVersionId) != job.Version {
			a.Before, a.Good = a.Good, detail
		}
	case current && job.RefusedAt.After(o.Start):
		o.end(types.OperationStatusFailed, firstLine(job.Refused))
		if o.Kind == update && a.Good != nil && rollsBack(detail) {
			back, err := s.rollBack(ctx, name, a, detail)
			if err == nil {
				o.RollbackID = back.ID
				return nil
			}
			s.Log.Error("system rollback", "application", name, "error", err)
		}
		// "your application will be placed into the READY state":
		// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-system-rollback.html
		_, err := s.client.StopApplication(ctx, &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &name, Force: aws.Bool(true)})
		return err
	}
	return nil
}

func rollsBack(detail *types.ApplicationDetail) bool {
	c := detail.ApplicationConfigurationDescription
	return c != nil && c.ApplicationSystemRollbackConfigurationDescription != nil && aws.ToBool(c.ApplicationSystemRollbackConfigurationDescription.RollbackEnabled)
}

// undoStop makes the emulator forget a stop, and the snapshot it noted, if the job gave none: the service leaves such
// an application RUNNING.
func (s *Server) undoStop(ctx context.Context, name string, o *operation) error {
	detail, err := s.detail(ctx, name)
	if err != nil || detail == nil {
		return err
	}
	if o.Snapshot != "" {
		out, err := s.client.DescribeApplicationSnapshot(ctx, &kinesisanalyticsv2.DescribeApplicationSnapshotInput{ApplicationName: &name, SnapshotName: &o.Snapshot})
		if err != nil {
			return err
		}
		if _, err := s.client.DeleteApplicationSnapshot(ctx, &kinesisanalyticsv2.DeleteApplicationSnapshotInput{
			ApplicationName: &name, SnapshotName: &o.Snapshot, SnapshotCreationTimestamp: out.SnapshotDetails.SnapshotCreationTimestamp,
		}); err != nil {
			return err
		}
	}
	run := &types.RunConfiguration{}
	if d := detail.ApplicationConfigurationDescription.RunConfigurationDescription; d != nil {
		if r := d.ApplicationRestoreConfigurationDescription; r != nil {
			run.ApplicationRestoreConfiguration = &types.ApplicationRestoreConfiguration{ApplicationRestoreType: r.ApplicationRestoreType, SnapshotName: r.SnapshotName}
		}
		if f := d.FlinkRunConfigurationDescription; f != nil {
			run.FlinkRunConfiguration = &types.FlinkRunConfiguration{AllowNonRestoredState: f.AllowNonRestoredState}
		}
	}
	_, err = s.client.StartApplication(ctx, &kinesisanalyticsv2.StartApplicationInput{ApplicationName: &name, RunConfiguration: run})
	return err
}

// newestSnapshot is the name of the newest snapshot, empty if there is none.
func (s *Server) newestSnapshot(ctx context.Context, name string) (string, error) {
	a := service.Application{Name: name, API: s.client}
	newest, err := a.LatestSnapshot(ctx)
	if newest == nil {
		return "", err
	}
	return aws.ToString(newest.SnapshotName), err
}

// rollBack reverts the application to the version that ran before this one.
// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_RollbackApplication.html
func (s *Server) rollBack(ctx context.Context, name string, a *application, detail *types.ApplicationDetail) (*operation, error) {
	to := a.Good
	if to != nil && aws.ToInt64(to.ApplicationVersionId) == aws.ToInt64(detail.ApplicationVersionId) {
		to = a.Before
	}
	if to == nil {
		return nil, refuse(invalidRequest, "application %s has no previous running version", name)
	}
	if snapshot, err := s.newestSnapshot(ctx, name); err != nil {
		return nil, err
	} else if snapshot == "" {
		return nil, refuse(invalidRequest, "application %s has no snapshot to roll back to", name)
	}
	in := configure(to)
	in.CurrentApplicationVersionId = detail.ApplicationVersionId
	out, err := s.client.UpdateApplication(ctx, in)
	if err != nil {
		return nil, err
	}
	o := a.begin(rollback)
	o.From, o.To = aws.ToInt64(detail.ApplicationVersionId), aws.ToInt64(out.ApplicationDetail.ApplicationVersionId)
	return o, nil
}

func configure(was *types.ApplicationDetail) *kinesisanalyticsv2.UpdateApplicationInput {
	c := was.ApplicationConfigurationDescription
	change := &types.ApplicationConfigurationUpdate{}
	if at := service.Code(was); at.FileKey != nil {
		change.ApplicationCodeConfigurationUpdate = &types.ApplicationCodeConfigurationUpdate{CodeContentUpdate: &types.CodeContentUpdate{
			S3ContentLocationUpdate: &types.S3ContentLocationUpdate{BucketARNUpdate: at.BucketARN, FileKeyUpdate: at.FileKey, ObjectVersionUpdate: at.ObjectVersion},
		}}
	}
	if env := c.EnvironmentPropertyDescriptions; env != nil {
		change.EnvironmentPropertyUpdates = &types.EnvironmentPropertyUpdates{PropertyGroups: env.PropertyGroupDescriptions}
	}
	if f := c.FlinkApplicationConfigurationDescription; f != nil {
		flink := &types.FlinkApplicationConfigurationUpdate{}
		if p := f.CheckpointConfigurationDescription; p != nil {
			flink.CheckpointConfigurationUpdate = &types.CheckpointConfigurationUpdate{
				ConfigurationTypeUpdate: p.ConfigurationType, CheckpointingEnabledUpdate: p.CheckpointingEnabled,
				CheckpointIntervalUpdate: p.CheckpointInterval, MinPauseBetweenCheckpointsUpdate: p.MinPauseBetweenCheckpoints,
			}
		}
		if p := f.ParallelismConfigurationDescription; p != nil {
			flink.ParallelismConfigurationUpdate = &types.ParallelismConfigurationUpdate{
				ConfigurationTypeUpdate: p.ConfigurationType, ParallelismUpdate: p.Parallelism,
				ParallelismPerKPUUpdate: p.ParallelismPerKPU, AutoScalingEnabledUpdate: p.AutoScalingEnabled,
			}
		}
		if m := f.MonitoringConfigurationDescription; m != nil {
			flink.MonitoringConfigurationUpdate = &types.MonitoringConfigurationUpdate{
				ConfigurationTypeUpdate: m.ConfigurationType, LogLevelUpdate: m.LogLevel, MetricsLevelUpdate: m.MetricsLevel,
			}
		}
		change.FlinkApplicationConfigurationUpdate = flink
	}
	if snapshots := c.ApplicationSnapshotConfigurationDescription; snapshots != nil {
		change.ApplicationSnapshotConfigurationUpdate = &types.ApplicationSnapshotConfigurationUpdate{SnapshotsEnabledUpdate: snapshots.SnapshotsEnabled}
	}
	return &kinesisanalyticsv2.UpdateApplicationInput{
		ApplicationName: was.ApplicationName, ApplicationConfigurationUpdate: change, ServiceExecutionRoleUpdate: was.ServiceExecutionRole,
	}
}

// measure publishes the job's metrics, with a resolution of one second.
func (s *Server) measure(ctx context.Context, name string, a *application, job runner.Status) error {
	every := measureSeldom
	if job.RunsSince == nil || time.Duration(job.Metrics["uptime"])*time.Millisecond < newJob {
		every = measureOften
	}
	if job.State == runner.Stopped || len(job.Metrics) == 0 || time.Since(a.measured) < every {
		return nil
	}
	now := time.Now()
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/KinesisAnalytics")}
	for metric, value := range job.Metrics {
		in.MetricData = append(in.MetricData, cloudwatchtypes.MetricDatum{
			MetricName: &metric, Value: &value, Timestamp: &now, StorageResolution: aws.Int32(1),
			Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String("Application"), Value: &name}},
		})
	}
	if _, err := s.metrics.PutMetricData(ctx, in); err != nil {
		return fmt.Errorf("publish the metrics of application %s: %w", name, err)
	}
	a.measured = now
	return nil
}

// log writes the job's failure to the application's log stream, if it has one. It does so as root: the emulator checks
// PutLogEvents, and so the role's policy, against the log group; on AWS the resource is the log stream.
// https://docs.aws.amazon.com/managed-flink/latest/java/cloudwatch-logs-reading.html
func (s *Server) log(ctx context.Context, name string, a *application, job runner.Status) error {
	if job.JobFailure == "" || !job.JobFailureAt.After(a.logged) {
		return nil
	}
	detail, err := s.detail(ctx, name)
	if err != nil || detail == nil {
		return err
	}
	a.logged = job.JobFailureAt
	if len(detail.CloudWatchLoggingOptionDescriptions) == 0 {
		return nil
	}
	arn := aws.ToString(detail.CloudWatchLoggingOptionDescriptions[0].LogStreamARN)
	_, rest, _ := strings.Cut(arn, ":log-group:")
	group, stream, ok := strings.Cut(rest, ":log-stream:")
	if !ok {
		return fmt.Errorf("application %s: %q is not the ARN of a log stream", name, arn)
	}
	line, err := json.Marshal(map[string]any{
		"logger": "org.apache.flink.runtime.executiongraph.ExecutionGraph", "message": "the job switched from state RUNNING to RESTARTING",
		"throwableInformation": strings.Split(job.JobFailure, "\n"), // the runner has the innermost cause only
		"applicationARN":       aws.ToString(detail.ApplicationARN), "applicationVersionId": fmt.Sprint(job.Version),
		"messageSchemaVersion": "1", "messageType": "WARN",
	})
	if err != nil {
		return err
	}
	_, err = s.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []cloudwatchlogstypes.InputLogEvent{{Message: aws.String(string(line)), Timestamp: aws.Int64(job.JobFailureAt.UnixMilli())}},
	})
	if err != nil {
		return fmt.Errorf("write the log of application %s: %w", name, err)
	}
	return nil
}
