// Package logs reads what the parts of a stack log, as lines in the order of time: log groups of CloudWatch Logs, and
// files of the local stack.
//
// Groups are read with FilterLogEvents, again and again. StartLiveTail would be told sooner, but it has no history,
// leaves out events beyond 500 a second, ends after three hours, and is billed by the minute.
package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Line is one line of a log.
type Line struct {
	Time    time.Time `json:"time"`
	Part    string    `json:"part"` // of the stack, such as producer
	Message string    `json:"message"`
}

// A Source is one log.
type Source interface {
	// Part names the part of the stack that logs.
	Part() string
	// Next returns the lines that it has not returned before. After an error, the next call returns them.
	Next(ctx context.Context) ([]Line, error)
}

// Next returns the new lines of all sources, by time. Its error does not keep the lines of the other sources back.
func Next(ctx context.Context, sources []Source) ([]Line, error) {
	gained, errs := make([][]Line, len(sources)), make([]error, len(sources))
	var reading sync.WaitGroup
	for i, source := range sources {
		reading.Go(func() { gained[i], errs[i] = source.Next(ctx) })
	}
	reading.Wait()
	lines := slices.Concat(gained...)
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Part, b.Part)) })
	return lines, errors.Join(errs...)
}
