package console

import (
	"context"
	"net/http"
	"sync"

	"streamproof/internal/operate"
	"streamproof/internal/report"
)

// An Audit says which pipeline of somebody else a console shows.
type Audit struct {
	Name   string // of the stream or the delivery stream
	Region string
	// Run audits the pipeline.
	Run func(ctx context.Context, step func(string) operate.Step) (*report.Report, error)
}

// ServeAudit serves the console of an audit, and audits once. It changes nothing: an audit only reads.
func ServeAudit(a Audit, o Options) (*Server, error) {
	o.Write = false
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
	return About{Program: "streamproof", Kind: "audit", Stack: s.Name, Region: s.Region, Views: []string{"proof"}, ReadOnlyReason: "an audit only reads"}
}

func (s *auditSubject) topics() []*topic { return []*topic{s.report} }

func (s *auditSubject) routes(server *Server, mux *http.ServeMux) {
	mux.HandleFunc("POST /api/audit", func(w http.ResponseWriter, _ *http.Request) { server.start(w, "audit", false, s.audit) })
}

func (s *auditSubject) audit(ctx context.Context, step func(string) operate.Step) (any, error) {
	s.running.Lock()
	defer s.running.Unlock()
	r, err := s.Run(ctx, step)
	if err != nil {
		return nil, err
	}
	s.report.publish(reported(r))
	return r, nil
}
