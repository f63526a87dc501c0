package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"streamproof/internal/discover"
	"streamproof/internal/draft"
	"streamproof/internal/generator"
	"streamproof/internal/operate"
	"streamproof/internal/sample"
	"streamproof/internal/schema"
)

// A Schema is what a draft begins with, and how it would be saved.
type Schema struct {
	Schema schema.Schema `json:"schema"`
	// File is where it is from, and where a draft is saved. If it is empty, Problem says why; Project reports whether the
	// console was started in one.
	File    string `json:"file,omitempty"`
	Project bool   `json:"project"`
	Problem string `json:"problem,omitempty"`
	// Text is the file, and Running what the stack has: they differ until the file is deployed. So do the queries.
	Text       string `json:"text"`
	Running    string `json:"running"`
	SQL        string `json:"sql"`
	RunningSQL string `json:"runningSQL"`
	// Deploy are the commands that bring the file to the stack.
	Deploy []string `json:"deploy"`
	// Sample is the source of the last sample, empty before the first.
	Sample string `json:"sample,omitempty"`
}

func (s *stackSubject) schemaRoutes(server *Server, mux *http.ServeMux) {
	mux.HandleFunc("GET /api/schema", server.asked(func(r *http.Request) (any, error) { return s.showSchema(r.Context()) }))
	mux.HandleFunc("POST /api/schema/check", func(w http.ResponseWriter, r *http.Request) {
		var in draftRequest
		if !server.read(w, r, &in) {
			return
		}
		checked, err := s.checkDraft(r.Context(), &in)
		if err != nil {
			server.fail(w, http.StatusBadGateway, err)
			return
		}
		server.answer(w, http.StatusOK, checked)
	})
	mux.HandleFunc("POST /api/discover", operation(server, s, "discover", false, s.discover))
	mux.HandleFunc("POST /api/schema", operation(server, s, "schema", true, s.saveDraft))
}

// errNoProject says why a schema cannot be saved.
var errNoProject = errors.New("the console was not started in the project's directory: start it there to save a schema")

// base is what a draft begins with. If it is not the project's, the second result says why.
func (s *stackSubject) base(ctx context.Context) (base *draft.Base, why error, err error) {
	if why = errNoProject; s.Folder != "" {
		if base, why = draft.Open(s.Folder); why == nil {
			return base, nil, nil
		}
	}
	running, err := s.runningPipeline(ctx)
	if err != nil {
		return nil, nil, err
	}
	return &draft.Base{Pipeline: running}, why, nil
}

func (s *stackSubject) showSchema(ctx context.Context) (*Schema, error) {
	running, err := s.runningPipeline(ctx)
	if err != nil {
		return nil, err
	}
	base, why, err := s.base(ctx)
	if err != nil {
		return nil, err
	}
	shown := &Schema{
		Schema: base.Schema, Text: string(base.SchemaJSON), Running: string(running.SchemaJSON), SQL: string(base.SQL), RunningSQL: string(running.SQL),
		Deploy: s.Deployment, Project: s.Folder != "",
	}
	if shown.Deploy == nil {
		shown.Deploy = []string{}
	}
	if why != nil {
		shown.Problem = why.Error()
	} else {
		shown.File = base.File()
	}
	if taken := s.taken(); taken != nil {
		shown.Sample = taken.Source
	}
	return shown, nil
}

// taken is the last sample, nil before the first.
func (s *stackSubject) taken() *draft.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sample
}

type draftRequest struct {
	Schema json.RawMessage `json:"schema"` // as schema.json, faults and all
	Rename bool            `json:"rename"` // in the query
	Plan   bool            `json:"plan"`   // have Flink plan the query, too, which takes seconds
	// Base is the hash of the pipeline that the draft was checked against. Saving needs it.
	Base string `json:"base"`
}

func (in *draftRequest) draft() draft.Draft { return draft.Draft{Schema: in.Schema, Rename: in.Rename} }

