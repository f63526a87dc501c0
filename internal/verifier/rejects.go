package verifier

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"streamproof/internal/bucket"
	"streamproof/internal/record"
	"streamproof/internal/reject"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/sieve"
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

// Reasons are text from outside: of each, so many bytes are told, and beyond so many reasons the rest are counted together.
const (
	maxRejectReasons = 100
	maxReasonBytes   = 200
	otherReasons     = "other reasons"
)

func (v *verification) countReject(prefix, reason string) {
	why := rejectReason{prefix, shorten(reason)}
	if _, ok := v.rejects[why]; !ok && len(v.rejects) >= maxRejectReasons {
		why.reason = otherReasons
	}
	v.rejects[why]++
}

// shorten gives at most the first maxReasonBytes of a text, without a part of a character at its end.
func shorten(text string) string {
	if len(text) <= maxReasonBytes {
		return text
	}
	end := maxReasonBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + "…"
}

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
	v.judge.Object(object.Key, object.ETag, object.LastModified)
	var key []byte
	return eachErrorLine(data, func(line []byte, number int64) error {
		r, err := reject.Parse(line)
		if err != nil {
			return err
		}
		v.countReject(v.opts.ErrorsPrefix, r.Reason)
		reason := r.Reason
		if r.Column != "" {
			reason += ", column " + r.Column
		}
		reason = shorten(reason)
		switch {
		case r.Parts > 0: // the producer makes no line of such a length
			v.judge.Foreign(r.Data, number, reason)
		case !v.failLine(r.Data, number, reason):
			key = rejectKey(key[:0], r.Data)
			v.judge.Reject(key, number, reason)
		}
		return nil
	}, v.judge.Corrupt)
}

// findFailures reads an object of records that Firehose could not have transformed: their rows failed.
func (v *verification) findFailures(object bucket.Object, data io.Reader) error {
	v.judge.Object(object.Key, object.ETag, object.LastModified)
	var key []byte
	return eachErrorLine(data, func(line []byte, number int64) error {
		f, err := reject.ParseFailure(line)
		if err != nil {
			return err
		}
		v.countReject(v.opts.FailedPrefix(), f.ErrorCode)
		reason := shorten(f.ErrorCode + ": " + f.ErrorMessage)
		for text := range rowsOf(f.RawData) {
			if key, err = v.output.Append(key[:0], text); err == nil {
				v.judge.Fail(key, number, reason)
			} else if !v.failLine(text, number, reason) {
				v.judge.Foreign(text, number, reason)
			}
		}
		return nil
	}, v.judge.Corrupt)
}

func eachErrorLine(data io.Reader, take func(line []byte, number int64) error, corrupt func(line []byte, number int64, reason string)) error {
	_, err := eachLine(data, maxErrorLine, take, corrupt)
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

// suspectBytes is what a suspect takes beside its own bytes.
const suspectBytes = 64

// suspects are well-formed lines of records that stand under an error prefix. As with unmatched rows (see package proof), their
// memory is bounded: when there are too many the claims are asked, and the first pass fills a sieve, so that lines which no
// claim has sent are not held again.
type suspects struct {
	lines map[string]bool
	bytes int
	sieve *sieve.Sieve // of all lines that claims have sent; nil until the limit was reached
}

// findSentLines looks among the error objects for well-formed lines of records. There should be none; where there are, all
// records are made again to find those lines and the rows that they owe.
func (v *verification) findSentLines(ctx context.Context, objects []bucket.Object) {
	s := &v.suspects
	suspect := func(line []byte) {
		if _, known := v.sentLines[string(line)]; known || s.lines[string(line)] || s.sieve != nil && !s.sieve.MayHave(line) {
			return
		}
		if v.ledger.IsLine(line) {
			s.lines[string(line)] = true
			s.bytes += len(line) + suspectBytes
		}
		if s.bytes >= v.opts.hold {
			first := s.sieve == nil
			if first {
				s.sieve = sieve.New(sieve.Size)
			}
			v.findSuspects(ctx, first)
		}
	}
	for object, content := range bucket.ReadAhead(ctx, v.bucket, objects) {
		v.unreadable(object, eachErrorLine(content, func(line []byte, _ int64) error {
			if strings.HasPrefix(object.Key, v.opts.ErrorsPrefix) {
				if r, err := reject.Parse(line); err == nil {
					suspect(r.Data)
				}
			} else if f, err := reject.ParseFailure(line); err == nil {
				for text := range rowsOf(f.RawData) {
					suspect(text)
				}
			}
			return nil
		}, func([]byte, int64, string) {}))
	}
	v.findSuspects(ctx, false)
}

// findSuspects finds the suspects that a claim has sent, and forgets the others. It may fill the sieve meanwhile.
func (v *verification) findSuspects(ctx context.Context, fill bool) {
	s := &v.suspects
	defer func() {
		clear(s.lines)
		s.bytes = 0
	}()
	done := func() bool { return len(s.lines) == 0 && !fill || v.stopped(ctx) }
	if done() {
		return
	}
	for c := range v.newestFirst(ctx) {
		for r := range c.Lines {
			if fill {
				s.sieve.Add(r.Raw)
			}
			if s.lines[string(r.Raw)] {
				delete(s.lines, string(r.Raw))
				v.sentLine(ctx, c, r)
			}
		}
		if done() {
			return
		}
	}
}

// sentLine keeps the rows that a line owes. Equal lines of several ticks owe equal rows.
func (v *verification) sentLine(ctx context.Context, c *replay.Claim, r record.Row) {
	line := string(r.Raw)
	if _, ok := v.sentLines[line]; ok {
		return
	}
	v.sentLines[line] = nil
	err := c.RowsOf(r, func(key []byte) { v.sentLines[line] = append(v.sentLines[line], bytes.Clone(key)) })
	v.notJudged(ctx, c, err)
}
