package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"streamproof/internal/draft"
	"streamproof/internal/flow"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/tail"
)

// A Stack says which stack a console shows.
type Stack struct {
	Name   string
	Region string
	Local  bool
	// Open finds the stack; it is called again whenever the stack has gone. The second result is the same stack on this
	// machine, nil for one on AWS.
	Open func(context.Context) (*stack.Stack, *local.Stack, error)
	// Plan has Flink plan a query.
	Plan func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error)
	// Deploy deploys the template with these parameters changed. It is nil for a stack on AWS, which SAM deploys.
	Deploy func(ctx context.Context, parameters map[string]string, step func(string) operate.Step) error
	// Folder is the project's pipeline folder, where a schema is saved; empty outside of a project. Deployment are the
	// commands that bring what is there to the stack.
	Folder     string
	Deployment []string
	// Wait is how long to wait between two looks, 0 for as long as the stack's changes take. Tests set it.
	Wait time.Duration
}

// ServeStack serves the console of a stack until it is closed.
func ServeStack(c Stack, o Options) (*Server, error) {
	s := &stackSubject{Stack: c, wake: make(chan struct{}, 1), planning: make(chan struct{}, 1)}
	s.looks = &topic{name: "looks", read: s.look}
	s.records = &topic{name: "records", read: s.readRecords, merge: mergeBursts}
	s.tail = &topic{name: "tail", read: s.readTail, merge: mergeTails}
	s.flow = &topic{name: "flow", read: s.readFlow}
	s.report = &topic{name: "report", read: s.readReport}
	return serve(s, o)
}

// A stackSubject shows a stack.
type stackSubject struct {
	Stack

	looks   *topic // of *look: what flow and report are made of
	records *topic // of *tail.Burst
	flow    *topic
	report  *topic
	tail    *topic        // of *tail.Batch
	wake    chan struct{} // holds an element if something has just changed

	mu       sync.Mutex
	stack    *stack.Stack // nil while it is gone
	here     *local.Stack
	pipeline *pipeline.Pipeline // the last one that was read of it
	planning chan struct{}      // holds an element while Flink plans a query
	sampling sync.Mutex         // one sample of the stream is taken at a time
	sample   *draft.Sample      // the last one, nil before the first
}

// A look is one at the stack, or why there was none.
type look struct {
	*flow.Look
	err error
	at  time.Time
}

func (s *stackSubject) about() About {
	return About{
		Program: "streamproof", Kind: "stack", Stack: s.Name, Region: s.Region, Local: s.Local,
		Views: []string{"flow", "proof", "sql", "stream", "schema", "delivery"}, MaxRecords: producer.MaxRecords,
	}
}

func (s *stackSubject) topics() []*topic { return []*topic{s.flow, s.report, s.tail} }

// open returns the stack, looking for it if it has gone.
func (s *stackSubject) open(ctx context.Context) (*stack.Stack, *local.Stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stack != nil {
		return s.stack, s.here, nil
	}
	found, here, err := s.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	s.stack, s.here = found, here
	return found, here, nil
}

// gone forgets a stack that does not answer. Another may be found in its place.
func (s *stackSubject) gone(lost *stack.Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stack == lost {
		s.stack, s.here, s.pipeline = nil, nil, nil
	}
}

// changed has the stack looked at soon.
func (s *stackSubject) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pause waits until it is time for the next look.
func (s *stackSubject) pause(ctx context.Context, every time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.wake:
	case <-time.After(cmp.Or(s.Wait, every)):
	}
	return true
}

// retryEvery is how soon a stack that does not answer is asked again.
const retryEvery = 5 * time.Second

// look looks at the stack for all topics that are made of it.
func (s *stackSubject) look(ctx context.Context, publish func(any)) {
	var watcher *flow.Watcher
	var of *stack.Stack
	count := func() {}
	defer func() { count() }()
	for {
		every := retryEvery
		found, here, err := s.open(ctx)
		if err == nil && found != of {
			count()
			watcher, of, count = flow.NewWatcher(found, here), found, func() {}
			if here != nil { // on AWS, CloudWatch has counted them
				watcher.Meter, count = s.meter()
			}
		}
		seen := &look{err: err, at: time.Now()}
		if err == nil {
			if seen.Look, seen.err = watcher.Look(ctx); seen.err == nil {
				every = watcher.Every()
			} else {
				s.gone(found)
				of = nil
			}
		}
		if ctx.Err() != nil {
			return
		}
		if seen.err == nil && seen.Status.Query != nil {
			s.outdate(seen.Status.Query.Pipeline)
		}
		publish(seen)
		if !s.pause(ctx, every) {
			return
		}
	}
}

// meter counts the records of the stream until the function that it returns is called.
func (s *stackSubject) meter() (*flow.Meter, func()) {
	m := flow.NewMeter(time.Now())
	ctx, stop := context.WithCancel(context.Background())
	go s.records.each(ctx, func(value any) {
		now := time.Now()
		for id, shard := range value.(*tail.Burst).Shards {
			m.Add(id, now, shard.Records, shard.Bytes)
		}
	})
	return m, stop
}