// checkDraft says what a schema that somebody is editing reads of the sample, and does to the query.
func (s *stackSubject) checkDraft(ctx context.Context, in *draftRequest) (*draft.Checked, error) {
	base, _, err := s.base(ctx)
	if err != nil {
		return nil, err
	}
	checked := base.Check(in.draft(), s.taken())
	if checked.Pipeline == nil {
		return checked, nil
	}
	found, _, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if key := found.Parameter("PartitionKey"); found.Outputs.Produces() && key != "" && key != generator.Uniform && checked.Pipeline.Schema.Index(key) < 0 {
		checked.Notes = append(checked.Notes, fmt.Sprintf("the stack's PartitionKey is %s, which is no column of this schema: deploy it with another one", key))
	}
	if !in.Plan {
		return checked, nil
	}
	return checked, s.plan(ctx, checked.Effect.Checked, checked.Pipeline)
}

type discoverRequest struct {
	Records int  `json:"records"`
	Seconds int  `json:"seconds"`
	Latest  bool `json:"latest"`
	// Schema is what a person has written so far, which is kept; empty to keep nothing.
	Schema json.RawMessage `json:"schema"`
}

// The sample of discover, as on the command line.
const (
	usualRecords, mostRecords = 1000, 100_000
	usualSeconds, mostSeconds = 10, 300
)

func (s *stackSubject) discover(ctx context.Context, o *operate.Operator, in *discoverRequest) (any, error) {
	if in.Records == 0 {
		in.Records = usualRecords
	}
	if in.Seconds == 0 {
		in.Seconds = usualSeconds
	}
	if in.Records < 1 || in.Records > mostRecords || in.Seconds < 1 || in.Seconds > mostSeconds {
		return nil, fmt.Errorf("%d records and %d seconds are asked for: give 1 to %d and 1 to %d", in.Records, in.Seconds, mostRecords, mostSeconds)
	}
	var current *schema.Schema
	if len(in.Schema) > 0 {
		parsed, err := schema.Parse(in.Schema)
		if err != nil {
			return nil, fmt.Errorf("what is to be kept is no schema: %w", err)
		}
		current = &parsed
	}
	if !s.sampling.TryLock() {
		return nil, errors.New("a sample is being taken already: wait for that one")
	}
	defer s.sampling.Unlock()
	name := o.Stack.Outputs.StreamName
	var read *sample.Sample
	err := stepped(o, "sample stream "+name, func() (err error) {
		read, err = o.Stack.Sample(ctx, sample.Options{Records: in.Records, For: time.Duration(in.Seconds) * time.Second, Latest: in.Latest})
		if err == nil && len(read.Records) == 0 {
			err = fmt.Errorf("it gave no record in %d s: send some first", in.Seconds)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	taken := draft.Sample{Source: read.Source(name), Records: read.Records}.Keep()
	s.mu.Lock()
	s.sample = taken
	s.mu.Unlock()
	found, err := draft.Discover(taken.Source, read.Records, discover.Options{})
	if err != nil {
		return nil, err
	}
	if current != nil {
		_ = found.Combine(schema.File, *current) // a note says so if it describes other data
	}
	if found.Merge == nil { // the query reads it by its name
		base, _, err := s.base(ctx)
		if err != nil {
			return nil, err
		}
		found.Schema.Source = base.Schema.Source
	}
	return found, nil
}

// savedDraft is what was saved, and how it is deployed.
type savedDraft struct {
	*draft.Saved
	Deploy []string `json:"deploy"`
}

func (s *stackSubject) saveDraft(ctx context.Context, o *operate.Operator, in *draftRequest) (any, error) {
	base, why, err := s.base(ctx)
	if err == nil {
		err = why
	}
	if err != nil {
		return nil, err
	}
	var saved *draft.Saved
	err = stepped(o, "write "+base.File(), func() error {
		saved, err = base.Save(in.draft(), in.Base)
		return err
	})
	if err != nil {
		return nil, err
	}
	return savedDraft{saved, s.Deployment}, nil
}
