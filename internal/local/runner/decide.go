package runner

import (
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

// An Action is the next thing to do. A new version is a Stop and, at the next look, a Start.
type Action string

const (
	Nothing Action = "nothing"
	Start   Action = "start"
	Stop    Action = "stop" // with a savepoint, unless snapshots are off
)

// Last is what ran last, kept on disk so that a new runner goes on where another one ended.
type Last struct {
	Spec Spec `json:"spec"`
	// Stopped says that the application was stopped after it, so that the next start is one that somebody asked for.
	Stopped bool `json:"stopped"`
	// Lineage is when a job was last started without state or from a snapshot by name: older states do not belong to it.
	Lineage time.Time `json:"lineage"`
	// Origin is the state that the lineage began from, empty for none.
	Origin string `json:"origin,omitempty"`
}

// Decide says what to do, given what should run (nil for nothing), what ran last (nil for nothing yet), whether its job
// still lives, and until when to wait after a failure of that same version.
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

// startsAnew tells whether the job starts without state. The run configuration stays with the application after it was
// honoured, so it asks for that only at a start that somebody asked for, or in the version that first says it. And there is
// none after a job that was stopped without a snapshot; one that died goes on from its checkpoint.
func startsAnew(want Spec, last *Last) bool {
	return last == nil ||
		last.Spec.NoSnapshots && (last.Stopped || !reflect.DeepEqual(want, last.Spec)) ||
		want.Restore == types.ApplicationRestoreTypeSkipRestoreFromSnapshot && (last.Stopped || last.Spec.Restore != want.Restore)
}

// startsFromSnapshot tells whether the job starts from the snapshot that the run configuration names, in the same way.
func startsFromSnapshot(want Spec, last *Last) bool {
	return want.Restore == types.ApplicationRestoreTypeRestoreFromCustomSnapshot &&
		(last == nil || last.Stopped || last.Spec.Restore != want.Restore || last.Spec.Snapshot != want.Snapshot)
}
