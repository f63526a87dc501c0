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
	"streamproof/internal/ledger"
)

const (
	// pollInterval is how often the application's status is asked for.
	pollInterval = 2 * time.Second
	// startGrace is how long an application may still be seen as READY after it was told to start.
	startGrace = 30 * time.Second
)

type applications interface {
	DescribeApplication(ctx context.Context, in *kinesisanalyticsv2.DescribeApplicationInput, opts ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOutput, error)
	DescribeApplicationOperation(ctx context.Context, in *kinesisanalyticsv2.DescribeApplicationOperationInput, opts ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.DescribeApplicationOperationOutput, error)
	StartApplication(ctx context.Context, in *kinesisanalyticsv2.StartApplicationInput, opts ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StartApplicationOutput, error)
	StopApplication(ctx context.Context, in *kinesisanalyticsv2.StopApplicationInput, opts ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.StopApplicationOutput, error)
	UpdateApplication(ctx context.Context, in *kinesisanalyticsv2.UpdateApplicationInput, opts ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.UpdateApplicationOutput, error)
}

var _ applications = (*kinesisanalyticsv2.Client)(nil)

// run answers for Custom::AnalyticsRun. The physical id is the application's name, and Query says which query it runs.
func (d *Deployer) run(ctx context.Context, log *slog.Logger, event cfn.Event) (string, map[string]any, error) {
	props, err := properties(event, "Application", "Bucket")
	if err != nil {
		return "", nil, err
	}
	app := application{name: props["Application"], calls: d.Applications, log: log}
	// The application writes logs only where the template's parameter asks for them.
	app.logGroup, _ = event.ResourceProperties["LogGroup"].(string)
	if event.RequestType == cfn.RequestDelete {
		// An application that was replaced is stopped under its old name.
		if event.PhysicalResourceID != "" {
			app.name = event.PhysicalResourceID
		}
		return app.name, nil, app.stop(ctx)
	}
	book := d.Ledger(props["Bucket"])
	current, err := book.Current(ctx)
	if err != nil {
		return app.name, nil, err
	}
	// The state of a query that was set by hand, windows that are open, is nothing to another one.
	app.leaveState = current != nil && (current.By == ledger.BySQLRun || current.Change != nil)
	if err := app.start(ctx); err != nil {
		return app.name, nil, err
	}
	if err := book.PublishPipeline(ctx, d.Pipeline); err != nil {
		return app.name, nil, err
	}
	query, err := d.settleQuery(ctx, &app, book, current)
	return app.name, map[string]any{"Query": query}, err
}

