package cli

import (
	"context"
	"errors"
	"time"

	"streamproof/internal/application"
	"streamproof/internal/local"
	"streamproof/internal/stack"
)

// failsAgain tells whether a job that fails has done so too often for another start to mend it. What fails once may run when
// Flink has started it again.
func (w *jobWatch) failsAgain(ctx context.Context) bool {
	err := w.again(ctx)
	if w.here != nil {
		return err != nil
	}
	var job *application.JobError
	return errors.As(err, &job) && job.Again
}

// failing says why the stack's Flink job fails and restarts again and again; empty where it does not. Its application is
// RUNNING then, too. Of a stack on AWS the metrics tell, where the caller may read them.
func failing(ctx context.Context, s *stack.Stack, here *local.Stack) (string, error) {
	if here == nil {
		var job *application.JobError
		if errors.As(s.Restarting(ctx), &job) {
			return job.Error(), nil
		}
		return "", nil
	}
	job, following, err := here.Job()
	if err != nil || !following {
		return "", err
	}
	return job.Failing(time.Now()), nil
}
