package console

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// linger is how long a topic is read after its last page has gone: a reload must not start it again.
const linger = 5 * time.Second

// A message is a state of a topic. It is encoded once, for all pages.
type message struct {
	value  any
	encode func() ([]byte, error)
}

func newMessage(value any) *message {
	return &message{value, sync.OnceValues(func() ([]byte, error) { return json.Marshal(value) })}
}

// A topic is something that pages watch.
type topic struct {
	name string
	// read publishes states until the context ends. It runs only while somebody watches.
	read func(ctx context.Context, publish func(any))
	// merge, if set, joins a state that a slow page has not received with the next one. Otherwise the next one replaces
	// it.
	merge func(old, next any) any
	// linger overrides the constant in tests.
	linger time.Duration

	mu       sync.Mutex
	watchers map[*watcher]bool
	latest   *message
	stop     context.CancelFunc // nil while nothing is read
	idle     *time.Timer
}

// A watcher is a page, or a part of the server, that watches topics. It holds at most one state of each.
type watcher struct {
	mu      sync.Mutex
	pending map[*topic]*message
	changed chan struct{} // holds an element if something is pending
}

func newWatcher() *watcher {
	return &watcher{pending: map[*topic]*message{}, changed: make(chan struct{}, 1)}
}

func (w *watcher) offer(t *topic, m *message) {
	w.mu.Lock()
	if old := w.pending[t]; old != nil && t.merge != nil {
		m = newMessage(t.merge(old.value, m.value))
	}
	w.pending[t] = m
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// take returns what is pending.
func (w *watcher) take() map[*topic]*message {
	w.mu.Lock()
	defer w.mu.Unlock()
	pending := w.pending
	w.pending = map[*topic]*message{}
	return pending
}

// watch adds a watcher, which gets the latest state at once if there is one.
func (t *topic) watch(w *watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers == nil {
		t.watchers = map[*watcher]bool{}
	}
	t.watchers[w] = true
	if t.idle != nil {
		t.idle.Stop()
		t.idle = nil
	}
	if t.latest != nil && t.merge == nil {
		w.offer(t, t.latest)
	}
	if t.stop == nil && t.read != nil {
		var ctx context.Context
		ctx, t.stop = context.WithCancel(context.Background())
		go t.read(ctx, func(value any) {
			if ctx.Err() == nil {
				t.publish(value)
			}
		})
	}
}

// leave removes a watcher. After the last one, the topic is read no longer.
func (t *topic) leave(w *watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watchers, w)
	if len(t.watchers) > 0 || t.stop == nil {
		return
	}
	after := t.linger
	if after == 0 {
		after = linger
	}
	t.idle = time.AfterFunc(after, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.watchers) == 0 {
			t.end()
		}
	})
}

// end stops the reading. What was read is stale from now on. The caller holds the lock.
func (t *topic) end() {
	if t.stop != nil {
		t.stop()
		t.stop, t.latest = nil, nil
	}
}

func (t *topic) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
}

func (t *topic) publish(value any) {
	m := newMessage(value)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = m
	for w := range t.watchers {
		w.offer(t, m)
	}
}

// first returns a state of the topic, waiting for one if there is none yet.
func (t *topic) first(ctx context.Context) (*message, error) {
	w := newWatcher()
	t.watch(w)
	defer t.leave(w)
	for {
		if m := w.take()[t]; m != nil {
			return m, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.changed:
		}
	}
}

// each hands on the states of the topic until the context ends.
func (t *topic) each(ctx context.Context, take func(any)) {
	w := newWatcher()
	t.watch(w)
	defer t.leave(w)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
			if m := w.take()[t]; m != nil {
				take(m.value)
			}
		}
	}
}
