package verifier

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/row"
)

// The longest line that can be a row, since Firehose takes no record over 1,000 KiB, and the longest that can carry
// such a record in base64.
const (
	maxLine      = 1 << 20
	maxErrorLine = 1 << 21
)

// count passes claims and objects to the judge in the order of time, claims first: these objects, and the claims up to
// that moment, or all if it is zero.
func (v *verification) count(ctx context.Context, objects []bucket.Object, until time.Time) {
	owed := v.computeAhead(ctx, until)
	defer owed.end()
	for object, content := range bucket.ReadAhead(ctx, v.bucket, objects) {
		v.openUntil(ctx, object.LastModified, owed)
		if ctx.Err() != nil {
			return // the rows of the last claims may not be open
		}
		if v.stretch.pauses(object.LastModified) {
			break
		}
		v.unreadable(object, v.find(object, content))
		v.counted[object.Key] = countedAs(object)
	}
	v.openUntil(ctx, until, owed)
	for t := range v.judges {
		if t.judge.HasUnmatched() {
			v.classify(ctx, t)
		}
	}
}

// unreadable notes why an object cannot be read, unless err is nil.
func (v *verification) unreadable(object bucket.Object, err error) {
	if err != nil {
		v.undecided("an object cannot be read: %s: %v", object.Key, err)
	}
}

// find reads what an object holds: rows, rejects or failed records, by its prefix.
func (v *verification) find(object bucket.Object, content io.Reader) error {
	covers, live := &v.report.Covers, v.live(object)
	if v.stretch != nil && len(live) > 1 {
		return errors.New("rows of several queries may stand in it, and no part alone can tell whose they are: judge everything at once")
	}
	switch {
	case strings.HasPrefix(object.Key, v.opts.ErrorsPrefix):
		covers.ErrorObjects++
		return v.findRejects(object, live, content)
	case strings.HasPrefix(object.Key, v.opts.FailedPrefix()):
		covers.ErrorObjects++
		return v.findFailures(object, live, content)
	}
	covers.Objects++
	covers.Bytes += object.Size
	own := live[0]
	take := func(line []byte, number int64) error { return v.route(object, live, line, number) }
	corrupt := func(line []byte, number int64, reason string) { own.corrupt(object, line, number, reason) }
	var lines int64
	var err error
	if own.in(object); len(live) == 1 && own.judge != nil {
		lines, err = count(own.judge, own.Output, content, take, corrupt)
	} else {
		lines, err = eachLine(content, maxLine, take, corrupt)
	}
	covers.Rows += lines
	return err
}

// Count passes every line of an object to the judge and returns their number.
func Count(judge *proof.Judge, output row.Schema, object io.Reader) (lines int64, err error) {
	return count(judge, output, object, nil, judge.Corrupt)
}

// count is Count, and passes what is no row to otherwise, if that is given, which may know it.
func count(judge *proof.Judge, output row.Schema, object io.Reader, otherwise func(line []byte, number int64) error,
	corrupt func(line []byte, number int64, reason string),
) (int64, error) {
	lines := bucket.NewLines(object, maxLine)
	judge.FindLines(lines.Runs(), proof.LineReader{Read: output.Append, Refuse: func(l proof.Line, err error) {
		if l.Fault == nil && otherwise != nil {
			err = otherwise(l.Text, l.Number)
		}
		if err != nil {
			corrupt(l.Text, l.Number, lines.Explain(err))
		}
	}})
	return lines.Number(), lines.Err()
}

// eachLine passes each line, with its number, to take. What take refuses, and what is not a complete line of at most
// the given length, is corrupt.
func eachLine(object io.Reader, longest int, take func(line []byte, number int64) error,
	corrupt func(line []byte, number int64, reason string),
) (int64, error) {
	lines := bucket.NewLines(object, longest)
	for lines.Next() {
		fault := lines.Fault()
		if fault == nil {
			fault = take(lines.Text(), lines.Number())
		}
		if fault != nil {
			corrupt(lines.Text(), lines.Number(), lines.Explain(fault))
		}
	}
	return lines.Number(), lines.Err()
}
