package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/replay"
)

// spanBytes is about how many bytes of long rows are read again in the stream at a time.
const spanBytes = 32 << 20

// Why a row cannot be made again.
const (
	goneRecord = "the stream no longer holds their records"
	goneReject = "the function fails on their records, so Firehose owes them below the error prefix: send the records again"
)

// lost yields the missing and failed rows of a balance, in the order of arrival. The text of long rows is not kept, so
// they are read again in the stream.
func (a *audit) lost(ctx context.Context, result *proof.Result) iter.Seq2[replay.Loss, error] {
	return func(yield func(replay.Loss, error) bool) {
		var span []replay.Loss
		bytes := 0
		flush := func() bool {
			err := a.readAgain(ctx, span)
			for _, l := range span {
				if !yield(l, err) || err != nil {
					return false
				}
			}
			span, bytes = span[:0], 0
			return true
		}
		for loss := range result.Losses() {
			l := a.loss(loss)
			if isUnread(&l) {
				bytes += longSize(l.Key)
			}
			if span = append(span, l); (bytes > spanBytes || len(span) >= batchRecords) && !flush() {
				return
			}
		}
		flush()
	}
}

// loss says what a row is that is missing or failed, and what it is made of.
func (a *audit) loss(loss proof.Loss) replay.Loss {
	l := replay.Loss{Loss: loss, Rejected: isReject(loss.Key), Arrived: true}
	l.Key = slices.Clone(loss.Key)
	key := l.Key
	queried, _ := a.opts.Form.(*Queried)
	switch {
	case l.Rejected && a.opts.Transform != nil:
		l.Gone = goneReject
		return l
	case l.Rejected:
		key = key[1:]
	case queried != nil:
		l.Output = queried.Output()
		return l
	}
	if key[0] == shortMark {
		l.Line = key[1:]
		if len(l.Line) == 0 {
			l.Line = []byte{}
		}
	}
	return l
}

// isUnread reports whether the text of a row has to be read again.
func isUnread(l *replay.Loss) bool { return l.Output == nil && l.Line == nil && l.Gone == "" }

// longSize is how many bytes the row of a long key has.
func longSize(key []byte) int {
	if isReject(key) {
		key = key[1:]
	}
	n, _ := strconv.Atoi(string(key[1+startOf+sha256.Size:])) // appendKey wrote it
	return n
}

// readAgain sets the lines of the long rows among these.
func (a *audit) readAgain(ctx context.Context, span []replay.Loss) error {
	texts := map[string][]byte{}
	var from, until time.Time
	for i := range span {
		if l := &span[i]; isUnread(l) {
			if texts[string(l.Key)] = nil; from.IsZero() {
				from = l.Tick.Time
			}
			until = l.Tick.Time.Add(time.Second)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	var key []byte
	take := func(key, text []byte) {
		if known, wanted := texts[string(key)]; wanted && known == nil {
			texts[string(key)] = slices.Clone(text)
		}
	}
	for record, err := range a.stream.Records(ctx, from, until) {
		if err != nil {
			return fmt.Errorf("read stream %s again: %s", a.stream.Name(), plain(err, streamPermissions))
		}
		if data, ok := record.owes(); ok {
			verbatim(data, func(row []byte) {
				key = appendKey(key[:0], row)
				take(key, row)
			})
		}
		if queried, ok := a.opts.Form.(*Queried); ok {
			for part := range queried.parts(record.Data) {
				key = appendReject(key[:0], part)
				take(key, part)
			}
		}
	}
	for i := range span {
		if l := &span[i]; isUnread(l) {
			if l.Line = texts[string(l.Key)]; l.Line == nil {
				l.Gone = goneRecord
			}
		}
	}
	return nil
}
