package logs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"streamproof/internal/logs"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// group is a log group in CloudWatch Logs. A page has two events.
type group struct {
	events []types.FilteredLogEvent
	err    error
}

func (g *group) log(id string, after time.Duration, message string) {
	e := types.FilteredLogEvent{Timestamp: aws.Int64(start.Add(after).UnixMilli()), Message: &message}
	if id != "" {
		e.EventId = &id
	}
	g.events = append(g.events, e)
}

func (g *group) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	if g.err != nil {
		return nil, g.err
	}
	var from int
	_, _ = fmt.Sscan(aws.ToString(in.NextToken), &from)
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	for i, e := range g.events {
		if i < from || *e.Timestamp < *in.StartTime {
			continue
		}
		if len(out.Events) == 2 {
			out.NextToken = aws.String(fmt.Sprint(i))
			break
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

// next returns the new lines, as "seconds after the start: part message".
func next(t *testing.T, sources ...logs.Source) string {
	t.Helper()
	lines, err := logs.Next(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%g: %s %s", l.Time.Sub(start).Seconds(), l.Part, l.Message))
	}
	return strings.Join(all, "\n")
}

func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]func(n int) string{
		"with IDs":                    func(n int) string { return fmt.Sprint(n) },
		"without, as on the emulator": func(int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &group{}
			source := logs.NewGroup(g, "producer", "g", start)
			check(t, "empty", next(t, source), "")
			g.log(id(1), -time.Second, "before")
			g.log(id(2), time.Second, "a\n")
			g.log(id(3), time.Second, "a\n")
			g.log(id(4), 2*time.Second, "panic: b\n\tat c\n")
			check(t, "the first", next(t, source), "1: producer a\n1: producer a\n2: producer panic: b\n2: producer \tat c")
			check(t, "nothing new", next(t, source), "")
			g.log(id(5), time.Second, "a\n")
			g.log(id(6), 10*time.Minute, "new")
			check(t, "one is late", next(t, source), "1: producer a\n600: producer new")
			g.err = errors.New("throttled")
			if _, err := logs.Next(t.Context(), []logs.Source{source}); !errors.Is(err, g.err) || !strings.Contains(err.Error(), "read log group g") {
				t.Errorf("got %v, want %v with the group's name", err, g.err)
			}
			g.log(id(7), 11*time.Minute, "newer")
			g.err = nil
			check(t, "after an error", next(t, source), "660: producer newer")
			g.err = &types.ResourceNotFoundException{}
			check(t, "deleted", next(t, source), "")
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	write := func(flag int, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	job := logs.NewFile("flink", path, start, func(line string) bool { return !strings.Contains(line, "part=") })
	deliveries := logs.NewFile("delivery", path, start, func(line string) bool { return strings.Contains(line, "part=") })
	check(t, "no file", next(t, job, deliveries), "")
	write(0, "a JVM's own line\n2026-01-02T03:04:04Z INFO old\n\tof the old one\n2026-01-02T03:04:06.5Z ERROR failed\n\tat x\n2026-01-02T03:04:07Z INFO beg")
	check(t, "the first", next(t, job, deliveries), "1.5: flink ERROR failed\n1.5: flink \tat x")
	check(t, "nothing new", next(t, job, deliveries), "")
	write(os.O_APPEND, "un\ntime=2026-01-02T05:04:08+02:00 level=WARN part=delivery\ncontinued\n")
	check(t, "the rest of a line", next(t, job, deliveries), "2: flink INFO begun\n3: delivery level=WARN part=delivery\n3: delivery continued")
	write(os.O_TRUNC, "2026-01-02T03:05:05Z INFO again\r\n")
	check(t, "a new file", next(t, job, deliveries), "60: flink INFO again")
}

// TestNext: lines come in the order of time, and an error of one source does not keep back those of another.
func TestNext(t *testing.T) {
	t.Parallel()
	a, b, broken := &group{}, &group{}, &group{err: errors.New("denied")}
	a.log("", time.Second, "1")
	a.log("", 3*time.Second, "3")
	b.log("", 2*time.Second, "2")
	b.log("", 3*time.Second, "0")
	lines, err := logs.Next(t.Context(), []logs.Source{
		logs.NewGroup(broken, "c", "c", start), logs.NewGroup(b, "b", "b", start), logs.NewGroup(a, "a", "a", start),
	})
	if !errors.Is(err, broken.err) {
		t.Errorf("got error %v, want %v", err, broken.err)
	}
	var got strings.Builder
	for _, l := range lines {
		got.WriteString(l.Part + l.Message + " ")
	}
	check(t, "lines", got.String(), "a1 b2 a3 b0 ")
}
