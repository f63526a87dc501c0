package verifier

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"streamproof/internal/bucket"
	"streamproof/internal/reject"
	"streamproof/internal/report"
)

// malformed precedes a line that is owed as a reject, so that its key is not that of any row (see package row).
const malformed = 2

func rejectKey(dst, line []byte) []byte { return append(append(dst, malformed), line...) }

// A rejectReason is what lines under the error prefixes are counted by.
type rejectReason struct{ prefix, reason string }

// Reasons are text from outside: each is cut to so many bytes, and beyond so many reasons the rest are counted
// together.
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

// findRejects reads an object of the application's rejects. A reject pays for a line that was malformed on purpose. A
// well-formed line that the ledger owes rows for makes those rows failed. The rest are foreign.
func (v *verification) findRejects(o bucket.Object, live []*tally, data io.Reader) error {
	var key []byte
	own := live[0]
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
		key = rejectKey(key[:0], r.Data)
		switch t := v.paid(o, live, r.Data, key); {
		case t != nil:
			if !v.failLine(t, r.Data, number, reason) {
				t.judge.Reject(key, number, reason)
			}
		case own.judge == nil:
			own.said.Seen.Rejects++
		case r.Parts > 0: // the producer makes no line of such a length
			own.judge.Foreign(r.Data, number, reason)
		case !v.failLine(own, r.Data, number, reason):
			own.judge.Reject(key, number, reason)
		}
		return nil
	}, func(line []byte, number int64, reason string) { own.corrupt(o, line, number, reason) })
}

// paid returns the oldest of several epochs in which a reject would pay for something: by its key, or as a line that
// was sent. It is nil where there is none, and where there is but one epoch.
func (v *verification) paid(o bucket.Object, live []*tally, line, key []byte) *tally {
	if live[0].in(o); len(live) == 1 {
		return nil
	}
	for t := range v.judges {
		open := t.judge.Open(key) || slices.ContainsFunc(v.sentLines[sentLine{t, string(line)}], t.judge.Open)
		if open && slices.Contains(live, t) {
			t.in(o)
			return t
		}
	}
	return nil
}

// findFailures reads an object of records that could not be transformed: their rows failed.
func (v *verification) findFailures(o bucket.Object, live []*tally, data io.Reader) error {
	own := live[0]
	return eachErrorLine(data, func(line []byte, number int64) error {
		f, err := reject.ParseFailure(line)
		if err != nil {
			return err
		}
		v.countReject(v.opts.FailedPrefix(), f.ErrorCode)
		reason := shorten(f.ErrorCode + ": " + f.ErrorMessage)
		for text := range rowsOf(f.RawData) {
			v.findFailure(o, live, text, number, reason)
		}
		return nil
	}, func(line []byte, number int64, reason string) { own.corrupt(o, line, number, reason) })
}

// findFailure takes one row that could not be transformed, or one line as it was sent.
func (v *verification) findFailure(o bucket.Object, live []*tally, text []byte, number int64, reason string) {
	to := live[0]
	if to.in(o); len(live) > 1 {
		for t := range v.judges {
			key, err := t.fits(nil, text, false)
			open := err == nil && t.judge.Open(key) || slices.ContainsFunc(v.sentLines[sentLine{t, string(text)}], t.judge.Open)
			if open && slices.Contains(live, t) {
				to = t
				break
			}
		}
	}
	to.in(o)
	if to.judge == nil {
		to.said.Seen.Failures++
	} else if key, err := to.Output.Append(nil, text); err == nil {
		to.judge.Fail(key, number, reason)
	} else if !v.failLine(to, text, number, reason) {
		to.judge.Foreign(text, number, reason)
	}
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

// failLine takes a record's line that stands under an error prefix as it was sent. It reports whether the ledger owes
// rows for it.
func (v *verification) failLine(t *tally, line []byte, number int64, reason string) bool {
	rows := v.sentLines[sentLine{t, string(line)}]
	for _, key := range rows {
		t.judge.Fail(key, number, reason)
	}
	return len(rows) > 0
}