// readRecords reads the stream for all topics that are made of its records.
func (s *stackSubject) readRecords(ctx context.Context, publish func(any)) {
	for ctx.Err() == nil {
		found, here, err := s.open(ctx)
		if err == nil {
			reader := found.Reader()
			if here != nil { // no other reader suffers
				reader.Interval, reader.PageBytes = tail.LocalInterval, 0
			}
			err = tail.Follow(ctx, reader, func(b *tail.Burst) { publish(b) })
		}
		if err != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(cmp.Or(s.Wait, retryEvery)):
			}
		}
	}
}

func (s *stackSubject) readFlow(ctx context.Context, publish func(any)) {
	var last *flow.Flow
	s.looks.each(ctx, func(value any) {
		seen := value.(*look)
		if seen.err != nil {
			publish(last.Gone(seen.err, seen.at))
			return
		}
		last = seen.Flow
		publish(last)
	})
}

// Reported is the report that a console shows, with what its page says in words.
type Reported struct {
	Report  *report.Report  `json:"report"`
	Summary *report.Summary `json:"summary"`
}

func reported(r *report.Report) Reported {
	if r == nil {
		return Reported{}
	}
	summary := r.Summary()
	return Reported{r, &summary}
}

// readReport publishes the report when it is another one.
func (s *stackSubject) readReport(ctx context.Context, publish func(any)) {
	var last *report.Report
	first := true
	s.looks.each(ctx, func(value any) {
		seen := value.(*look)
		if seen.err != nil {
			return
		}
		r := seen.Status.Last
		if same := (r == nil) == (last == nil) && (r == nil || r.JudgedAt.Equal(last.JudgedAt) && r.Key == last.Key); same && !first {
			return
		}
		first, last = false, r
		publish(reported(r))
	})
}

// operator operates the stack, showing its steps.
func (s *stackSubject) operator(ctx context.Context, step func(string) operate.Step) (*operate.Operator, error) {
	found, here, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return &operate.Operator{Stack: found, Local: here, Step: step}, nil
}

// operate makes a route of an operation. Its request is read into what ask returns.
func operation[In any](s *Server, subject *stackSubject, kind string, changes bool, do func(context.Context, *operate.Operator, *In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if !s.read(w, r, &in) {
			return
		}
		s.start(w, kind, changes, func(ctx context.Context, step func(string) operate.Step) (any, error) {
			defer subject.changed()
			o, err := subject.operator(ctx, step)
			if err != nil {
				return nil, err
			}
			return do(ctx, o, &in)
		})
	}
}

// stepped does something as a step.
func stepped(o *operate.Operator, name string, do func() error) error {
	st := o.Step(name)
	err := do()
	st.End(err)
	return err
}

func (s *stackSubject) routes(server *Server, mux *http.ServeMux) {
	s.queryRoutes(server, mux)
	s.objectRoutes(server, mux)
	s.schemaRoutes(server, mux)
	mux.HandleFunc("POST /api/verify", operation(server, s, "verify", true, verify))
	mux.HandleFunc("POST /api/explain", operation(server, s, "explain", false, explainLatest))
	mux.HandleFunc("POST /api/accept", operation(server, s, "accept", true, accept))
	mux.HandleFunc("POST /api/produce", operation(server, s, "produce", true, produce))
	mux.HandleFunc("POST /api/repair/plan", operation(server, s, "repair plan", false, planRepair))
	mux.HandleFunc("POST /api/repair", operation(server, s, "repair", true, doRepair))
	mux.HandleFunc("POST /api/delivery", operation(server, s, "delivery", true, s.reshape))
	mux.HandleFunc("POST /api/pause", operation(server, s, "pause", true, pause))
	mux.HandleFunc("POST /api/resume", operation(server, s, "resume", true, resume))
}

type verifyRequest struct {
	Full bool `json:"full"`
}

func verify(ctx context.Context, o *operate.Operator, in *verifyRequest) (r any, err error) {
	err = stepped(o, "verify", func() error {
		judge := o.Stack.Verify
		if in.Full {
			judge = o.Stack.VerifyFull
		}
		_, r, err = judge(ctx)
		return err
	})
	return r, err
}

type noRequest struct{}

func explainLatest(ctx context.Context, o *operate.Operator, _ *noRequest) (any, error) {
	r, err := o.Stack.LatestReport(ctx)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errors.New("there is no report yet: verify first")
	}
	return o.Explain(ctx, r)
}

// complete checks a choice of findings, and names who accepts them if the page does not.
func complete(in *report.Choice) error {
	if in.Who == "" {
		me, err := user.Current()
		if err != nil {
			return fmt.Errorf("cannot determine who accepts this (%w): give a name", err)
		}
		in.Who = me.Username
	}
	return in.Check()
}

