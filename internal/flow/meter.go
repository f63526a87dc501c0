package flow

import (
	"sync"
	"time"
)

// window is the time that counted rates are averages over.
const window = 10 * time.Second

// A Meter counts what passes, by shard, and says how fast it does.
type Meter struct {
	mu     sync.Mutex
	since  time.Time
	passed map[string][]passed
}

type passed struct {
	at             time.Time
	records, bytes int64
}

// NewMeter makes a Meter that counts from a moment on.
func NewMeter(since time.Time) *Meter {
	return &Meter{since: since, passed: map[string][]passed{}}
}

// Add counts records of a shard.
func (m *Meter) Add(shard string, at time.Time, records, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed[shard] = append(m.recent(shard, at), passed{at, records, bytes})
}

// recent forgets what is older than the window.
func (m *Meter) recent(shard string, now time.Time) []passed {
	all := m.passed[shard]
	first := 0
	for first < len(all) && now.Sub(all[first].at) > window {
		first++
	}
	return append(all[:0], all[first:]...)
}

// Rate is how many records and bytes of a shard have passed each second. It is nil until the meter has counted for a
// second.
func (m *Meter) Rate(shard string, now time.Time) (records, bytes *float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counted := min(now.Sub(m.since), window)
	if counted < time.Second {
		return nil, nil
	}
	m.passed[shard] = m.recent(shard, now)
	var sum passed
	for _, p := range m.passed[shard] {
		sum.records += p.records
		sum.bytes += p.bytes
	}
	return each(sum.records, counted), each(sum.bytes, counted)
}

func each(n int64, over time.Duration) *float64 {
	rate := float64(n) / over.Seconds()
	return &rate
}

// A counter turns a growing number, such as Flink's count of rows, into a rate.
type counter struct {
	points []point
}

type point struct {
	at time.Time
	n  int64
}

// rate adds the number at a moment, and returns by how much it grew each second within the window; nil at first. A
// number that falls is one of a new job.
func (c *counter) rate(at time.Time, n int64) *float64 {
	if last := len(c.points) - 1; last >= 0 && n < c.points[last].n {
		c.points = nil
	}
	c.points = append(c.points, point{at, n})
	for len(c.points) > 2 && at.Sub(c.points[1].at) >= window {
		c.points = c.points[1:]
	}
	first := c.points[0]
	if len(c.points) < 2 || at.Sub(first.at) < time.Second/2 {
		return nil
	}
	return each(n-first.n, at.Sub(first.at))
}
