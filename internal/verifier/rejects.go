package verifier

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"streamproof/internal/bucket"
	"streamproof/internal/record"
	"streamproof/internal/reject"
	"streamproof/internal/report"
	"streamproof/internal/row"
)

// FailedPrefix is where Firehose puts the records that it could not have transformed: the template sets it so.
func (o Options) FailedPrefix() string { return "errors/" + o.DataPrefix + "processing-failed/" }

// overlap says whether one prefix is inside of the other, so that an object would be counted as two things.
func (o Options) overlap() bool {
	return strings.HasPrefix(o.DataPrefix, o.ErrorsPrefix) || strings.HasPrefix(o.ErrorsPrefix, o.DataPrefix)
}

// malformed stands before a line that is owed as a reject, and makes it another key than any row's (see package row).
const malformed = 2

func rejectKey(dst, line []byte) []byte { return append(append(dst, malformed), line...) }

// A rejectReason is what lines under the error prefixes are counted by.
type rejectReason struct{ prefix, reason string }

func (v *verification) countReject(prefix, reason string) { v.rejects[rejectReason{prefix, reason}]++ }

func (v *verification) reportRejects() {
	v.report.Rejects = nil
	for why, n := range v.rejects {
		v.report.Rejects = append(v.report.Rejects, report.Rejects{Prefix: why.prefix, Reason: why.reason, Count: n})
	}
	slices.SortFunc(v.report.Rejects, func(a, b report.Rejects) int {
		return cmp.Or(strings.Compare(a.Prefix, b.Prefix), strings.Compare(a.Reason, b.Reason))
	})
}

// findRejects reads an object of the analytics' rejects. A reject pays for a line that was malformed on purpose; one that
// is a well-formed line of the ledger's makes that line's rows failed; and the rest are foreign.
func (v *verification) findRejects(object bucket.Object, data io.Reader) error {
	v.judge.Object(object.Key, object.LastModified)
	var key []byte
	return eachErrorLine(data, func(line []byte, number int64) {
		r, err := reject.Parse(line)
		if err != nil {
			v.judge.Corrupt(line, number, err.Error())
			return
		}
		v.countReject(v.opts.ErrorsPrefix, r.Reason)
		reason := r.Reason
		if r.Column != "" {
			reason += ", column " + r.Column
		}
		switch {
		case r.Parts > 0: // the producer makes no line of such a length
			v.judge.Foreign(r.Data, number, reason)
		case !v.failLine(r.Data, number, reason):
			key = rejectKey(key[:0], r.Data)
			v.judge.Reject(key, number, reason)
		}
	}, v.judge.Corrupt)
}

// findFailures reads an object of records that Firehose could not have transformed: their rows failed.
func (v *verification) findFailures(object bucket.Object, data io.Reader) error {
	v.judge.Object(object.Key, object.LastModified)
	var key []byte
	return eachErrorLine(data, func(line []byte, number int64) {
		f, err := reject.ParseFailure(line)
		if err != nil {
			v.judge.Corrupt(line, number, err.Error())
			return
		}
		v.countReject(v.opts.FailedPrefix(), f.ErrorCode)
		reason := f.ErrorCode + ": " + f.ErrorMessage
		for text := range rowsOf(f.RawData) {
			if key, err = v.output.Append(key[:0], text); err == nil {
				v.judge.Fail(key, number, reason)
			} else if !v.failLine(text, number, reason) {
				v.judge.Foreign(text, number, reason)
			}
		}
	}, v.judge.Corrupt)
}

func eachErrorLine(data io.Reader, take func(line []byte, number int64), corrupt func(line []byte, number int64, reason string)) error {
	in, err := bucket.Unzip(data)
	if err == nil {
		_, err = eachLine(in, maxErrorLine, take, corrupt)
	}
	return err
}

// rowsOf gives the lines of what Firehose was given, without their newlines.
func rowsOf(record []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(record) {
			if !yield(bytes.TrimSuffix(line, []byte("\n"))) {
				return
			}
		}
	}
}

// failLine takes a line of a record that stands under an error prefix as it was sent. It says false where it is not one
// that the ledger owes rows for.
func (v *verification) failLine(line []byte, number int64, reason string) bool {
	rows := v.sentLines[string(line)]
	for _, key := range rows {
		v.judge.Fail(key, number, reason)
	}
	return len(rows) > 0
}

// findSentLines looks among the error objects for well-formed lines of records. There should be none; where there are, all
// records are made again to find those lines and the rows that they owe.
func (v *verification) findSentLines(ctx context.Context, objects []bucket.Object) {
	suspects := map[string]bool{}
	suspect := func(line []byte) {
		for _, c := range v.compiled {
			if c.records.IsRow(line) {
				suspects[string(line)] = true
			}
		}
	}
	for object, read := range download(ctx, v.bucket, objects) {
		if read.err != nil {
			v.unreadable(object, read.err)
			continue
		}
		v.unreadable(object, eachErrorLine(read.in, func(line []byte, _ int64) {
			if strings.HasPrefix(object.Key, v.opts.ErrorsPrefix) {
				if r, err := reject.Parse(line); err == nil {
					suspect(r.Data)
				}
			} else if f, err := reject.ParseFailure(line); err == nil {
				for text := range rowsOf(f.RawData) {
					suspect(text)
				}
			}
		}, func([]byte, int64, string) {}))
	}
	if len(suspects) == 0 {
		return
	}
	var data []byte
	for c := range v.newestFirst(ctx) {
		for s := range c.spans {
			for i := s.first; i <= s.last; i++ {
				data = c.make.Append(data[:0], c.records, i)
				for r := range c.compiled.records.Rows(data) {
					if r.Err == nil && suspects[string(r.Raw)] {
						v.sentLine(c, r)
					}
				}
			}
		}
		if len(v.sentLines) == len(suspects) {
			return
		}
	}
}

// sentLine keeps the rows that a line owes. Equal lines of several ticks owe equal rows.
func (v *verification) sentLine(c *claim, r record.Row) {
	line := string(r.Raw)
	if _, ok := v.sentLines[line]; ok {
		return
	}
	v.sentLines[line] = nil
	err := c.compiled.engine.Rows(&oneRow{fields: r.Fields}, true, func(key []byte) {
		v.sentLines[line] = append(v.sentLines[line], bytes.Clone(key))
	})
	if err != nil {
		v.undecided("tick %s cannot be judged: %v", c.Tick.Tick, err)
	}
}

// oneRow is one row of a record as the engine reads it.
type oneRow struct {
	fields []row.Field
	read   bool
}

func (l *oneRow) Next() bool {
	first := !l.read
	l.read = true
	return first
}

func (l *oneRow) Rewind() { l.read = false }

func (l *oneRow) Field(i int) (text []byte, null bool) { return l.fields[i].Text, l.fields[i].Null }
