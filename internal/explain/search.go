package explain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/reject"
	"streamproof/internal/report"
)

// longestLine is more than any line has that Firehose writes: a record of 1,000 KiB, in base64.
const longestLine = 2 << 20

func (e *explanation) isReject(key string) bool { return strings.HasPrefix(key, e.opts.ErrorsPrefix) }

// Keys name the hour in which the oldest row of an object came to Firehose, and what a tick gave came after its claim. What was put
// there by hand may have an older name: it is looked for as far back as a verification lists.
const (
	hourLayout = "2006/01/02/15"
	window     = 26 * time.Hour
)

// search looks for the lost rows in what was written since the report was. What was there before has been counted, all but
// rejects that carry a row and not a line of a record, which pay for nothing: those are looked for from the claim on.
func (e *explanation) search(ctx context.Context) error {
	var since time.Time // the first claim
	for _, l := range e.losses {
		if l.tick != nil && (since.IsZero() || l.tick.claimed.Before(since)) {
			since = l.tick.claimed
		}
	}
	if since.IsZero() {
		return nil
	}
	for _, prefix := range []string{e.opts.DataPrefix, e.opts.ErrorsPrefix, e.opts.FailedPrefix} {
		objects, _, err := e.bucket.ListAfter(ctx, prefix, prefix+since.UTC().Add(-window).Format(hourLayout))
		if err != nil {
			return err
		}
		slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
		for _, object := range objects {
			counted := !object.LastModified.After(e.report.JudgedAt)
			if counted && (prefix != e.opts.ErrorsPrefix || object.LastModified.Before(since)) {
				continue
			}
			in, err := e.bucket.Open(ctx, object)
			if err != nil {
				return err
			}
			err = eachLine(in, func(line []byte, number int64) {
				at := find{object: object.Key, line: number}
				switch prefix {
				case e.opts.DataPrefix:
					at.hop = report.Delivered
					e.findRow(line, at)
				case e.opts.ErrorsPrefix:
					e.findReject(line, at, counted)
				default:
					e.findFailure(line, at)
				}
			})
			_ = in.Close() // it was only read
			if err != nil {
				return fmt.Errorf("search %s/%s: %w", e.bucket.Name(), object.Key, err)
			}
		}
	}
	return nil
}

// findRow gives a line that is a lost row to the oldest loss that is short of one.
func (e *explanation) findRow(line []byte, at find) {
	var key []byte
	var of *compiled // whose key it is
	for _, l := range e.losses {
		if l.key == nil || int64(len(l.found)) >= l.Count {
			continue
		}
		if of != l.tick.compiled {
			of = l.tick.compiled
			key, _ = of.query.Output.Append(key[:0], line) // empty where the line is no row
		}
		if bytes.Equal(key, l.key) {
			l.found = append(l.found, at)
			return
		}
	}
}

// findReject reads a line of the rejects: one that was malformed on purpose, a well-formed line of a record, or a row that the
// output did not take. Of what the report has counted only the last is looked at.
func (e *explanation) findReject(line []byte, at find, counted bool) {
	r, err := reject.Parse(line)
	if err != nil || r.Parts > 0 {
		return // not the producer's
	}
	at.hop, at.reason = report.Rejected, r.Reason
	if r.Column != "" {
		at.reason += ", column " + r.Column
	}
	if r.Shard == "" {
		e.findRow(r.Data, at)
		return
	}
	if counted {
		return
	}
	at.place = &report.Place{Shard: r.Shard, SequenceNumber: r.SequenceNumber}
	for _, l := range e.losses {
		if int64(len(l.found)) < l.Count && l.carries(r.Data) {
			l.found = append(l.found, at)
			return
		}
	}
}

// carries tells whether the line is the malformed one that was lost, or one of a record that gives the row.
func (l *loss) carries(line []byte) bool {
	if l.line != nil {
		return bytes.Equal(l.line, line)
	}
	if l.tick == nil {
		return false
	}
	reader := l.tick.compiled.records
	if !reader.IsRow(line) {
		return false
	}
	return slices.ContainsFunc(l.records, func(r *suspect) bool {
		for own := range reader.Rows(r.data) {
			if own.Err == nil && bytes.Equal(own.Raw, line) {
				return true
			}
		}
		return false
	})
}

// findFailure reads a line of Firehose's failed records, each of which holds any number of rows.
func (e *explanation) findFailure(line []byte, at find) {
	f, err := reject.ParseFailure(line)
	if err != nil {
		return
	}
	at.hop, at.reason = report.ProcessingFailed, f.ErrorCode+": "+f.ErrorMessage
	for row := range bytes.Lines(f.RawData) {
		e.findRow(bytes.TrimSuffix(row, []byte("\n")), at)
	}
}

// eachLine hands on the lines of an object, gzip or not as its first bytes tell, with their numbers from 1.
func eachLine(object io.Reader, take func(line []byte, number int64)) error {
	in, err := bucket.Unzip(object)
	if err != nil {
		return err
	}
	reader := bufio.NewReader(in)
	var line []byte
	for number := int64(1); ; {
		part, err := reader.ReadSlice('\n')
		if line = append(line, part...); len(line) > longestLine {
			line = line[:longestLine] // which is no row
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil:
			take(line[:len(line)-1], number)
			line, number = line[:0], number+1
		case errors.Is(err, io.EOF): // a line without an end is no row
			return nil
		default:
			return err
		}
	}
}
