// Package doctor finds out whether a stack can be built, run and deployed from here, before anything is started or
// paid for.
//
// Machine checks this machine, Account an AWS account in one region. Both only read. If something cannot be
// determined, because a service does not answer or denies access, the check is a warning that says so.
package doctor

import (
	"context"
	"sync"
)

// A Result is the result of a check.
type Result string

// The results.
const (
	OK      Result = "ok"
	Warning Result = "warning" // it may work, or is unknown
	Fault   Result = "fault"   // it will not work
)

// A Check is one thing that was checked.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Found  string `json:"found"`           // what was found
	Means  string `json:"means,omitempty"` // what follows from it, unless it is OK
	Do     string `json:"do,omitempty"`    // what to do about it
}

// Worst returns the worst result of the checks, OK if there are none.
func Worst(checks []Check) Result {
	worst := OK
	for _, c := range checks {
		if c.Result == Fault || c.Result == Warning && worst == OK {
			worst = c.Result
		}
	}
	return worst
}

// together runs checks concurrently, because they mostly wait, and returns them in order.
func together(ctx context.Context, checks ...func(context.Context) Check) []Check {
	done := make([]Check, len(checks))
	var group sync.WaitGroup
	for i, check := range checks {
		group.Go(func() { done[i] = check(ctx) })
	}
	group.Wait()
	return done
}
