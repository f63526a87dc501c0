package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/application"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
)

// JobFailure says why the stack's Flink job keeps failing and restarting, empty if it does not or if the caller may
// not read the application's metrics. The application is RUNNING all the while.
func (o *Operator) JobFailure(ctx context.Context) (string, error) {
	if o.Local == nil {
		var job *application.JobError
		if errors.As(o.Stack.CheckJob(ctx), &job) {
			return job.Error(), nil
		}
		return "", nil
	}
	job, following, err := o.Local.Job()
	if err != nil || !following {
		return "", err
	}
	return job.Failing(time.Now()), nil
}

// explainJob adds what the job of a local stack failed with to an application's error that does not say it.
func (o *Operator) explainJob(err error) error {
	var failed *application.JobError
	if o.Local == nil || !errors.As(err, &failed) || failed.Says != "" {
		return err
	}
	job, _, jobErr := o.Local.Job()
	if jobErr != nil || job.LastError == "" {
		return err
	}
	failed.Says = job.LastError
	return &local.LogError{Err: err, Log: o.Local.JobLog()}
}

const (
	// mostFailures is how many failures of a job are too many: one that fails once may run when Flink restarts it.
	mostFailures = 2
	// mostEchoes is how many there may be as long as each of them is an echo.
	mostEchoes = 6
	// echo is what the source reports when the query failed in the same task a moment before.
	echo = "java.util.concurrent.RejectedExecutionException"
)

// A jobWatch sees whether a job fails: by the application's metrics on AWS, and by the runner's status, which is
// sooner, on a local stack.
type jobWatch struct {
	*Operator
	deaths int       // of a JVM, before the watch
	lastAt time.Time // the last failure that was seen
	seen   int
	causes []string
}

func (o *Operator) watchJob() (*jobWatch, error) {
	w := &jobWatch{Operator: o}
	if o.Local == nil {
		return w, nil
	}
	job, _, err := o.Local.Job()
	w.deaths = job.Failures
	if job.LastErrorAt != nil {
		w.lastAt = *job.LastErrorAt
	}
	return w, err
}

// check returns an error that says why the job fails, once it has failed too often.
func (w *jobWatch) check(ctx context.Context) error {
	if w.Local == nil {
		return w.Stack.CheckJob(ctx)
	}
	job, _, err := w.Local.Job()
	if err != nil {
		return err
	}
	return w.look(job)
}

// failsAgain reports whether the job has failed too often for another restart to help.
func (w *jobWatch) failsAgain(ctx context.Context) bool {
	err := w.check(ctx)
	if w.Local != nil {
		return err != nil
	}
	var job *application.JobError
	return errors.As(err, &job) && job.Again
}

func (w *jobWatch) look(job runner.Status) error {
	if job.LastErrorAt != nil && job.LastErrorAt.After(w.lastAt) {
		w.lastAt = *job.LastErrorAt
		w.seen++
		cause := strings.TrimPrefix(job.LastError, "the job is RESTARTING: ")
		if !strings.HasPrefix(cause, echo) && !slices.Contains(w.causes, cause) {
			w.causes = append(w.causes, cause)
		}
	}
	seen := max(w.seen, job.Failures-w.deaths)
	switch {
	case seen < mostFailures, len(w.causes) == 0 && seen < mostEchoes:
		return nil
	case len(w.causes) == 0:
		w.causes = append(w.causes, job.LastError)
	}
	return fmt.Errorf("the job keeps failing: %s", strings.Join(w.causes, "; and: "))
}
