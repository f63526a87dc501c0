package verifier

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

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
func (v *verification) findRejects(data io.Reader) error {
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

// findFailures reads an object of records that could not be transformed: their rows failed.
func (v *verification) findFailures(data io.Reader) error {
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

// failLine takes a record's line that stands under an error prefix as it was sent. It reports whether the ledger owes
// rows for it.
func (v *verification) failLine(line []byte, number int64, reason string) bool {
	rows := v.sentLines[string(line)]
	for _, key := range rows {
		v.judge.Fail(key, number, reason)
	}
	return len(rows) > 0
}
