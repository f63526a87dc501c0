package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/stream"
)

// A brokenStream cannot be asked for how long it holds records, or cannot be read.
type brokenStream struct {
	fakeStream
	held       time.Time
	heldErr    error
	recordsErr error
}

func (b brokenStream) Held(context.Context, time.Time) (time.Time, error) { return b.held, b.heldErr }

func (b brokenStream) Records(ctx context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for r, err := range b.fakeStream.Records(ctx, from, until) {
			if !yield(r, err) {
				return
			}
		}
		if b.recordsErr != nil {
			yield(audit.Record{}, b.recordsErr)
		}
	}
}

func refusal(code, message string) error {
	return fmt.Errorf("read: %w", &smithy.GenericAPIError{Code: code, Message: message})
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text)) // a Buffer never fails
	_ = w.Close()
	return out.String()
}

// Where something cannot be read, the audit of a pipeline that has lost nothing is UNDECIDED, with one sentence that
// says what to do; without the fault it is PROVEN.
func TestWhatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*brokenStream, *fakeBucket)
		says   string // empty for PROVEN
	}{
		"nothing wrong": {change: func(*brokenStream, *fakeBucket) {}},
		"gzip":          {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = zipped("a\n") }},
		"Parquet":       {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = "PAR1\x15\x04a\n" }, says: "Parquet is not read"},
		"ORC":           {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = "ORC\x01a\n" }, says: "ORC is not read"},
		"Avro":          {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = "Obj\x01a\n" }, says: "Avro is not read"},
		"Snappy":        {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = "\xff\x06\x00\x00sNaPpYa\n" }, says: "Snappy is not read"},
		"Snappy without a mark": {
			change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].Key = "orders/1.hsnappy" }, says: "Snappy is not read",
		},
		"ZIP":              {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = "PK\x03\x04a\n" }, says: "ZIP is not read"},
		"gzip within gzip": {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = zipped(zipped("a\n")) }, says: "gzip"},
		"cut off":          {change: func(_ *brokenStream, b *fakeBucket) { b.objects[0].data = zipped("a\n")[:20] }, says: "unexpected EOF"},
		"no permission":    {change: func(_ *brokenStream, b *fakeBucket) { b.refuses = refusal("AccessDenied", "Access Denied") }, says: "these credentials need s3:ListBucket"},
		"encrypted, and no permission for the key": {
			change: func(_ *brokenStream, b *fakeBucket) {
				b.refuses = refusal("AccessDenied", "User: arn:aws:iam::1:user/a is not authorized to perform: kms:Decrypt")
			},
			says: "need kms:Decrypt",
		},
		"its key is disabled": {change: func(_ *brokenStream, b *fakeBucket) { b.refuses = refusal("KMS.DisabledException", "disabled") }, says: "on a key that is enabled"},
		"encrypted by its writer": {
			change: func(_ *brokenStream, b *fakeBucket) {
				b.refuses = refusal("InvalidRequest", "The object was stored using a form of Server Side Encryption.")
			},
			says: "only its writer holds",
		},
		"archived":  {change: func(_ *brokenStream, b *fakeBucket) { b.refuses = refusal("InvalidObjectState", "GLACIER") }, says: "it is archived"},
		"deleted":   {change: func(_ *brokenStream, b *fakeBucket) { b.refuses = refusal("NoSuchKey", "no such key") }, says: "it was deleted"},
		"rewritten": {change: func(_ *brokenStream, b *fakeBucket) { b.refuses = bucket.ErrRewritten }, says: "written again"},
		"no stream": {
			change: func(s *brokenStream, _ *fakeBucket) { s.heldErr = refusal("ResourceNotFoundException", "no orders") }, says: "there is no such stream",
		},
		"no permission on the stream": {
			change: func(s *brokenStream, _ *fakeBucket) { s.recordsErr = refusal("AccessDeniedException", "no") }, says: "these credentials need kinesis:DescribeStreamSummary",
		},
		"the stream's key": {
			change: func(s *brokenStream, _ *fakeBucket) { s.recordsErr = refusal("KMSAccessDeniedException", "no") }, says: "need kms:Decrypt",
		},
		"a shard is gone": {
			change: func(s *brokenStream, _ *fakeBucket) { s.recordsErr = fmt.Errorf("read a: %w", stream.ErrTrimmed) }, says: "a shard, or a part of it, is gone",
		},
		"retention ends in the window": {
			change: func(s *brokenStream, _ *fakeBucket) { s.held = start.Add(-30 * time.Second) }, says: "retention is over",
		},
		"retention ends behind the window": {
			change: func(s *brokenStream, _ *fakeBucket) { s.held = start.Add(time.Hour) }, says: "retention is over",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &brokenStream{fakeStream: fakeStream{
				{Shard: "a", SequenceNumber: "1", PartitionKey: "k", Arrival: start.Add(50 * time.Second), Data: []byte("a\n")},
			}}
			h := &history{}
			h.bucket.now = start.Add(2 * time.Hour)
			h.put("orders/1", start.Add(55*time.Second), "a\n")
			h.put("orders/2", start.Add(56*time.Second), "")
			test.change(s, &h.bucket)
			r := audit.Run(t.Context(), s, &h.bucket, audit.Options{
				From: start, To: start.Add(time.Minute), Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Minute},
			})
			if test.says == "" {
				if r.Verdict != proof.Proven {
					t.Errorf("%s: %q, want PROVEN", r.Verdict, r.Reasons)
				}
				return
			}
			if r.Verdict != proof.Undecided || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], test.says) {
				t.Errorf("%s: %q, want UNDECIDED with one reason that says %q", r.Verdict, r.Reasons, test.says)
			}
		})
	}
}

// However many objects cannot be read for the same cause, that is one reason.
func TestManyUnread(t *testing.T) {
	h := &history{}
	h.bucket.now, h.bucket.refuses = start.Add(2*time.Hour), refusal("AccessDenied", "no")
	for i := range 100 {
		h.put(fmt.Sprintf("orders/%02d", i), start.Add(time.Second), "a\n")
	}
	r := audit.Run(t.Context(), fakeStream{}, &h.bucket, audit.Options{
		From: start, To: start.Add(time.Minute), Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: time.Minute},
	})
	if len(r.Reasons) != 1 || !strings.HasPrefix(r.Reasons[0], "read 100 objects, such as s3://lake/orders/00: access is denied") {
		t.Errorf("reasons %q, want one on 100 objects", r.Reasons)
	}
}
