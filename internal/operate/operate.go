package operate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"streamproof/internal/local"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

const (
	// DeliveryMargin is added to the delivery deadline of rows that are waited for, because others arrive beside them.
	DeliveryMargin = time.Minute

	pollInterval = 2 * time.Second
	timeFormat   = "2006-01-02 15:04:05.000Z"
)

// An Operator operates one stack.
type Operator struct {
	Stack *stack.Stack
	// Local is the same stack on this machine, which says more about its Flink job. It is nil for a stack on AWS.
	Local *local.Stack
	// Step, if set, is called when a step begins.
	Step func(name string) Step
}

// A Step is a step of an operation that is under way.
type Step interface {
	// Update says how far the step is.
	Update(progress string)
	// Note says something that the user should be able to read afterwards.
	Note(text string)
	// End says that the step is done, or why it failed.
	End(err error)
}

type silentStep struct{}

func (silentStep) Update(string) {}
func (silentStep) Note(string)   {}
func (silentStep) End(error)     {}

func (o *Operator) begin(name string) Step {
	if o.Step == nil {
		return silentStep{}
	}
	return o.Step(name)
}

// step reports what do does as a step.
func (o *Operator) step(name string, do func() error) error {
	st := o.begin(name)
	err := do()
	st.End(err)
	return err
}

// An InputError is a fault in what the caller asked for. Nothing was changed.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// A Result says what Pause or Resume did.
type Result struct {
	Stack       string            `json:"stack"`
	Schedule    stack.Schedule    `json:"schedule"`
	Application stack.Application `json:"application"`
	// Did says in sentences what was done, and what did not need doing.
	Did []string `json:"did"`
	// Report is the last verification before the application was stopped.
	Report *report.Report `json:"report,omitempty"`
}

func (r *Result) did(format string, args ...any) {
	r.Did = append(r.Did, fmt.Sprintf(format, args...))
}

// finish adds the state that schedule and application are in at the end.
func (o *Operator) finish(ctx context.Context, r *Result) (_ *Result, err error) {
	if r.Schedule, err = o.Stack.Schedule(ctx); err != nil {
		return nil, err
	}
	if r.Application, err = o.Stack.Application(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// runningQuery returns the query that the ledger names, nil for a stack whose version does not record it.
func (o *Operator) runningQuery(ctx context.Context) (*stack.Query, error) {
	q, err := o.Stack.Query(ctx)
	if errors.Is(err, stack.ErrNotUsable) {
		return nil, nil
	}
	return q, err
}

// Wait waits until it is time to look at a stack again.
func Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollInterval):
		return nil
	}
}
