package console

import (
	"context"
	"net/http"
	"sync"

	"streamproof/internal/explain"
	"streamproof/internal/operate"
	"streamproof/internal/report"
)

// An Audit says which pipeline of somebody else a console shows.
type Audit struct {
	Name   string // of the stream or the delivery stream
	Region string
	// Run audits the pipeline.
	Run func(ctx context.Context, step func(string) operate.Step) (*report.Report, error)
	// Explain audits it, and explains what is wrong. The report may come with an error.
	Explain func(ctx context.Context, step func(string) operate.Step) (*explain.Explanation, *report.Report, error)
	// Accept audits it, and accepts findings before the verdict. It is nil where there is no folder to accept them in.
	Accept func(ctx context.Context, choice report.Choice, step func(string) operate.Step) (*report.Report, error)
}

// ServeAudit serves the console of an audit, and audits once. It changes nothing of the pipeline: all that it writes
// are acceptances.
func ServeAudit(a Audit, o Options) (*Server, error) {
	o.Write = o.Write && a.Accept != nil
	s := &auditSubject{Audit: a, report: &topic{name: "report"}}
	s.report.publish(Reported{})
	server, err := serve(s, o)
	if err != nil {
		return nil, err
	}
	_, err = server.operations.begin(server.work, "audit", false, s.audit)
	return server, err
}

// An auditSubject shows an audit.
type auditSubject struct {
	Audit

	report  *topic
	running sync.Mutex // one audit reads the stream at a time
}

func (s *auditSubject) about() About {
	return About{
		Program: "streamproof", Kind: "audit", Stack: s.Name, Region: s.Region, Views: []string{"proof"},
		ReadOnlyReason: "an audit only reads: start it with --accepted DIR --write to accept findings",
	}
}

func (s *auditSubject) topics() []*topic { return []*topic{s.report} }

func (s *auditSubject) routes(server *Server, mux *http.ServeMux) {
	mux.HandleFunc("POST /api/audit", func(w http.ResponseWriter, _ *http.Request) { server.start(w, "audit", false, s.audit) })
	mux.HandleFunc("POST /api/explain", func(w http.ResponseWriter, _ *http.Request) { server.start(w, "explain", false, s.explain) })
	mux.HandleFunc("POST /api/accept", func(w http.ResponseWriter, r *http.Request) {
		var choice report.Choice
		if server.read(w, r, &choice) {
			server.start(w, "accept", true, func(ctx context.Context, step func(string) operate.Step) (any, error) {
				return s.accept(ctx, choice, step)
			})
		}
	})
}

func (s *auditSubject) audit(ctx context.Context, step func(string) operate.Step) (any, error) {
	s.running.Lock()
	defer s.running.Unlock()
	return s.publish(s.Run(ctx, step))
}

func (s *auditSubject) explain(ctx context.Context, step func(string) operate.Step) (any, error) {
	s.running.Lock()
	defer s.running.Unlock()
	explanation, r, err := s.Explain(ctx, step)
	if r != nil {
		s.report.publish(reported(r))
	}
	return orNil(explanation), err
}

func (s *auditSubject) accept(ctx context.Context, choice report.Choice, step func(string) operate.Step) (any, error) {
	if err := complete(&choice); err != nil {
		return nil, err
	}
	s.running.Lock()
	defer s.running.Unlock()
	return s.publish(s.Accept(ctx, choice, step))
}

// publish shows a new report.
func (s *auditSubject) publish(r *report.Report, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	s.report.publish(reported(r))
	return r, nil
}