// settleQuery has the application and the ledger agree on the query that runs, and says in a sentence which it is.
//
// A query that was set by hand stands in a property group that the template does not name, and CloudFormation's update of the
// application takes it away; what leaves the application as it is leaves it the query, too. So where the group is gone, the query
// that was deployed runs. Where it is still there, a deploy with another pipeline.sql replaces it.
func (d *Deployer) settleQuery(ctx context.Context, app *application, book Ledger, current *ledger.Current) (string, error) {
	detail, err := app.describe(ctx)
	if err != nil {
		return "", err
	}
	ours := d.Pipeline.Hash()
	next := &ledger.Current{Pipeline: ours, Since: time.Now().UTC().Truncate(time.Second), By: ledger.ByDeploy, Deployed: ours}
	set := analytics.Hash(analytics.Described(detail)) != ""
	byHand := ""
	if current != nil {
		next.Rollbacks = current.Rollbacks
		if current.By == ledger.BySQLRun {
			byHand = fmt.Sprintf("the query set by hand on %s", moment(current.Since))
		}
		// Where a change of it was broken off, what the application has may be another one.
		if set && byHand != "" && current.Deployed == ours && current.Change == nil {
			return fmt.Sprintf("%s stays: pipeline %.12s (%s)", byHand, current.Pipeline, ledger.PipelineKey(current.Pipeline)), nil
		}
	}
	if set {
		if err := app.removeQuery(ctx, detail); err != nil {
			return "", err
		}
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

// application is one Managed Flink application.
type application struct {
	name     string
	logGroup string // empty where it writes no logs
	calls    applications
	log      *slog.Logger
	// leaveState starts it without what of its snapshot belongs to no operator. All of the job's own have fixed names, so this is
	// what the planner has made of another query.
	leaveState bool
}

// look says where a person sees more, as a part of a sentence.
func (a *application) look() string {
	if a.logGroup == "" {
		return "set the template's parameter AnalyticsLogLevel to see why"
	}
	return "look at the log group " + a.logGroup
}

// start returns when the application runs. It starts it where it does not, from its latest snapshot where it has one.
//
// CloudFormation's own update of a running application restarts it, and leaves it READY where the new version did not
// come up; so may an earlier rollback. Each is started here once more, and its second failure is the answer.
func (a *application) start(ctx context.Context) error {
	began := time.Now()
	var operation string // the start that was asked for here
	var asked time.Time  // when it was
	var left bool        // the application was seen in another status since
	var last types.ApplicationStatus
	for {
		status, err := a.status(ctx)
		if err != nil {
			return a.overdue(ctx, last, began, err)
		}
		if status != last {
			a.log.InfoContext(ctx, "application", "name", a.name, "status", status)
		}
		last = status
		switch status {
		case types.ApplicationStatusRunning:
			return nil
		case types.ApplicationStatusReady:
			switch {
			case asked.IsZero():
				var accepted bool
				operation, accepted, err = a.askStart(ctx)
				if err != nil {
					return a.overdue(ctx, last, began, err)
				}
				if accepted {
					asked = time.Now()
					continue // what it says now is news: no need to wait
				}
			case left || time.Since(asked) > startGrace:
				return fmt.Errorf("application %s did not start, it is %s again%s; %s", a.name, status, a.why(ctx, operation), a.look())
			}
		case types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return fmt.Errorf("application %s is %s and cannot be started; look at its operations in the console, and %s", a.name, status, a.look())
		default: // STARTING, UPDATING, AUTOSCALING, MAINTENANCE, STOPPING, FORCE_STOPPING, ROLLING_BACK: they end by themselves
			left = true
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return a.overdue(ctx, last, began, err)
		}
	}
}

// stop returns when the application does not run. A running one is stopped with a snapshot, which hands what it holds
// to the delivery stream first; what is only starting, or takes more than half of the time, is stopped by force.
func (a *application) stop(ctx context.Context) error {
	began := time.Now()
	patience := time.Duration(1<<63 - 1)
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline) / 2
	}
	var asked, forced bool // the stops that were accepted
	var last types.ApplicationStatus
	for {
		status, err := a.status(ctx)
		if errors.As(err, new(*types.ResourceNotFoundException)) {
			return nil
		}
		if err != nil {
			return a.overdue(ctx, last, began, err)
		}
		if status != last {
			a.log.InfoContext(ctx, "application", "name", a.name, "status", status)
		}
		last = status
		force := status == types.ApplicationStatusStarting || time.Since(began) > patience
		switch status {
		case types.ApplicationStatusReady, types.ApplicationStatusDeleting, types.ApplicationStatusRolledBack:
			return nil
		case types.ApplicationStatusRunning, types.ApplicationStatusStarting, types.ApplicationStatusUpdating,
			types.ApplicationStatusAutoscaling, types.ApplicationStatusStopping:
			if (force && !forced) || (status == types.ApplicationStatusRunning && !asked) {
				accepted, err := a.askStop(ctx, force)
				if err != nil {
					return a.overdue(ctx, last, began, err)
				}
				if accepted {
					asked, forced = true, force
					continue
				}
			}
		default: // FORCE_STOPPING, ROLLING_BACK, MAINTENANCE: they end by themselves
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return a.overdue(ctx, last, began, err)
		}
	}
}

func (a *application) status(ctx context.Context) (types.ApplicationStatus, error) {
	detail, err := a.describe(ctx)
	if err != nil {
		return "", err
	}
	return detail.ApplicationStatus, nil
}

func (a *application) describe(ctx context.Context) (*types.ApplicationDetail, error) {
	out, err := a.calls.DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &a.name})
	if err != nil {
		return nil, fmt.Errorf("describe application %s: %w", a.name, err)
	}
	return out.ApplicationDetail, nil
}

