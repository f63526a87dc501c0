package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/application"
	"streamproof/internal/local/flink"
)

// A Spec is everything in an application that its job depends on.
type Spec struct {
	Version     int64                 `json:"version"`
	Role        string                `json:"role"`
	Bucket      string                `json:"bucket"`
	Key         string                `json:"key"`
	KeyVersion  string                `json:"keyVersion,omitempty"`
	Properties  []flink.PropertyGroup `json:"properties"`
	Parallelism int                   `json:"parallelism"`
	// CheckpointInterval is 0 if checkpointing is off.
	CheckpointInterval    time.Duration                `json:"checkpointInterval"`
	CheckpointMinPause    time.Duration                `json:"checkpointMinPause"`
	Restore               types.ApplicationRestoreType `json:"restore"`
	Snapshot              string                       `json:"snapshot,omitempty"`
	AllowNonRestoredState bool                         `json:"allowNonRestoredState"`
	// NoSnapshots reports whether the application is stopped and updated without a snapshot.
	NoSnapshots bool `json:"noSnapshots,omitempty"`
}

type describer interface {
	DescribeApplication(context.Context, *kinesisanalyticsv2.DescribeApplicationInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error)
	ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error)
}

var _ describer = (*kinesisanalyticsv2.Client)(nil)

// describe returns what should run, nil for nothing. savepoint reports whether a job that runs but should not is
// stopped with a savepoint.
func describe(ctx context.Context, client describer, name string) (spec *Spec, savepoint bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := client.DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &name})
	var notFound *types.ResourceNotFoundException
	switch {
	case errors.As(err, &notFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	switch out.ApplicationDetail.ApplicationStatus {
	case types.ApplicationStatusRunning, types.ApplicationStatusStarting, types.ApplicationStatusUpdating, types.ApplicationStatusAutoscaling,
		types.ApplicationStatusMaintenance:
		spec, err = specOf(out.ApplicationDetail)
		return spec, true, err
	case types.ApplicationStatusRollingBack: // from the last snapshot
		spec, err = specOf(out.ApplicationDetail)
		return spec, false, err
	case types.ApplicationStatusStopping:
		return nil, true, nil
	default: // READY, FORCE_STOPPING, DELETING
		return nil, false, nil
	}
}

func specOf(app *types.ApplicationDetail) (*Spec, error) {
	spec := &Spec{
		Version:     aws.ToInt64(app.ApplicationVersionId),
		Role:        aws.ToString(app.ServiceExecutionRole),
		Parallelism: 1,
		Restore:     types.ApplicationRestoreTypeRestoreFromLatestSnapshot,
	}
	conf := app.ApplicationConfigurationDescription
	code := application.Code(app)
	if code.FileKey == nil {
		return nil, fmt.Errorf("application %s has no code in S3", aws.ToString(app.ApplicationName))
	}
	spec.Bucket = strings.TrimPrefix(aws.ToString(code.BucketARN), "arn:aws:s3:::")
	spec.Key, spec.KeyVersion = aws.ToString(code.FileKey), aws.ToString(code.ObjectVersion)
	if env := conf.EnvironmentPropertyDescriptions; env != nil {
		for _, g := range env.PropertyGroupDescriptions {
			spec.Properties = append(spec.Properties, flink.PropertyGroup{ID: aws.ToString(g.PropertyGroupId), Properties: g.PropertyMap})
		}
	}
	if f := conf.FlinkApplicationConfigurationDescription; f != nil {
		if p := f.ParallelismConfigurationDescription; p != nil && aws.ToInt32(p.Parallelism) > 0 {
			spec.Parallelism = int(*p.Parallelism)
		}
		if c := f.CheckpointConfigurationDescription; c != nil && aws.ToBool(c.CheckpointingEnabled) {
			spec.CheckpointInterval = time.Duration(aws.ToInt64(c.CheckpointInterval)) * time.Millisecond
			spec.CheckpointMinPause = time.Duration(aws.ToInt64(c.MinPauseBetweenCheckpoints)) * time.Millisecond
		}
	}
	if s := conf.ApplicationSnapshotConfigurationDescription; s != nil {
		spec.NoSnapshots = !aws.ToBool(s.SnapshotsEnabled)
	}
	if run := conf.RunConfigurationDescription; run != nil {
		if r := run.ApplicationRestoreConfigurationDescription; r != nil && r.ApplicationRestoreType != "" {
			spec.Restore, spec.Snapshot = r.ApplicationRestoreType, aws.ToString(r.SnapshotName)
		}
		if f := run.FlinkRunConfigurationDescription; f != nil {
			spec.AllowNonRestoredState = aws.ToBool(f.AllowNonRestoredState)
		}
	}
	return spec, nil
}

// withProperties returns the groups, with these values over those of the group with this ID.
func withProperties(groups []flink.PropertyGroup, id string, values map[string]string) []flink.PropertyGroup {
	var merged []flink.PropertyGroup
	found := false
	for _, g := range groups {
		if g.ID == id {
			all := maps.Clone(g.Properties)
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, values)
			g.Properties, found = all, true
		}
		merged = append(merged, g)
	}
	if !found {
		merged = append(merged, flink.PropertyGroup{ID: id, Properties: values})
	}
	return merged
}
