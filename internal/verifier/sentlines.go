package verifier

import (
	"bytes"
	"context"
	"strings"

	"streamproof/internal/bucket"
	"streamproof/internal/record"
	"streamproof/internal/reject"
	"streamproof/internal/replay"
	"streamproof/internal/sieve"
)

// suspectBytes is what a suspect takes beside its own bytes.
const suspectBytes = 64

// suspects are well-formed lines of records that stand under an error prefix. As with unmatched rows (see package
// proof), their memory is bounded: when there are too many, the claims are searched. The first search fills a sieve, so
// that lines that no claim has sent are not held again.
type suspects struct {
	lines map[sentLine]bool
	bytes int
	sieve *sieve.Sieve // of all lines that claims have sent; nil until the limit was reached
}

// findSentLines looks among the error objects for well-formed lines of records. There should be none. If there are, all
// records are regenerated to find those lines and the rows that they owe.
func (v *verification) findSentLines(ctx context.Context, objects []bucket.Object) {
	s := &v.suspects
	suspectOf := func(t *tally, line []byte) {
		of := sentLine{t, string(line)}
		if _, known := v.sentLines[of]; known || s.lines[of] || s.sieve != nil && !s.sieve.MayHave(line) {
			return
		}
		if v.ledger.IsLine(line) {
			s.lines[of] = true
			s.bytes += len(line) + suspectBytes
		}
		if s.bytes >= v.opts.hold {
			first := s.sieve == nil
			if first {
				s.sieve = sieve.New(v.opts.hold)
			}
			v.findSuspects(ctx, first)
		}
	}
	for object, content := range bucket.ReadAhead(ctx, v.bucket, objects) {
		suspect := func(line []byte) {
			for t := range v.judges {
				if t.Until.IsZero() || !t.Until.Before(object.LastModified) {
					suspectOf(t, line)
				}
			}
		}
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

// findSuspects finds the suspects that a claim has sent and drops the others. It may fill the sieve meanwhile.
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
		t := v.claimed(c)
		if t == nil || t.judge == nil || c.Refused() != nil {
			continue
		}
		for r := range c.Lines {
			if fill {
				s.sieve.Add(r.Raw)
			}
			if of := (sentLine{t, string(r.Raw)}); s.lines[of] {
				delete(s.lines, of)
				v.sentLine(ctx, of, c, r)
			}
		}
		if done() {
			return
		}
	}
}

// A sentLine is a line that an epoch's records may have.
type sentLine struct {
	of   *tally
	line string
}

// sentLine keeps the rows that a line owes. Equal lines of several ticks of an epoch owe equal rows.
func (v *verification) sentLine(ctx context.Context, line sentLine, c *replay.Claim, r record.Row) {
	if _, ok := v.sentLines[line]; ok {
		return
	}
	v.sentLines[line] = nil
	err := c.RowsOf(r, func(key []byte) { v.sentLines[line] = append(v.sentLines[line], bytes.Clone(key)) })
	v.failed(ctx, c, err)
}
