package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/analytics"
	"streamproof/internal/application"
	"streamproof/internal/ledger"
)

// giveUpTime is what is kept of the time to stop an application that did not come up.
const giveUpTime = 2 * time.Minute

// run answers for Custom::AnalyticsRun. The physical id is the application's name, and Query says which query it runs.
func (d *Deployer) run(ctx context.Context, log *slog.Logger, event cfn.Event) (string, map[string]any, error) {
	props, err := properties(event, "Application", "Bucket")
	if err != nil {
		return "", nil, err
	}
	app := d.application(log, event, props["Application"])
	if event.RequestType == cfn.RequestDelete {
		// An application that was replaced is stopped under its old name.
		if event.PhysicalResourceID != "" {
			app.Name = event.PhysicalResourceID
		}
		return app.Name, nil, stop(ctx, log, app)
	}
	book := d.Ledger(props["Bucket"])
	current, err := book.Current(ctx)
	if err != nil {
		return app.Name, nil, err
	}
	code, _ := event.ResourceProperties["Code"].(string)
	keeps, err := d.bringUp(ctx, app, current, code)
	if err != nil {
		return app.Name, nil, giveUp(ctx, log, app, err)
	}
	if err := book.PublishPipeline(ctx, d.Pipeline); err != nil {
		return app.Name, nil, err
	}
	query, err := d.settleQuery(ctx, book, current, keeps)
	return app.Name, map[string]any{"Query": query}, err
}

// gate answers for Custom::AnalyticsGate. Its physical id never changes.
func (d *Deployer) gate(ctx context.Context, log *slog.Logger, event cfn.Event) (string, error) {
	props, err := properties(event, "Application")
	if err != nil {
		return "", err
	}
	id := props["Application"] + "-gate"
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil
	}
	stopped, err := d.application(log, event, props["Application"]).MakeWay(ctx)
	if cost := stopped.Cost(); cost != "" {
		log.WarnContext(ctx, "the job keeps restarting, and the service would refuse an update", "cost", cost)
	}
	return id, err
}

// application is the one of that name, with what the request says of its logs.
func (d *Deployer) application(log *slog.Logger, event cfn.Event, name string) *application.Application {
	// The application writes logs only where the template's parameter asks for them.
	logGroup, _ := event.ResourceProperties["LogGroup"].(string)
	return &application.Application{
		Name: name, LogGroup: logGroup, MetricPeriod: d.MetricPeriod,
		API: d.Applications, Metrics: d.Metrics, Logs: d.Logs, Log: log,
	}
}

// stop stops an application that is to be deleted; it may be gone already.
func stop(ctx context.Context, log *slog.Logger, app *application.Application) error {
	detail, err := app.Describe(ctx)
	if err == nil {
		var stopped application.Stopped
		// What is only starting, or hangs in it, has nothing to wait for.
		stopped, err = app.Stop(ctx, detail.ApplicationStatus == types.ApplicationStatusStarting)
		if stopped.Forced {
			log.WarnContext(ctx, "stopped by force", "application", app.Name, "refused", stopped.Refused)
		}
	}
	if errors.As(err, new(*types.ResourceNotFoundException)) {
		return nil
	}
	return err
}

// bringUp returns when the application runs the code and its job is steady. It reports whether the application keeps a
// query that was set by hand, which stands in a property group that the template does not name.
//
// CloudFormation's update of the application takes that group away; what leaves the application as it is leaves it the
// query, too. So where the group is gone, the query that was deployed runs. Where it is still there, a deploy with
// another pipeline.sql replaces it.
func (d *Deployer) bringUp(ctx context.Context, app *application.Application, current *ledger.Current, code string) (keeps bool, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-giveUpTime))
		defer cancel()
	}
	byHand := current != nil && current.By == ledger.BySQLRun
	changing := current != nil && current.Change != nil // one that was broken off: what the application has may be another query
	// The state of a query that was set by hand, windows that are open, is nothing to another one.
	if _, err := app.Start(ctx, application.From{LeaveState: byHand || changing}); err != nil {
		return false, err
	}
	detail, err := app.Describe(ctx)
	if err != nil {
		return false, err
	}
	if runs := codeOf(detail); code != "" && runs != "" && runs != code {
		return false, fmt.Errorf("application %s runs %s and not %s: the service has rolled the update back%s", app.Name, runs, code, app.LastFailure(ctx))
	}
	set := analytics.Hash(analytics.Described(detail)) != ""
	keeps = set && byHand && !changing && current.Deployed == d.Pipeline.Hash()
	if set && !keeps {
		if err := removeQuery(ctx, app); err != nil {
			return false, err
		}
	}
	return keeps, app.AwaitSteady(ctx)
}

