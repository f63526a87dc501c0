package explain

import (
	"bytes"
	"context"
	"fmt"
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

// Keys name the hour in which the oldest row of an object came to Firehose, and what a tick gave came after its claim.
// What was put there by hand may have an older name: it is looked for as far back as a verification lists.
const (
	hourLayout = "2006/01/02/15"
	window     = 26 * time.Hour
)

// search looks for the lost rows in what was written since the report was. What was there before has been counted, all
// but rejects that carry a row and not a line of a record, which pay for nothing: those are looked for from the claim
// on.
func (e *explanation) search(ctx context.Context) error {
	var since time.Time // the first claim
	for _, l := range e.losses {
		if l.tick != nil && (since.IsZero() || l.tick.Claimed.Before(since)) {
			since = l.tick.Claimed
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
		objects = slices.DeleteFunc(objects, func(o bucket.Object) bool {
			return e.counted(o) && (prefix != e.opts.ErrorsPrefix || o.LastModified.Before(since))
		})
		for object, content := range bucket.ReadAhead(ctx, e.bucket, objects) {
			lines := bucket.NewLines(content, longestLine)
			for lines.Next() {
				if lines.Fault() != nil {
					continue // no row
				}
				at := find{object: object.Key, line: lines.Number()}
				switch prefix {
				case e.opts.DataPrefix:
					at.hop = report.Delivered
					e.findRow(lines.Text(), at)
				case e.opts.ErrorsPrefix:
					e.findReject(lines.Text(), at, e.counted(object))
				default:
					e.findFailure(lines.Text(), at)
				}
			}
			if err := lines.Err(); err != nil {
				return fmt.Errorf("search %s/%s: %w", e.bucket.Name(), object.Key, err)
			}
		}
	}
	return nil
}

// counted reports whether the report has counted an object.
func (e *explanation) counted(o bucket.Object) bool { return !o.LastModified.After(e.report.JudgedAt) }

// findRow gives a line that is a lost row to the oldest loss that is short of one.
func (e *explanation) findRow(line []byte, at find) {
	var key []byte
	var of string // the pipeline whose key it is
	for _, l := range e.losses {
		if l.key == nil || int64(len(l.found)) >= l.Count {
			continue
		}
		if of != l.tick.JudgedBy {
			of = l.tick.JudgedBy
			key, _ = l.tick.Output().Append(key[:0], line) // empty if the line is no row
		}
		if bytes.Equal(key, l.key) {
			l.found = append(l.found, at)
			return
		}
	}
}

// findReject reads a line of the rejects: one that was malformed on purpose, a well-formed line of a record, or a row
// that the output did not take. Of what the report has counted only the last is looked at.
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
	wellFormed := e.ledger.IsLine(r.Data)
	for _, l := range e.losses {
		if int64(len(l.found)) < l.Count && l.carries(r.Data, wellFormed) {
			l.found = append(l.found, at)
			return
		}
	}
}

// carries tells whether the line is the malformed one that was lost, or one of a record that gives the row.
func (l *loss) carries(line []byte, wellFormed bool) bool {
	if l.line != nil {
		return bytes.Equal(l.line, line)
	}
	return wellFormed && slices.ContainsFunc(l.records, func(r *suspect) bool {
		for own := range l.tick.LinesOf(r.data) {
			if bytes.Equal(own.Raw, line) {
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
