package console

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

//go:embed page
var page embed.FS

const (
	// DefaultPort is the console's port if it is free.
	DefaultPort = 4577
	// maxBody bounds what a page sends: a query or a schema.
	maxBody = 1 << 20
	// endWithin is how long operations may take to end when the server is closed.
	endWithin = 10 * time.Second
	// firstWithin is how long an answer waits for a topic that was not watched.
	firstWithin = 30 * time.Second
	readOnly    = "start it with --write to change something"
)

// A Server is a console that is being served.
type Server struct {
	// URL is the address with the token, for the user's browser.
	URL string

	write      bool
	log        *slog.Logger
	subject    subject
	topics     []*topic
	operations *operations
	pages      atomic.Int64

	server  *http.Server
	closing chan struct{}
	work    context.Context // of the operations
	end     context.CancelFunc
}

// A subject is what a console shows.
type subject interface {
	// about says what the page needs to know at the start.
	about() About
	// topics are what can be watched, besides the operations.
	topics() []*topic
	// routes adds what can be asked.
	routes(s *Server, mux *http.ServeMux)
}

// About says what a console shows.
type About struct {
	Program string `json:"program"`
	Kind    string `json:"kind"` // stack or audit
	Stack   string `json:"stack"`
	Region  string `json:"region"`
	Local   bool   `json:"local"`
	Write   bool   `json:"write"`
	// ReadOnlyReason says how to change something, empty with Write.
	ReadOnlyReason string   `json:"readOnlyReason,omitempty"`
	Views          []string `json:"views"`
	// MaxRecords is the most that one tick can have, 0 if nothing can be produced.
	MaxRecords int `json:"maxRecords,omitempty"`
}

// Options say how a console is served.
type Options struct {
	// Port is the port to listen on; 0 takes DefaultPort, or any port if that is taken.
	Port int
	// Write lets pages change what they show.
	Write bool
	Log   *slog.Logger // nil discards
}

// serve begins to serve a console on 127.0.0.1.
func serve(sub subject, o Options) (*Server, error) {
	listener, err := listen(o.Port)
	if err != nil {
		return nil, err
	}
	s := &Server{write: o.Write, log: o.Log, subject: sub, closing: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.work, s.end = context.WithCancel(context.Background())
	s.operations = &operations{topic: &topic{name: "operations"}}
	s.operations.change(func() {})
	s.topics = append(sub.topics(), s.operations.topic)
	handler, err := s.handler()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	g := &guard{port: port, token: rand.Text(), session: rand.Text(), path: "/" + rand.Text() + "/", next: handler}
	s.URL = "http://" + net.JoinHostPort("127.0.0.1", port) + "/?token=" + g.token
	s.server = &http.Server{
		Handler: g, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go s.server.Serve(listener) //nolint:errcheck // it always ends with the error that it was closed
	return s, nil
}

func listen(port int) (net.Listener, error) {
	at := func(port int) (net.Listener, error) {
		return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	if port != 0 {
		l, err := at(port)
		if err != nil {
			return nil, fmt.Errorf("listen on port %d: %w: choose another port", port, err)
		}
		return l, nil
	}
	if l, err := at(DefaultPort); err == nil {
		return l, nil
	}
	return at(0)
}

// Close ends the server. It waits a moment for operations, which then end as if they were interrupted.
func (s *Server) Close() error {
	close(s.closing)
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	err := s.server.Shutdown(ctx)
	for _, t := range s.topics {
		t.close()
	}
	ended := make(chan struct{})
	go func() { s.operations.work.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}

func (s *Server) handler() (http.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /api/about", func(w http.ResponseWriter, _ *http.Request) {
		about := s.subject.about()
		if about.Write = s.write; s.write {
			about.ReadOnlyReason = ""
		} else if about.ReadOnlyReason == "" {
			about.ReadOnlyReason = readOnly
		}
		s.answer(w, http.StatusOK, about)
	})
	mux.HandleFunc("GET /api/operation", s.operation)
	for _, t := range s.topics {
		if t.merge != nil { // its states are parts
			continue
		}
		mux.HandleFunc("GET /api/"+t.name, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), firstWithin)
			defer cancel()
			m, err := t.first(ctx)
			if err != nil {
				s.fail(w, http.StatusGatewayTimeout, fmt.Errorf("nothing is known of the %s yet", t.name))
				return
			}
			s.answer(w, http.StatusOK, m.value)
		})
	}
	s.subject.routes(s, mux)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, fmt.Errorf("%s %s is not known", r.Method, r.URL.Path))
	})
	return mux, nil
}

func (s *Server) answer(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		s.log.Error("encode an answer", "error", err)
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the page may have gone
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, status int, err error) {
	s.answer(w, status, map[string]string{"error": err.Error()})
}

// read reads the JSON that a page sends. It answers and reports false if it is none.
func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) bool {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		s.fail(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
		return false
	}
	return true
}

// asked makes a route of a question that is answered at once.
func (s *Server) asked(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := answer(r)
		if err != nil {
			s.fail(w, http.StatusBadGateway, err)
			return
		}
		s.answer(w, http.StatusOK, value)
	}
}
