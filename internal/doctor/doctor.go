// Package doctor finds out whether a stack can be built, run and deployed from here, before anything is started or paid for.
//
// Machine looks at this machine, Account at an AWS account in one region. Both only read: nothing is made, changed or sent but
// for questions. What cannot be known, because a service does not answer or the caller may not ask, is a warning that says so, and
// never taken for good.
package doctor

import (
	"context"
	"sync"
)

// A Result is how a check ended, the worse ones later.
type Result string

// The results.
const (
	OK      Result = "ok"
	Warning Result = "warning" // it may work, or cannot be known
	Fault   Result = "fault"   // it will not work
)

// A Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Found  string `json:"found"`           // what was seen
	Means  string `json:"means,omitempty"` // what follows from it, of one that is not OK
	Do     string `json:"do,omitempty"`    // what to do about it
}

// Worst is the worst result of the checks, OK of none.
func Worst(checks []Check) Result {
	worst := OK
	for _, c := range checks {
		if c.Result == Fault || c.Result == Warning && worst == OK {
			worst = c.Result
		}
	}
	return worst
}

// together makes checks at once, since most of their time goes into waiting, and returns them in order.
func together(ctx context.Context, checks ...func(context.Context) Check) []Check {
	done := make([]Check, len(checks))
	var group sync.WaitGroup
	for i, check := range checks {
		group.Go(func() { done[i] = check(ctx) })
	}
	group.Wait()
	return done
}
