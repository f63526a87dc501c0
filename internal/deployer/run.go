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

// giveUpTime is the part of the time that is reserved for stopping an application that did not come up.
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

// application returns the named application, with the log group of the request.
func (d *Deployer) application(log *slog.Logger, event cfn.Event, name string) *application.Application {
	// The application writes logs only if the template's parameter AnalyticsLogLevel says so.
	logGroup, _ := event.ResourceProperties["LogGroup"].(string)
	return &application.Application{
		Name: name, LogGroup: logGroup, MetricPeriod: d.MetricPeriod,
		API: d.Applications, Metrics: d.Metrics, Logs: d.Logs, Log: log,
	}
}

// stop stops an application before its deletion. It may be gone already.
func stop(ctx context.Context, log *slog.Logger, app *application.Application) error {
	detail, err := app.Describe(ctx)
	if err == nil {
		var stopped application.Stopped
		// An application that is starting, or stuck there, has nothing to wait for.
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
// query that was set by hand, in a property group that is not in the template.
//
// CloudFormation's update of the application removes that group, and then the deployed query runs. A deploy that does
// not change the application leaves the group, too; then the query stays, unless the deploy has another pipeline.sql.
func (d *Deployer) bringUp(ctx context.Context, app *application.Application, current *ledger.Current, code string) (keeps bool, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-giveUpTime))
		defer cancel()
	}
	byHand := current != nil && current.By == ledger.BySQLRun
	changing := current != nil && current.Change != nil // it was broken off, so the application may have another query
	// The state of a query that was set by hand, such as open windows, is useless to another query.
	if _, err := app.Start(ctx, application.From{LeaveState: byHand || changing}); err != nil {
		return false, err
	}
	detail, err := app.Describe(ctx)
	if err != nil {
		return false, err
	}
	if runs := aws.ToString(application.Code(detail).FileKey); code != "" && runs != "" && runs != code {
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

// removeQuery removes the query that was set by hand, and returns when the application runs its own.
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
		return fmt.Errorf("remove the query that was set by hand: %w", err)
	}
	_, err = app.Start(ctx, application.From{LeaveState: true})
	return err
}

// giveUp stops an application that did not come up, by force: its job may be unable to take a snapshot, and then
// CloudFormation's rollback can only change the application while it is stopped.
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

// settleQuery makes the ledger name the query that the application runs, and describes that query in a sentence.
func (d *Deployer) settleQuery(ctx context.Context, book Ledger, current *ledger.Current, keeps bool) (string, error) {
	ours := d.Pipeline.Hash()
	now := time.Now().UTC().Truncate(time.Second)
	next := &ledger.Current{}
	byHand := ""
	if current != nil {
		*next = *current
		if next.Change != nil { // the application may have run the query that it changes to
			next.Change, next.Drained = nil, time.Time{}
		}
		if current.By == ledger.BySQLRun {
			byHand = fmt.Sprintf("the query set by hand on %s", moment(current.Since))
		}
	}
	if keeps {
		if !current.Drained.IsZero() {
			next.Begin(current.Pipeline, now) // which only ends the pause
			if _, err := book.SetCurrent(ctx, next, current); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%s stays: pipeline %.12s (%s)", byHand, current.Pipeline, ledger.PipelineKey(current.Pipeline)), nil
	}
	var from time.Time // the first epoch of a stack begins with it
	if current != nil {
		// When the ledger was read, before the application was started.
		if from = current.At(); from.IsZero() {
			from = now
		}
	}
	same := current != nil && current.By == ledger.ByDeploy && current.Pipeline == ours
	next.Begin(ours, from)
	next.By, next.Deployed, next.Paused = ledger.ByDeploy, ours, false
	if !same {
		next.Since = now
	}
	if same && current.Change == nil && current.Drained.IsZero() {
		// The ledger already says so.
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
		sentence += fmt.Sprintf("; the change of the query that began on %s is abandoned", moment(current.Change.Begun))
	}
	return sentence, nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
