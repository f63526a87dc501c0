package runner

import (
	"context"
	"fmt"
	"time"

	"streamproof/internal/local/jsonfile"
)

// A State is how far the runner has got with the application.
type State string

const (
	Stopped  State = "stopped"  // like the application
	Starting State = "starting" // not every task of the job runs yet
	Running  State = "running"  // every task, for two seconds
	Stopping State = "stopping" // waiting for the savepoint
	Waiting  State = "waiting"  // to start again after a failure
)

// Status is what the runner last wrote down.
type Status struct {
	State   State `json:"state"`
	Version int64 `json:"version,omitempty"` // the application's version that runs or ran last
	PID     int   `json:"pid,omitempty"`     // of the JVM
	// Address is that of Flink's REST interface and web page.
	Address      string     `json:"address,omitempty"`
	JobState     string     `json:"jobState,omitempty"`
	RunsSince    *time.Time `json:"runsSince,omitempty"` // every task
	RestoredFrom string     `json:"restoredFrom,omitempty"`
	Starts       int        `json:"starts"`   // of a job, by this runner
	Failures     int        `json:"failures"` // how many of them ended by themselves
	LastError    string     `json:"lastError,omitempty"`
	LastErrorAt  *time.Time `json:"lastErrorAt,omitempty"`
	// JobFailure is the job's last failure, if Flink has restarted it.
	JobFailure   string    `json:"jobFailure,omitempty"`
	JobFailureAt time.Time `json:"jobFailureAt,omitzero"`
	// Refused is why the version's job could not be submitted, empty once it was. StopFailed is why a job could not be
	// stopped with a savepoint.
	Refused      string    `json:"refused,omitempty"`
	RefusedAt    time.Time `json:"refusedAt,omitzero"`
	StopFailed   string    `json:"stopFailed,omitempty"`
	StopFailedAt time.Time `json:"stopFailedAt,omitzero"`
	// Metrics are the job's, by Flink's names. A job that ended by itself and waits for its restart has only some.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

const (
	// failedWithin is longer than Flink waits between two restarts: at most a minute, by default.
	failedWithin = 2 * time.Minute
	// recoversWithin is how long a job has to run after a failure to count as recovered.
	recoversWithin = 15 * time.Second
)

// Failing returns why the job fails and restarts again and again, empty if it does not.
func (s Status) Failing(now time.Time) string {
	switch {
	case s.State == Stopped, s.LastErrorAt == nil, now.Sub(*s.LastErrorAt) > failedWithin:
		return ""
	case s.RunsSince != nil && now.Sub(*s.RunsSince) >= recoversWithin:
		return ""
	default:
		return s.LastError
	}
}

// ReadStatus reads what a runner wrote in dir, the zero Status if there is nothing yet.
func ReadStatus(dir string) (Status, error) {
	var s Status
	_, err := jsonfile.Read(statusFile(dir), &s)
	return s, err
}

// AwaitRunning returns when every task of the version's job runs. If the context ends, its error has the runner's last
// error.
func AwaitRunning(ctx context.Context, dir string, version int64) error {
	for {
		s, err := ReadStatus(dir)
		if err != nil {
			return err
		}
		if s.State == Running && s.Version == version {
			return nil
		}
		select {
		case <-ctx.Done():
			if s.LastError != "" {
				return fmt.Errorf("the Flink job does not run (%s): %s", s.State, s.LastError)
			}
			return fmt.Errorf("the Flink job does not run (%s, job %s): %w", s.State, s.JobState, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
