package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// pingEvery is how often a comment is sent, so that a page that has gone is noticed.
	pingEvery = 15 * time.Second
	// writeWithin is how long a page may take to receive an event.
	writeWithin = 30 * time.Second
	// maxPages bounds the streams that are open at once.
	maxPages = 200
)

// events sends the topics that the query names as server-sent events, until the page goes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	var topics []*topic
	for name := range strings.SplitSeq(r.URL.Query().Get("topics"), ",") {
		// A page asks for all topics that it knows, and an audit has fewer.
		if i := slices.IndexFunc(s.topics, func(t *topic) bool { return t.name == name }); i >= 0 && !slices.Contains(topics, s.topics[i]) {
			topics = append(topics, s.topics[i])
		}
	}
	if s.pages.Add(1) > maxPages {
		s.pages.Add(-1)
		s.fail(w, http.StatusServiceUnavailable, fmt.Errorf("%d pages are open: close some", maxPages))
		return
	}
	defer s.pages.Add(-1)
	page := newWatcher()
	for _, t := range topics {
		t.watch(page)
		defer t.leave(page)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeWithin)) // some writers have none
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-ping.C:
			if !send(": ping\n\n") {
				return
			}
		case <-page.changed:
			pending := page.take()
			for _, t := range topics {
				m := pending[t]
				if m == nil {
					continue
				}
				data, err := m.encode()
				if err != nil {
					s.log.Error("encode a topic", "topic", t.name, "error", err)
					return
				}
				if !send(fmt.Sprintf("event: %s\ndata: %s\n\n", t.name, data)) { // JSON has no line breaks
					return
				}
			}
		}
	}
}
