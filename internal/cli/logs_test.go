package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"streamproof/internal/stack/stacktest"
)

// logEvent is an event that was logged so long ago.
func logEvent(ago time.Duration, message string) stacktest.Event {
	return stacktest.Event{Time: time.Now().Add(-ago), Message: message}
}

// runLogs runs a command line against the world.
func runLogs(ctx context.Context, w *stacktest.World, line string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	e := newEnv(&out, &err)
	e.loadAWS = func(_ context.Context, region string) (aws.Config, error) { return hostileAWS(w, "", region), nil }
	status = e.run(ctx, strings.Fields(line+" --stack streamproof --region eu-west-1"))
	return status, out.String(), err.String()
}

func TestLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stacktest.New(t)
		w.Logs = map[string][]stacktest.Event{
			"ProducerLogs": {logEvent(time.Hour, "old"), logEvent(5*time.Minute, "tick sent\n")},
			"VerifierLogs": {logEvent(6*time.Minute, "\x1b[2Jverified"), logEvent(time.Minute, "panic: x\n\tat y\n")},
			"DataBucket":   nil,
		}
		for _, test := range []struct {
			args   string
			status int
			want   string // all that is shown, or a part of it for an error
		}{
			{"logs", 0, "1999-12-31 23:54:00.000Z verifier  \\x1b[2Jverified\n1999-12-31 23:55:00.000Z producer  tick sent\n" +
				"1999-12-31 23:59:00.000Z verifier  panic: x\n1999-12-31 23:59:00.000Z verifier      at y\n"},
			{"logs producer --since 2h", 0, "1999-12-31 23:00:00.000Z producer  old\n1999-12-31 23:55:00.000Z producer  tick sent\n"},
			{"logs producer --since 1999-12-31T23:59:59Z", 0, "Nothing was logged since 1999-12-31 23:59:59.000Z.\n"},
			{"logs producer --json", 0, `{"time":"1999-12-31T23:55:00Z","part":"producer","message":"tick sent"}` + "\n"},
			{"logs producer delivery", 2, "the stack has no log of its delivery: deploy it with DeliveryLogState=ENABLED"},
			{"logs everything", 2, "everything"},
			{"logs --since sometime", 2, "sometime"},
		} {
			status, stdout, stderr := runLogs(t.Context(), w, test.args)
			if status != test.status || status == 0 && stdout+stderr != test.want || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("streamproof %s: got status %d, %q, %q, want %d, %q", test.args, status, stdout, stderr, test.status, test.want)
			}
		}
		w.Before = func(call string) bool { return call == "FilterLogEvents" }
		if status, _, stderr := runLogs(t.Context(), w, "logs"); status != 3 || !strings.Contains(stderr, "logs:FilterLogEvents on its log groups") {
			t.Errorf("denied: got status %d, %q, want %d and the permissions", status, stderr, 3)
		}
	})
}

// TestLogsFollow: new lines are shown until Ctrl-C, in spite of calls that fail, and none is shown twice.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stacktest.New(t)
		w.Logs = map[string][]stacktest.Event{"ProducerLogs": {logEvent(time.Minute, "1")}}
		calls, refused := 0, false
		w.Before = func(call string) bool {
			if call == "FilterLogEvents" {
				calls++
			}
			return refused
		}
		log := func(message string) { w.Logs["ProducerLogs"] = append(w.Logs["ProducerLogs"], logEvent(0, message)) }
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, func() { log("2") })
		time.AfterFunc(11*time.Second, func() { refused = true })
		time.AfterFunc(22*time.Second, func() { log("3"); refused = false })
		time.AfterFunc(time.Minute-time.Second, stop)
		status, stdout, stderr := runLogs(ctx, w, "logs -f")
		want := "1999-12-31 23:59:00.000Z producer  1\n2000-01-01 00:00:07.000Z producer  2\n2000-01-01 00:00:22.000Z producer  3\n"
		if status != 0 || stdout != want {
			t.Errorf("got status %d, %q, want %d, %q", status, stdout, 0, want)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "trying again") {
			t.Errorf("got %q, want one line about the calls that failed", stderr)
		}
		if calls > 12 {
			t.Errorf("got %d calls in a minute, want one every 5 s", calls)
		}
	})
}

// TestLogsOfStoppedStack: the files of a local stack are shown while it is down.
func TestLogsOfStoppedStack(t *testing.T) {
	dir := project(t)
	state := filepath.Join(dir, ".streamproof")
	if err := os.MkdirAll(filepath.Join(state, "flink"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"flink/jvm.log": "2026-01-02T03:04:06Z INFO job\n",
		"follower.log":  "time=2026-01-02T03:04:05Z level=INFO msg=started\ntime=2026-01-02T03:04:07Z level=WARN msg=late part=delivery stream=s\n",
	} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	status := Run(t.Context(), strings.Fields("logs --since 2026-01-01T00:00:00Z"), &stdout, &stderr)
	want := "2026-01-02 03:04:05.000Z flink     level=INFO msg=started\n2026-01-02 03:04:06.000Z flink     INFO job\n" +
		"2026-01-02 03:04:07.000Z delivery  level=WARN msg=late part=delivery stream=s\n"
	if status != 0 || stdout.String() != want || !strings.Contains(stderr.String(), "no local stack runs") {
		t.Errorf("got status %d, %q, %q, want %d, %q and why there is no more", status, stdout.String(), stderr.String(), 0, want)
	}
	if status := Run(t.Context(), []string{"logs"}, &stdout, &stderr); status != exitUsage {
		t.Errorf("nothing left: got status %d, want %d", status, exitUsage)
	}
}
