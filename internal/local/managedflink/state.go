package managedflink

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
)

// A kind is an operation, by the name of its action.
type kind string

const (
	start    kind = "StartApplication"
	stop     kind = "StopApplication"
	update   kind = "UpdateApplication"
	rollback kind = "RollbackApplication"
)

type operation struct {
	ID         string                `json:"id"`
	Kind       kind                  `json:"kind"`
	Force      bool                  `json:"force,omitempty"` // of a stop
	Status     types.OperationStatus `json:"status"`
	Start      time.Time             `json:"start"`
	End        time.Time             `json:"end,omitzero"`
	Error      string                `json:"error,omitempty"`
	RollbackID string                `json:"rollbackId,omitempty"`
	From       int64                 `json:"from,omitempty"` // versions, of an update
	To         int64                 `json:"to,omitempty"`
	// Snapshot is the one that the emulator notes for a stop, before there is a savepoint.
	Snapshot string `json:"snapshot,omitempty"`
}

// An application is what the emulator's description of one leaves out.
type application struct {
	Known      bool         `json:"known"`      // it exists, and was not only asked about
	Operations []*operation `json:"operations"` // newest last
	// Good is the newest version that has started, as the emulator describes it; Before is the good one before it.
	Good   *types.ApplicationDetail `json:"good,omitempty"`
	Before *types.ApplicationDetail `json:"before,omitempty"`

	logged   time.Time // the failure that was last written to the log
	measured time.Time // when the metrics were last published
}

// begin starts an operation. It cancels one that is in progress.
func (a *application) begin(k kind) *operation {
	if o := a.current(); o != nil {
		o.end(types.OperationStatusCancelled, "")
	}
	o := &operation{ID: rand.Text(), Kind: k, Status: types.OperationStatusInProgress, Start: time.Now()}
	a.Operations = append(a.Operations, o)
	return o
}

func (o *operation) end(status types.OperationStatus, why string) {
	o.Status, o.Error, o.End = status, why, time.Now()
}

// current is the operation in progress, nil if there is none.
func (a *application) current() *operation {
	if n := len(a.Operations); n > 0 && a.Operations[n-1].Status == types.OperationStatusInProgress {
		return a.Operations[n-1]
	}
	return nil
}

func (a *application) operation(id string) *operation {
	if i := slices.IndexFunc(a.Operations, func(o *operation) bool { return o.ID == id }); i >= 0 {
		return a.Operations[i]
	}
	return nil
}

// status derives the application's status. The emulator's ignores its job.
func (a *application) status(emulated types.ApplicationStatus) types.ApplicationStatus {
	o := a.current()
	switch {
	case o == nil && emulated == types.ApplicationStatusReady:
		return emulated
	case o == nil:
		return types.ApplicationStatusRunning
	}
	switch o.Kind {
	case start:
		return types.ApplicationStatusStarting
	case update:
		return types.ApplicationStatusUpdating
	case rollback:
		return types.ApplicationStatusRollingBack
	}
	if o.Force {
		return types.ApplicationStatusForceStopping
	}
	return types.ApplicationStatusStopping
}

// firstLine keeps an error short, as the service does.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
