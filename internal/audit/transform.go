package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"streamproof/internal/reject"
)

// invoker is the one call that is made.
type invoker interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

var _ invoker = (*lambda.Client)(nil)

const (
	// Firehose invokes a function for up to five minutes, and by default up to three times again.
	// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
	invocationTimeout = 5 * time.Minute
	invocations       = 4
	// What a batch has at most by default, before its data is in base64.
	defaultBatchBytes = 1 << 20
	defaultBatchTime  = time.Minute
)

// A Transform is the function of a delivery stream. It is asked what it makes of the records, with the events that
// Firehose makes: so it does again whatever else it does. It needs lambda:InvokeFunction.
type Transform struct {
	Client   invoker
	Pipeline *Pipeline
	Region   string
}

// An Answer is what the function makes of a record.
type Answer struct {
	Result string // Ok, Dropped or ProcessingFailed
	Data   []byte // if it is Ok
}

// An askError says why it is not known what the function makes of a record.
type askError struct {
	function string
	err      error
}

func (e *askError) Error() string {
	return fmt.Sprintf("ask the function %s what it makes of the records: %v: without its answer nothing can be proven", e.function, e.err)
}

func (e *askError) Unwrap() error { return e.err }

// function is the function's ARN.
func (t *Transform) function() string { return t.Pipeline.Functions[0] }

// ask sets the records' answers.
func (t *Transform) ask(ctx context.Context, records []Record) error {
	event := events.KinesisFirehoseEvent{
		DeliveryStreamArn: t.Pipeline.ARN, SourceKinesisStreamArn: t.Pipeline.StreamARN, Region: t.Region,
		Records: make([]events.KinesisFirehoseEventRecord, len(records)),
	}
	for i := range records {
		event.Records[i] = t.eventRecord(i, &records[i])
	}
	for attempt := 1; ; attempt++ {
		event.InvocationID = fmt.Sprintf("streamproof-audit-%d-%d", time.Now().UnixNano(), attempt)
		err := t.invoke(ctx, event, records)
		if err == nil {
			return nil
		}
		if attempt == invocations || ctx.Err() != nil {
			return &askError{t.function(), err}
		}
	}
}

func (t *Transform) eventRecord(i int, r *Record) events.KinesisFirehoseEventRecord {
	arrived := events.MilliSecondsEpochTime{Time: r.Arrival}
	record := events.KinesisFirehoseEventRecord{
		RecordID: fmt.Sprintf("%s%06d", r.SequenceNumber, i), ApproximateArrivalTimestamp: arrived, Data: r.Data,
		KinesisFirehoseRecordMetadata: events.KinesisFirehoseRecordMetadata{
			ShardID: r.Shard, PartitionKey: r.PartitionKey, SequenceNumber: r.SequenceNumber, ApproximateArrivalTimestamp: arrived,
		},
	}
	if r.Aggregate != nil {
		record.KinesisFirehoseRecordMetadata.SubsequenceNumber = int64(r.Aggregate.Position - 1)
	}
	return record
}

// invoke makes one attempt. An answer that does not follow the status model is an error:
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
func (t *Transform) invoke(ctx context.Context, event events.KinesisFirehoseEvent, records []Record) error {
	ctx, cancel := context.WithTimeout(ctx, invocationTimeout)
	defer cancel()
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	out, err := t.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(t.function()), Payload: payload})
	if err != nil {
		return fmt.Errorf("%s", plain(err, "lambda:InvokeFunction on it"))
	}
	if out.FunctionError != nil {
		return fmt.Errorf("it failed: %s: %.300s", *out.FunctionError, out.Payload)
	}
	var answer events.KinesisFirehoseResponse
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		return fmt.Errorf("its answer is not that of a transform: %w", err)
	}
	byID := map[string]*events.KinesisFirehoseResponseRecord{}
	for i := range answer.Records {
		r := &answer.Records[i]
		if byID[r.RecordID] != nil {
			return fmt.Errorf("it answers record %s twice", r.RecordID)
		}
		byID[r.RecordID] = r
	}
	for i := range records {
		id := event.Records[i].RecordID
		r := byID[id]
		if r == nil {
			return fmt.Errorf("it does not answer record %s", id)
		}
		switch r.Result {
		case events.KinesisFirehoseTransformedStateOk, events.KinesisFirehoseTransformedStateDropped, events.KinesisFirehoseTransformedStateProcessingFailed:
			records[i].Answer = &Answer{Result: r.Result, Data: r.Data}
		default:
			return fmt.Errorf("it answers record %s with the result %q", id, r.Result)
		}
	}
	return nil
}