// removeQuery takes away the query that was set by hand, and returns when the application runs its own.
func (a *application) removeQuery(ctx context.Context, detail *types.ApplicationDetail) error {
	_, err := a.calls.UpdateApplication(ctx, &kinesisanalyticsv2.UpdateApplicationInput{
		ApplicationName:             &a.name,
		CurrentApplicationVersionId: detail.ApplicationVersionId,
		ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{
			EnvironmentPropertyUpdates: &types.EnvironmentPropertyUpdates{PropertyGroups: analytics.Groups(analytics.Described(detail), nil)},
		},
		RunConfigurationUpdate: &types.RunConfigurationUpdate{
			FlinkRunConfiguration: &types.FlinkRunConfiguration{AllowNonRestoredState: aws.Bool(true)}, // as for leaveState
		},
	})
	if err != nil {
		return fmt.Errorf("take the query set by hand from application %s: %w", a.name, err)
	}
	a.log.InfoContext(ctx, "query set by hand removed", "name", a.name)
	a.leaveState = true
	return a.start(ctx)
}

// askStart asks for a start and returns the operation's id. A start is not accepted where the application's status has
// just changed: the next look at it decides.
func (a *application) askStart(ctx context.Context) (operation string, accepted bool, err error) {
	out, err := a.calls.StartApplication(ctx, &kinesisanalyticsv2.StartApplicationInput{
		ApplicationName: &a.name,
		RunConfiguration: &types.RunConfiguration{
			// Without a snapshot, as on a first start, there is nothing to restore and the stream is read from TRIM_HORIZON.
			ApplicationRestoreConfiguration: &types.ApplicationRestoreConfiguration{
				ApplicationRestoreType: types.ApplicationRestoreTypeRestoreFromLatestSnapshot,
			},
			// The sink keeps rows that are not yet delivered in the state: leaving any of that behind would lose them.
			FlinkRunConfiguration: &types.FlinkRunConfiguration{AllowNonRestoredState: aws.Bool(a.leaveState)},
		},
	})
	if errors.As(err, new(*types.ResourceInUseException)) {
		a.log.WarnContext(ctx, "start refused", "name", a.name, "error", err)
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("start application %s: %w", a.name, err)
	}
	return aws.ToString(out.OperationId), true, nil
}

// askStop asks for a stop, which is not accepted where the application's status has just changed.
func (a *application) askStop(ctx context.Context, force bool) (accepted bool, err error) {
	_, err = a.calls.StopApplication(ctx, &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &a.name, Force: aws.Bool(force)})
	if errors.As(err, new(*types.ResourceInUseException)) {
		a.log.WarnContext(ctx, "stop refused", "name", a.name, "force", force, "error", err)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("stop application %s: %w", a.name, err)
	}
	return true, nil
}

// why is what the service says of a failed operation, as a part of a sentence; empty where it says nothing.
func (a *application) why(ctx context.Context, operation string) string {
	if operation == "" {
		return ""
	}
	out, err := a.calls.DescribeApplicationOperation(ctx, &kinesisanalyticsv2.DescribeApplicationOperationInput{
		ApplicationName: &a.name, OperationId: &operation,
	})
	if err != nil {
		// The start has failed all the same; that is what has to be said.
		a.log.WarnContext(ctx, "describe operation", "operation", operation, "error", err)
		return ""
	}
	if out.ApplicationOperationInfoDetails == nil || out.ApplicationOperationInfoDetails.OperationFailureDetails == nil ||
		out.ApplicationOperationInfoDetails.OperationFailureDetails.ErrorInfo == nil {
		return ""
	}
	text := aws.ToString(out.ApplicationOperationInfoDetails.OperationFailureDetails.ErrorInfo.ErrorString)
	return ": " + shorten(text)
}

// overdue says, where the time is over, what the application was last seen doing; else it is the error itself.
func (a *application) overdue(ctx context.Context, last types.ApplicationStatus, began time.Time, err error) error {
	if ctx.Err() == nil || last == "" {
		return err
	}
	return fmt.Errorf("application %s is still %s after %s; %s: %w",
		a.name, last, time.Since(began).Round(time.Second), a.look(), ctx.Err())
}
