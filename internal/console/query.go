package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/objects"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// A Query is the query that runs, with what an editor completes.
type Query struct {
	*operate.ShownQuery
	Source    string   `json:"source"` // the name of the stream in the query
	Columns   []Column `json:"columns"`
	Functions []string `json:"functions"` // of the legacy dialect, and those that both have
}

// A Column is one of the source's.
type Column struct {
	Name     string `json:"name"`
	Alias    string `json:"alias"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
}

func columnsOf(s schema.Schema) []Column {
	all := []Column{}
	for _, c := range s.Columns {
		all = append(all, Column{c.Name, c.Alias, c.Type.String(), c.Nullable})
	}
	return all
}

// objectRoutes show what is in the bucket.
func (s *stackSubject) objectRoutes(server *Server, mux *http.ServeMux) {
	mux.HandleFunc("GET /api/objects", server.asked(func(r *http.Request) (any, error) {
		found, _, err := s.open(r.Context())
		if err != nil {
			return nil, err
		}
		return objects.List(r.Context(), found, r.URL.Query().Get("prefix"), r.URL.Query().Get("after"))
	}))
	mux.HandleFunc("GET /api/object", server.asked(func(r *http.Request) (any, error) {
		found, _, err := s.open(r.Context())
		if err != nil {
			return nil, err
		}
		return objects.Read(r.Context(), found, r.URL.Query().Get("key"))
	}))
}

func (s *stackSubject) queryRoutes(server *Server, mux *http.ServeMux) {
	mux.HandleFunc("GET /api/query", server.asked(func(r *http.Request) (any, error) {
		found, _, err := s.open(r.Context())
		if err != nil {
			return nil, err
		}
		shown, p, err := operate.ShowQuery(r.Context(), found)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.pipeline = p
		s.mu.Unlock()
		return Query{shown, p.Schema.Source, columnsOf(p.Schema), dialect.Functions()}, nil
	}))
	mux.HandleFunc("GET /api/query/versions", server.asked(func(r *http.Request) (any, error) {
		found, _, err := s.open(r.Context())
		if err != nil {
			return nil, err
		}
		return operate.Versions(r.Context(), found)
	}))
	mux.HandleFunc("POST /api/query/check", func(w http.ResponseWriter, r *http.Request) {
		var in checkRequest
		if !server.read(w, r, &in) {
			return
		}
		checked, err := s.check(r.Context(), &in)
		if err != nil {
			server.fail(w, http.StatusBadGateway, err)
			return
		}
		server.answer(w, http.StatusOK, checked)
	})
	mux.HandleFunc("POST /api/query/run", operation(server, s, "query", true, s.runQuery))
}

type checkRequest struct {
	SQL  string `json:"sql"`
	Plan bool   `json:"plan"` // have Flink plan it, too, which takes seconds
}

// check says what is wrong with a query that somebody is typing.
func (s *stackSubject) check(ctx context.Context, in *checkRequest) (*operate.Checked, error) {
	running, err := s.runningPipeline(ctx)
	if err != nil {
		return nil, err
	}
	p, err := pipeline.ParseWithSamples(running.SchemaJSON, []byte(in.SQL), running.Samples)
	if err != nil {
		return nil, err
	}
	checked := operate.Check(p)
	if !in.Plan {
		return checked, nil
	}
	return checked, s.plan(ctx, checked, p)
}

// plan has Flink plan a query that was checked, where there is a Flink.
func (s *stackSubject) plan(ctx context.Context, checked *operate.Checked, p *pipeline.Pipeline) error {
	if s.Plan == nil {
		return nil
	}
	// A JVM takes half a gigabyte. One that nobody waits for any more has ended with its request.
	select {
	case s.planning <- struct{}{}:
		defer func() { <-s.planning }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return checked.Plan(ctx, p, s.Plan)
}

// runningPipeline is the pipeline that the last look at the query has shown. Typing must not read it again.
func (s *stackSubject) runningPipeline(ctx context.Context) (*pipeline.Pipeline, error) {
	s.mu.Lock()
	p := s.pipeline
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	found, _, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	q, err := found.Query(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipeline = q.Pipeline
	return q.Pipeline, nil
}

type runRequest struct {
	SQL     string `json:"sql"`
	Records int    `json:"records"`
	Force   bool   `json:"force"`
}

func (s *stackSubject) runQuery(ctx context.Context, o *operate.Operator, in *runRequest) (any, error) {
	if strings.TrimSpace(in.SQL) == "" {
		return nil, errors.New("the query is empty")
	}
	if s.Plan == nil {
		return nil, errors.New("no Flink to check the query with: run the console in the project's directory")
	}
	changed, err := o.ChangeQuery(ctx, operate.NewQuery{Name: "the query", SQL: []byte(in.SQL), Records: in.Records, Force: in.Force, Plan: s.Plan})
	return orNil(changed), err
}

// outdate forgets the pipeline unless it is the one that runs.
func (s *stackSubject) outdate(hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline != nil && s.pipeline.Hash() != hash {
		s.pipeline = nil
	}
}
