package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"streamproof/internal/stack/stacktest"
)

// watch watches a world for a minute. It is away from second 15 on, and back from second 35 on, with another schedule.
func watch(t *testing.T, flags string, screen *bytes.Buffer) (status int, stdout, stderr string) {
	t.Helper()
	calls := 0
	synctest.Test(t, func(t *testing.T) {
		w, _ := stacktest.New(t)
		away := false
		w.Before = func(call string) bool {
			if call == "GetSchedule" {
				calls++
			}
			return away
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(15*time.Second, func() { away = true })
		time.AfterFunc(35*time.Second, func() { away, w.Schedule = false, "DISABLED" })
		time.AfterFunc(time.Minute-time.Second, stop)
		var out, err bytes.Buffer
		e := newEnv(&out, &err)
		if screen != nil {
			e.screen = screen
		}
		e.loadAWS = func(_ context.Context, region string) (aws.Config, error) { return hostileAWS(w, "", region), nil }
		status = e.run(ctx, strings.Fields("status --watch --stack streamproof --region eu-west-1 "+flags))
		stdout, stderr = out.String(), err.String()
	})
	if calls != 4 {
		t.Errorf("got %d calls of a part, want 4: one every ten seconds, while the stack is there", calls)
	}
	return status, stdout, stderr
}

// TestStatusWatch: into a pipe, each state is printed once, and Ctrl-C is no failure.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := watch(t, "", nil)
	if got := strings.Count(stdout, "\n"); status != 0 || stderr != "" || got < 20 || strings.Contains(stdout, "\x1b") {
		t.Errorf("got status %d, %q, %q, want %d and two tables", status, stdout, stderr, 0)
	}
	for _, part := range []string{"2000-01-01 00:00:00.000Z\n┌", ": ENABLED", "2000-01-01 00:00:20.000Z\ndescribe", "2000-01-01 00:00:40.000Z\n┌", ": DISABLED"} {
		before, after, found := strings.Cut(stdout, part)
		if !found || strings.Contains(after, part) {
			t.Errorf("got %q, want %q once", before+part+after, part)
		}
		stdout = after
	}
}

// TestStatusWatchScreen: on a terminal the states are redrawn, and the last one stays.
func TestStatusWatchScreen(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	status, stdout, stderr := watch(t, "", &screen)
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "┌") || strings.Count(stdout, "DISABLED") != 1 || strings.Contains(stdout, ": ENABLED") {
		t.Errorf("got status %d, %q, %q, want %d and the last table", status, stdout, stderr, 0)
	}
	got := screen.String()
	if draws := strings.Count(got, "\x1b[H"); draws != 6 || !strings.HasSuffix(got, "\x1b[?1049l") || strings.Count(got, "\x1b[?1049h") != 1 {
		t.Errorf("got %d draws, %q, want 6 on one screen, which is closed", draws, got)
	}
}

// TestStatusWatchJSON: each state is a line.
func TestStatusWatchJSON(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := watch(t, "--json", nil)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	first, last := lines[0], lines[len(lines)-1]
	if status != 0 || len(lines) != 4 || !strings.Contains(first, `"ENABLED"`) || !strings.Contains(last, `"DISABLED"`) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got status %d, %q, %q, want %d, four lines, since the world's schedule has always just changed, and one about the stack that was away", status, stdout, stderr, 0)
	}
}