// codeOf is the key of the code that an application is described with, empty where it has none.
func codeOf(detail *types.ApplicationDetail) string {
	c := detail.ApplicationConfigurationDescription
	if c == nil || c.ApplicationCodeConfigurationDescription == nil || c.ApplicationCodeConfigurationDescription.CodeContentDescription == nil ||
		c.ApplicationCodeConfigurationDescription.CodeContentDescription.S3ApplicationCodeLocationDescription == nil {
		return ""
	}
	return aws.ToString(c.ApplicationCodeConfigurationDescription.CodeContentDescription.S3ApplicationCodeLocationDescription.FileKey)
}

// removeQuery takes away the query that was set by hand, and returns when the application runs its own.
func removeQuery(ctx context.Context, app *application.Application) error {
	_, err := app.Update(ctx, func(detail *types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error) {
		return &kinesisanalyticsv2.UpdateApplicationInput{
			ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{
				EnvironmentPropertyUpdates: &types.EnvironmentPropertyUpdates{PropertyGroups: analytics.Groups(analytics.Described(detail), nil)},
			},
			RunConfigurationUpdate: &types.RunConfigurationUpdate{
				FlinkRunConfiguration: &types.FlinkRunConfiguration{AllowNonRestoredState: aws.Bool(true)}, // as for LeaveState
			},
		}, nil
	})
	if err != nil {
		return fmt.Errorf("take away the query that was set by hand: %w", err)
	}
	_, err = app.Start(ctx, application.From{LeaveState: true})
	return err
}

// giveUp stops an application that did not come up, by force: its job may be unable to take a snapshot, and
// CloudFormation's rollback can only change an application that is stopped, or that can.
func giveUp(ctx context.Context, log *slog.Logger, app *application.Application, cause error) error {
	stopped, err := app.Stop(ctx, true)
	if err != nil {
		log.ErrorContext(ctx, "stop by force", "application", app.Name, "error", err)
		return cause
	}
	if cost := stopped.Cost(); cost != "" {
		return fmt.Errorf("%w. %s", cause, cost)
	}
	return cause
}

// settleQuery has the ledger agree with the application on the query that runs, and says in a sentence which it is.
func (d *Deployer) settleQuery(ctx context.Context, book Ledger, current *ledger.Current, keeps bool) (string, error) {
	ours := d.Pipeline.Hash()
	next := &ledger.Current{Pipeline: ours, Since: time.Now().UTC().Truncate(time.Second), By: ledger.ByDeploy, Deployed: ours}
	byHand := ""
	if current != nil {
		next.Rollbacks = current.Rollbacks
		if current.By == ledger.BySQLRun {
			byHand = fmt.Sprintf("the query set by hand on %s", moment(current.Since))
		}
	}
	if keeps {
		return fmt.Sprintf("%s stays: pipeline %.12s (%s)", byHand, current.Pipeline, ledger.PipelineKey(current.Pipeline)), nil
	}
	same := current != nil && current.By == ledger.ByDeploy && current.Pipeline == ours
	if same {
		next.Since = current.Since
	}
	if same && current.Change == nil {
		// It says all that already.
	} else if _, err := book.SetCurrent(ctx, next, current); err != nil {
		return "", err
	}
	sentence := fmt.Sprintf("pipeline %.12s of the deploy of %s", ours, moment(next.Since))
	switch {
	case byHand == "":
	case current.Pipeline == ours:
		sentence += ", which is " + byHand
	default:
		sentence += fmt.Sprintf(": it replaces %s (%s)", byHand, ledger.PipelineKey(current.Pipeline))
	}
	if current != nil && current.Change != nil {
		sentence += fmt.Sprintf("; the change of the query that was begun on %s is given up", moment(current.Change.Begun))
	}
	return sentence, nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
