package runner

import (
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

// An Action is what to do next. A new version is a Stop and, at the next look, a Start.
type Action string

const (
	Nothing Action = "nothing"
	Start   Action = "start"
	Stop    Action = "stop"
)

// Last is what ran last, kept on disk so that a new runner continues where the previous one ended.
type Last struct {
	Spec Spec `json:"spec"`
	// Stopped reports whether the application was stopped since, so that the next start is one that was asked for.
	Stopped bool `json:"stopped"`
	// Lineage is when a job was last started without state or from a named snapshot: older states do not belong to it.
	Lineage time.Time `json:"lineage"`
	// Origin is the state that the lineage started from, empty for none.
	Origin string `json:"origin,omitempty"`
}

// Decide returns the next action, given what should run (nil for nothing), what ran last (nil for nothing yet), whether
// its job is alive, and how long to wait after a failure of the same version.
func Decide(want *Spec, last *Last, alive bool, now, retryAt time.Time) Action {
	switch same := want != nil && last != nil && reflect.DeepEqual(*want, last.Spec); {
	case alive && !same:
		return Stop
	case !alive && want != nil && (!same || !now.Before(retryAt)):
		return Start
	default:
		return Nothing
	}
}

// An origin is where a job takes its state from when it starts.
type origin string

const (
	noState        origin = "none"
	namedSnapshot  origin = "the snapshot that the run configuration names"
	latestSnapshot origin = "the newest snapshot" // if there is one
	ownState       origin = "the newest checkpoint or savepoint of the job itself"
)

// originOf decides where a job starts from. As in the service, a start that was asked for takes a snapshot, never a
// checkpoint: after a forced stop, the job repeats its work since the last snapshot. The run configuration stays with
// the application after it was used, so it counts at such a start and in the version that first has it.
func originOf(want Spec, last *Last) origin {
	asked := last == nil || last.Stopped
	says := asked || want.Restore != last.Spec.Restore || want.Snapshot != last.Spec.Snapshot
	changed := asked || !reflect.DeepEqual(want, last.Spec)
	switch {
	case want.Restore == types.ApplicationRestoreTypeSkipRestoreFromSnapshot && (says || changed && want.NoSnapshots):
		return noState
	case want.Restore == types.ApplicationRestoreTypeRestoreFromCustomSnapshot && says:
		return namedSnapshot
	case asked, changed && last.Spec.NoSnapshots: // an update without a snapshot
		return latestSnapshot
	}
	return ownState
}