// An askedStream is a stream whose records have the answers of a function.
type askedStream struct {
	Stream
	transform *Transform
}

// Records asks for batches as Firehose makes them: by their size, and by the time between first and last.
func (s *askedStream) Records(ctx context.Context, from, until time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var batch []Record
		size := 0
		flush := func() bool {
			if len(batch) == 0 {
				return true
			}
			if err := s.transform.ask(ctx, batch); err != nil {
				yield(Record{}, err)
				return false
			}
			for _, r := range batch {
				if !yield(r, nil) {
					return false
				}
			}
			batch, size = nil, 0
			return true
		}
		for r, err := range s.Stream.Records(ctx, from, until) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			full := len(batch) > 0 && (size+len(r.Data) > s.transform.Pipeline.BatchBytes || r.Arrival.Sub(batch[0].Arrival) > s.transform.Pipeline.BatchTime)
			if full && !flush() {
				return
			}
			batch, size = append(batch, r), size+len(r.Data)
		}
		flush()
	}
}

// owes is what of a record its rows are made of; false if it owes none.
func (r *Record) owes() (data []byte, ok bool) {
	if r.Answer == nil {
		return r.Data, true
	}
	return r.Answer.Data, r.Answer.Result == events.KinesisFirehoseTransformedStateOk
}

// fails reports whether the function answers that it cannot process the record. Firehose delivers it as it was, below
// the error prefix: so it is owed as a reject.
func (r *Record) fails() bool {
	return r.Answer != nil && r.Answer.Result == events.KinesisFirehoseTransformedStateProcessingFailed
}

// asking is failed records of which the function is asked what they owe.
type asking struct {
	audit   *audit
	records []Record
	reasons []string
	lines   []int64
	size    int
	err     error // of the function
}

// add takes a failed record, and asks when the batch is full.
func (b *asking) add(ctx context.Context, f *reject.Failure, line int64) {
	if b.size+len(f.RawData) > b.audit.pipeline.BatchBytes {
		b.flush(ctx)
	}
	b.records = append(b.records, Record{Data: f.RawData})
	b.reasons, b.lines, b.size = append(b.reasons, reasonOf(f)), append(b.lines, line), b.size+len(f.RawData)
}

// flush has the rows that the records owe fail. A record that the function always fails on is where it is owed.
func (b *asking) flush(ctx context.Context) {
	a := b.audit
	if len(b.records) > 0 && b.err == nil {
		b.err = a.opts.Transform.ask(ctx, b.records)
	}
	for i := range b.records {
		r := &b.records[i]
		if b.err != nil {
			break
		}
		if r.fails() {
			a.judge.Reject(appendReject(nil, r.Data), b.lines[i], b.reasons[i])
			continue
		}
		rows := 0
		if data, ok := r.owes(); ok {
			b.err = a.opts.Form.Owed([][]byte{data}, true, func(key []byte) {
				rows++
				a.judge.Fail(key, b.lines[i], b.reasons[i])
			})
		}
		if rows == 0 {
			a.judge.Foreign(r.Data, b.lines[i], b.reasons[i])
		}
	}
	b.records, b.reasons, b.lines, b.size = nil, nil, nil, 0
}
