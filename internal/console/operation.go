package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"streamproof/internal/operate"
)

// maxOperations is how many operations are remembered.
const maxOperations = 20

// errBusy reports that another operation changes the stack.
var errBusy = errors.New("another operation is changing the stack: wait until it has ended")

// An Operation is something that takes longer than an answer.
type Operation struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind"`
	State string    `json:"state"` // running, done or failed
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended,omitzero"`
	Steps []Step    `json:"steps"`
	Error string    `json:"error,omitempty"`
	// Result is what the command of the command line prints with --json. The topic leaves it out, because it can be long:
	// HasResult says that GET api/operation?id=ID has it.
	Result    json.RawMessage `json:"result,omitempty"`
	HasResult bool            `json:"hasResult"`
}

// A Step is a step of an operation.
type Step struct {
	Name     string   `json:"name"`
	Progress string   `json:"progress,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	State    string   `json:"state"` // running, done or failed
	Error    string   `json:"error,omitempty"`
	Seconds  float64  `json:"seconds"` // how long it took

	begun time.Time
}

const (
	running = "running"
	done    = "done"
	failed  = "failed"
)

// operations are those of this server, the newest first.
type operations struct {
	topic *topic

	mu      sync.Mutex
	number  int
	all     []*Operation
	changes bool // one runs that changes something
	work    sync.WaitGroup
}

// operationsState is what the topic shows.
type operationsState struct {
	Operations []Operation `json:"operations"`
}

// change changes the operations under the lock, and publishes them.
func (o *operations) change(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
	state := operationsState{Operations: []Operation{}}
	for _, one := range o.all {
		shown := *one
		shown.Steps, shown.Result = slices.Clone(one.Steps), nil
		state.Operations = append(state.Operations, shown)
	}
	o.topic.publish(state)
}

// begin runs an operation. Of those that change something, one runs at a time. A page that goes does not end it.
func (o *operations) begin(ctx context.Context, kind string, changes bool, do func(context.Context, func(string) operate.Step) (any, error)) (id string, err error) {
	o.mu.Lock()
	if changes && o.changes {
		o.mu.Unlock()
		return "", errBusy
	}
	o.changes = o.changes || changes
	o.number++
	one := &Operation{ID: strconv.Itoa(o.number), Kind: kind, State: running, Begun: time.Now().UTC(), Steps: []Step{}}
	o.all = slices.Insert(o.all, 0, one)
	if len(o.all) > maxOperations {
		if last := o.all[len(o.all)-1]; last.State != running {
			o.all = o.all[:len(o.all)-1]
		}
	}
	o.mu.Unlock()
	o.change(func() {})
	o.work.Go(func() {
		result, err := do(ctx, func(name string) operate.Step { return o.step(one, name) })
		var data json.RawMessage
		if result != nil {
			var encodeErr error
			if data, encodeErr = json.Marshal(result); err == nil {
				err = encodeErr
			}
		}
		o.change(func() {
			one.State, one.Ended, one.Result, one.HasResult = done, time.Now().UTC(), data, data != nil
			if err != nil {
				one.State, one.Error = failed, err.Error()
			}
			o.changes = o.changes && !changes
		})
	})
	return one.ID, nil
}

// A step of an operation under way.
type step struct {
	operations *operations
	operation  *Operation
	index      int
}

func (o *operations) step(one *Operation, name string) *step {
	s := &step{operations: o, operation: one}
	o.change(func() {
		s.index = len(one.Steps)
		one.Steps = append(one.Steps, Step{Name: name, State: running, begun: time.Now()})
	})
	return s
}

func (s *step) change(do func(*Step)) {
	s.operations.change(func() { do(&s.operation.Steps[s.index]) })
}

func (s *step) Update(progress string) { s.change(func(one *Step) { one.Progress = progress }) }

func (s *step) Note(text string) {
	s.change(func(one *Step) { one.Notes = append(slices.Clone(one.Notes), text) })
}

func (s *step) End(err error) {
	s.change(func(one *Step) {
		one.State, one.Seconds = done, time.Since(one.begun).Seconds()
		if err != nil {
			one.State, one.Error = failed, err.Error()
		}
	})
}

// start begins an operation for a request, and answers with its ID.
func (s *Server) start(w http.ResponseWriter, kind string, changes bool, do func(context.Context, func(string) operate.Step) (any, error)) {
	if changes && !s.write {
		s.fail(w, http.StatusForbidden, fmt.Errorf("the console is read-only: %s", readOnly))
		return
	}
	id, err := s.operations.begin(s.work, kind, changes, do)
	if err != nil {
		s.fail(w, http.StatusConflict, err)
		return
	}
	s.answer(w, http.StatusAccepted, map[string]string{"id": id})
}

// operation answers with an operation and its result.
func (s *Server) operation(w http.ResponseWriter, r *http.Request) {
	s.operations.mu.Lock()
	defer s.operations.mu.Unlock()
	id := r.URL.Query().Get("id")
	for _, one := range s.operations.all {
		if one.ID == id {
			s.answer(w, http.StatusOK, one)
			return
		}
	}
	s.fail(w, http.StatusNotFound, fmt.Errorf("there is no operation %q", id))
}
