package cli

import (
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/progress"

	"streamproof/internal/terminal"
)

// progress shows the steps of a long command: as a moving display on a terminal, as plain lines elsewhere.
type progress struct {
	out     *terminal.Writer
	display pretty.Writer // nil where there is no terminal
	ended   chan struct{}
}

func newProgress(e *env) *progress {
	p := &progress{out: e.stderr}
	if e.display == nil {
		return p
	}
	p.display, p.ended = pretty.NewWriter(), make(chan struct{})
	p.display.SetOutputWriter(e.display)
	p.display.SetStyle(pretty.StyleDefault)
	p.display.SetTrackerPosition(pretty.PositionRight)
	p.display.SetTrackerLength(12)
	p.display.SetUpdateFrequency(100 * time.Millisecond)
	options := &p.display.Style().Options
	options.TimeInProgressPrecision, options.TimeDonePrecision = time.Second, 100*time.Millisecond
	visible := &p.display.Style().Visibility
	visible.Percentage, visible.Value, visible.ETA = false, false, false
	go func() {
		p.display.Render()
		close(p.ended)
	}()
	return p
}

// stop ends the display, so that others can write to the terminal.
func (p *progress) stop() {
	if p.display == nil {
		return
	}
	for !p.display.IsRenderInProgress() { // a stop before the start would be lost
		select {
		case <-p.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
	p.display.Stop()
	<-p.ended
}

// A step is one that is shown. It is an operate.Step.
type step struct {
	p       *progress
	name    string
	begun   time.Time
	tracker *pretty.Tracker
}

func (p *progress) begin(name string) *step {
	s := &step{p: p, name: name, begun: time.Now()}
	if p.display == nil {
		_ = p.out.Printf("%s …\n", name)
		return s
	}
	s.tracker = &pretty.Tracker{Message: terminal.Escape(name)}
	p.display.AppendTracker(s.tracker)
	return s
}

// step is begin for package local.
func (p *progress) step(name string) func(error) { return p.begin(name).End }

// Note shows a text that remains.
func (s *step) Note(text string) {
	if s.tracker != nil {
		s.p.display.Log("%s", terminal.Escape(text))
		return
	}
	_ = s.p.out.Printf("%s\n", text)
}

// Update shows how far the step is. Plain lines leave it out.
func (s *step) Update(progress string) {
	if s.tracker != nil {
		s.tracker.UpdateMessage(terminal.Escape(s.name + ": " + progress))
	}
}

// End shows that the step is done, or that it failed.
func (s *step) End(err error) {
	switch {
	case s.tracker != nil && err != nil:
		s.tracker.MarkAsErrored()
	case s.tracker != nil:
		s.tracker.MarkAsDone()
	case err != nil:
		_ = s.p.out.Printf("%s: failed after %s\n", s.name, s.took())
	default:
		_ = s.p.out.Printf("%s: done in %s\n", s.name, s.took())
	}
}

func (s *step) took() time.Duration { return time.Since(s.begun).Round(100 * time.Millisecond) }