// accept judges first, so that only findings that exist can be accepted.
func accept(ctx context.Context, o *operate.Operator, in *report.Choice) (after any, err error) {
	if err := complete(in); err != nil {
		return nil, err
	}
	var before *report.Report
	var found []proof.Group
	err = stepped(o, "verify", func() error {
		before, found, err = o.Stack.Findings(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = stepped(o, "accept", func() error {
		acceptance, findings, err := before.Choose(found, *in, time.Now())
		if err != nil {
			return err
		}
		return o.Stack.Accept(ctx, acceptance, findings)
	})
	if err != nil {
		return nil, err
	}
	return verify(ctx, o, &verifyRequest{})
}

type produceRequest struct {
	Records int `json:"records"`
	Poison  int `json:"poison"`
	// Key is the partition key of this tick, empty for the stack's.
	Key string `json:"key"`
}

func produce(ctx context.Context, o *operate.Operator, in *produceRequest) (answer any, err error) {
	if err := producer.CheckRecords(in.Records, in.Poison); err != nil {
		return nil, err
	}
	err = stepped(o, fmt.Sprintf("send a tick of %d records", in.Records), func() error {
		_, answer, err = o.Stack.ProduceBy(ctx, time.Now().Truncate(time.Millisecond), in.Records, in.Poison, in.Key)
		return err
	})
	return answer, err
}

type pauseRequest struct {
	Force bool `json:"force"`
}

func pause(ctx context.Context, o *operate.Operator, in *pauseRequest) (any, error) {
	r, err := o.Pause(ctx, in.Force)
	return orNil(r), err
}

func resume(ctx context.Context, o *operate.Operator, _ *noRequest) (any, error) {
	r, err := o.Resume(ctx)
	return orNil(r), err
}

// orNil keeps a pointer to nothing from becoming a result.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

type repairRequest struct {
	Classes []proof.Class `json:"classes"`
	// MarginSeconds is by how much the delivery deadline has to be over, nil for operate.RepairMargin.
	MarginSeconds *float64 `json:"marginSeconds"`
}

// repairable are the classes that a repair takes.
var repairable = append([]proof.Class{proof.Missing, proof.Failed}, repair.Classes...)

func (in *repairRequest) order(write bool) (operate.RepairOrder, error) {
	order := operate.RepairOrder{Classes: in.Classes, Margin: operate.RepairMargin, Write: write}
	if len(in.Classes) == 0 {
		return order, errors.New("nothing to repair: name classes")
	}
	for _, class := range in.Classes {
		if !slices.Contains(repairable, class) {
			return order, fmt.Errorf("%q cannot be repaired: name %s", class, strings.Join(texts(repairable), ", "))
		}
	}
	if in.MarginSeconds != nil {
		order.Margin = time.Duration(*in.MarginSeconds * float64(time.Second))
	}
	if order.Margin < 0 {
		return order, fmt.Errorf("the margin is %s, want 0s or more", order.Margin)
	}
	return order, nil
}

func texts(classes []proof.Class) (all []string) {
	for _, class := range classes {
		all = append(all, string(class))
	}
	return all
}

func planRepair(ctx context.Context, o *operate.Operator, in *repairRequest) (any, error) {
	return repairWith(ctx, o, in, false)
}

func doRepair(ctx context.Context, o *operate.Operator, in *repairRequest) (any, error) {
	return repairWith(ctx, o, in, true)
}

func repairWith(ctx context.Context, o *operate.Operator, in *repairRequest, write bool) (any, error) {
	order, err := in.order(write)
	if err != nil {
		return nil, err
	}
	r, err := o.Repair(ctx, order)
	return orNil(r), err
}

// A reshapeRequest says what the delivered objects are to look like: parameters of the template, by name.
type reshapeRequest struct {
	Parameters map[string]string `json:"parameters"`
}

// shapes are the parameters that a page may change: those of the objects' shape, which the verifier judges together.
var shapes = []string{"OutputFormat", "Compression", "Transform"}

func (s *stackSubject) reshape(ctx context.Context, o *operate.Operator, in *reshapeRequest) (any, error) {
	if len(in.Parameters) == 0 {
		return nil, errors.New("nothing to change: name parameters")
	}
	var set []string
	for _, name := range slices.Sorted(maps.Keys(in.Parameters)) {
		if !slices.Contains(shapes, name) {
			return nil, fmt.Errorf("%q is not changed from here: name %s", name, strings.Join(shapes, ", "))
		}
		set = append(set, name+"="+in.Parameters[name])
	}
	if s.Deploy == nil {
		return nil, fmt.Errorf("the console does not deploy to AWS: sam deploy --stack-name %s --region %s --parameter-overrides %s",
			s.Name, s.Region, strings.Join(set, " "))
	}
	before, err := o.Stack.Book().Current(ctx)
	if err != nil {
		return nil, err
	}
	err = s.Deploy(ctx, in.Parameters, o.Step)
	s.gone(o.Stack) // its outputs and parameters are of the deploy before
	if err != nil || before == nil || before.By != ledger.BySQLRun {
		return nil, err
	}
	found, _, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	now, err := found.Book().Current(ctx)
	if err != nil || now == nil || now.Pipeline == before.Pipeline {
		return nil, err
	}
	return reshaped{"The application runs " + found.Outputs.Query + "."}, nil
}

// A reshaped says what else a deploy has changed: the query that a person had set.
type reshaped struct {
	Query string `json:"query"`
}
