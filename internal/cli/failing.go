package cli

import (
	"time"

	"streamproof/internal/local"
)

// failing says why the local stack's Flink job fails and restarts again and again; empty where it does not. Of a stack on
// AWS it cannot be seen: its application is RUNNING then, too.
func failing(here *local.Stack) (string, error) {
	if here == nil {
		return "", nil
	}
	job, following, err := here.Job()
	if err != nil || !following {
		return "", err
	}
	return job.Failing(time.Now()), nil
}
