package logs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// lateness is how much later than a newer event an older one may arrive: each instance of a function has a log stream
// of its own.
const lateness = 2 * time.Minute

// A Group is a log group.
type Group struct {
	client cloudwatchlogs.FilterLogEventsAPIClient
	part   string
	name   string
	since  time.Time
	shown  map[string]int // how often Next returned an event, by its identity
}

var _ Source = (*Group)(nil)

// NewGroup makes a source of the events of a log group from a moment on. A group that does not exist has none.
func NewGroup(client cloudwatchlogs.FilterLogEventsAPIClient, part, name string, since time.Time) *Group {
	return &Group{client: client, part: part, name: name, since: since}
}

// Part implements Source.
func (g *Group) Part() string { return g.part }

// Next implements Source.
func (g *Group) Next(ctx context.Context) ([]Line, error) {
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(g.client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &g.name, StartTime: aws.Int64(g.since.UnixMilli())})
	var lines []Line
	newest, seen := g.since, map[string]int{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if errors.As(err, new(*types.ResourceNotFoundException)) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read log group %s: %w", g.name, err)
		}
		for _, event := range page.Events {
			at := time.UnixMilli(aws.ToInt64(event.Timestamp)).UTC()
			if at.After(newest) {
				newest = at
			}
			id := identity(event)
			if seen[id]++; seen[id] <= g.shown[id] {
				continue
			}
			for line := range strings.Lines(strings.TrimRight(aws.ToString(event.Message), "\r\n")) {
				lines = append(lines, Line{at, g.part, strings.TrimRight(line, "\r\n")})
			}
		}
	}
	g.shown = seen
	if from := newest.Add(-lateness); from.After(g.since) {
		g.since = from
	}
	return lines, nil
}

// identity tells an event from others. The emulator gives events no IDs.
func identity(e types.FilteredLogEvent) string {
	if e.EventId != nil {
		return *e.EventId
	}
	return fmt.Sprintf("%s\x00%d\x00%s", aws.ToString(e.LogStreamName), aws.ToInt64(e.Timestamp), aws.ToString(e.Message))
}
