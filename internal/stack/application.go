package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/analytics"
	"streamproof/internal/application"
)

// operationTimeout is for a start, a stop or an update of the application, with its snapshot.
const operationTimeout = 15 * time.Minute

// An Application is the state of the analytics application.
type Application struct {
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// Application describes the analytics application.
func (s *Stack) Application(ctx context.Context) (Application, error) {
	app, err := s.describe(ctx)
	if err != nil {
		return Application{}, err
	}
	return Application{Status: string(app.ApplicationStatus), Version: aws.ToInt64(app.ApplicationVersionId)}, nil
}

// hasApplication fails for a stack that only watches.
func (s *Stack) hasApplication() error {
	if s.Outputs.Audits == "" {
		return nil
	}
	return fmt.Errorf("%w: stack %s only watches %s, which somebody else's pipeline writes: it has no application", ErrNotUsable, s.Name, s.Outputs.Audits)
}

func (s *Stack) describe(ctx context.Context) (*types.ApplicationDetail, error) {
	if err := s.hasApplication(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.application.Describe(ctx)
}

// StopApplication stops the application with a snapshot, or by force if its job cannot take one, and returns when it
// has stopped. With force, it takes no snapshot, and also stops an application that is starting. It needs
// kinesisanalytics:DescribeApplication, StopApplication, DescribeApplicationOperation and ListApplicationSnapshots.
func (s *Stack) StopApplication(ctx context.Context, force bool) (application.Stopped, error) {
	if err := s.hasApplication(); err != nil {
		return application.Stopped{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return s.application.Stop(ctx, force)
}

// StartApplication starts the application, and returns when its job is steady. It reports false
// if the application was running before. It needs kinesisanalytics:DescribeApplication, DescribeApplicationOperation,
// ListApplicationOperations and StartApplication, and cloudwatch:GetMetricData; with logs:FilterLogEvents on the
// application's log group, its error has what the job logged.
func (s *Stack) StartApplication(ctx context.Context, from application.From) (asked bool, err error) {
	if err := s.hasApplication(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if asked, err = s.application.Start(ctx, from); err != nil {
		return asked, err
	}
	return asked, s.application.AwaitSteady(ctx)
}

// CheckJob returns an error if the application has stopped, or its job fails and restarts.
func (s *Stack) CheckJob(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.application.Check(ctx)
}

// LatestSnapshot returns the name of the application's newest snapshot, empty if there is none. It needs
// kinesisanalytics:ListApplicationSnapshots.
func (s *Stack) LatestSnapshot(ctx context.Context) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	latest, err := s.application.LatestSnapshot(ctx)
	if err != nil || latest == nil {
		return "", err
	}
	return aws.ToString(latest.SnapshotName), nil
}

// SetQuery sets the Flink SQL that the stopped application runs from its next start on, empty for its JAR's own. Its
// other properties stay. It needs kinesisanalytics:DescribeApplication and kinesisanalytics:UpdateApplication.
func (s *Stack) SetQuery(ctx context.Context, sql string) error {
	var set *types.PropertyGroup
	if sql != "" {
		group, err := analytics.Properties(sql)
		if err != nil {
			return err
		}
		set = &group
	}
	app, err := s.describe(ctx)
	if err != nil || analytics.Hash(analytics.Described(app)) == HashOf(sql) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	_, err = s.application.Update(ctx, func(app *types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error) {
		return &kinesisanalyticsv2.UpdateApplicationInput{ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{
			EnvironmentPropertyUpdates: &types.EnvironmentPropertyUpdates{PropertyGroups: analytics.Groups(analytics.Described(app), set)},
		}}, nil
	})
	if err != nil {
		return fmt.Errorf("set the query of application %s: %w", s.Outputs.ApplicationName, err)
	}
	return nil
}
