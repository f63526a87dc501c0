package firehose

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyrand "github.com/aws/smithy-go/rand"
	"github.com/cenkalti/backoff/v5"
)

const (
	// lookInterval is how old a delivery stream's definition may be.
	lookInterval = time.Second
	// https://docs.aws.amazon.com/firehose/latest/dev/retry.html
	retention  = 24 * time.Hour
	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Second
	// https://aws.amazon.com/firehose/pricing/
	billingUnit = 5 << 10
)

// Stats count what a delivery stream has done since the server started.
type Stats struct {
	Records       int64 // accepted
	Bytes         int64 // of their data
	BilledBytes   int64 // the same with each record rounded up to the next 5 KB, that is 5,120 bytes
	Objects       int64 // written, including those of failed records
	FailedRecords int64 // that could not be transformed
}

// Waiting are the records that a delivery stream has accepted and not written yet.
type Waiting struct {
	Records int64     `json:"records"`
	Bytes   int64     `json:"bytes"`
	Since   time.Time `json:"since,omitzero"` // when the oldest of them arrived
}

func (w Waiting) with(more Waiting) Waiting {
	w.Records += more.Records
	w.Bytes += more.Bytes
	if w.Since.IsZero() || !more.Since.IsZero() && more.Since.Before(w.Since) {
		w.Since = more.Since
	}
	return w
}

// A stream is a delivery stream at work: processing passes records on to ok and failed, which become objects.
type stream struct {
	server *Server
	name   string

	mu         sync.Mutex                 // of asking the emulator
	looked     time.Time                  // when that last succeeded
	definition atomic.Pointer[definition] // the last good one

	processing, ok, failed *buffer
	writes                 sync.WaitGroup // those of a hook

	records, bytes, billed, objects, failedRecords, pending atomic.Int64
}

// look returns the delivery stream's definition, asking the emulator at most once a second.
func (s *stream) look(ctx context.Context) (*definition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) < lookInterval {
		return s.definition.Load(), nil
	}
	d, err := s.server.describe(ctx, s.name)
	if err != nil {
		return nil, err
	}
	if s.processing == nil {
		s.start()
	}
	s.definition.Store(d)
	s.looked = time.Now()
	return d, nil
}

func (s *stream) start() {
	size := func() (int, time.Duration) { d := s.definition.Load(); return d.size, d.interval }
	s.ok = newBuffer(size, func(records []record) { s.deliver(records, false) })
	// The pages do not mention buffering of failed records. The hints are the destination's, and so are these records.
	s.failed = newBuffer(size, func(records []record) { s.deliver(records, true) })
	// Transformed data is buffered again: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
	s.processing = newBuffer(func() (int, time.Duration) {
		if p := s.definition.Load().processor; p != nil {
			return p.size, p.interval
		}
		return 0, 0
	}, s.process)
}

func (s *stream) end() {
	s.processing.end()
	s.ok.end()
	s.failed.end()
	s.writes.Wait()
}

func (s *stream) stats() Stats {
	return Stats{s.records.Load(), s.bytes.Load(), s.billed.Load(), s.objects.Load(), s.failedRecords.Load()}
}

func (s *stream) waiting() Waiting {
	return s.processing.waiting().with(s.ok.waiting()).with(s.failed.waiting())
}

func (s *stream) take(records []record) {
	for _, r := range records {
		n := int64(len(r.data))
		s.records.Add(1)
		s.bytes.Add(n)
		s.billed.Add((n + billingUnit - 1) / billingUnit * billingUnit)
	}
	s.pending.Add(int64(len(records)))
	s.processing.add(records...)
}

// latest returns the definition for records that were accepted already: the last good one if the emulator does not
// answer, or if its answer is not supported.
func (s *stream) latest() *definition {
	d, err := s.look(s.server.ctx)
	if err != nil {
		s.server.log.Warn("the delivery stream is gone or no longer supported: its records go by its last definition", "stream", s.name, "error", err)
		return s.definition.Load()
	}
	return d
}

func (s *stream) process(records []record) {
	d := s.latest()
	if d.processor == nil {
		s.ok.add(records...)
		return
	}
	for len(records) > 0 {
		n := fitting(records)
		ok, failed, dropped, err := s.transform(s.server.ctx, d, records[:n])
		if err != nil {
			return // ended by force: Close counts them
		}
		s.pending.Add(int64(-dropped))
		s.failedRecords.Add(int64(len(failed)))
		s.ok.add(ok...)
		s.failed.add(failed...)
		records = records[n:]
	}
}

// deliver makes an object of the records, with nothing between them.
// https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
func (s *stream) deliver(records []record, failed bool) {
	o, err := s.object(s.latest(), records, failed)
	if err != nil {
		s.server.log.Error("an object is lost", "stream", s.name, "error", err) // only if the random source fails
		return
	}
	hook := s.server.hooks.Load().Write
	if hook == nil {
		if err := s.put(o); err == nil || errors.Is(err, errDeleted) {
			s.pending.Add(int64(-o.records))
		}
		return
	}
	s.writes.Go(func() {
		if err := hook(s.server.closing, o, s.put); err != nil {
			s.server.log.Warn("the hook of an object failed", "key", o.Key, "error", err)
			return
		}
		s.pending.Add(int64(-o.records))
	})
}

// object names an object: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
// Its compression and its extension are the destination's, for failed records too: the pages make no exception.
// They do not mention Content-Encoding, but GZIP objects of Firehose have it.
func (s *stream) object(d *definition, records []record, failed bool) (Object, error) {
	oldest, prefix, extension := records[0].arrived, d.ok, ""
	var body bytes.Buffer
	for _, r := range records {
		body.Write(r.data)
		// https://docs.aws.amazon.com/firehose/latest/dev/create-transform.html
		if d.newline && !failed {
			body.WriteByte('\n')
		}
		if r.arrived.Before(oldest) {
			oldest = r.arrived
		}
	}
	o := Object{Stream: s.name, Bucket: d.bucket, Body: body.Bytes(), Failed: failed, by: d, records: len(records)}
	if d.gzip {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		if _, err := w.Write(o.Body); err != nil {
			return o, err
		}
		if err := w.Close(); err != nil {
			return o, err
		}
		o.Body, o.encoding, extension = zipped.Bytes(), "gzip", ".gz"
	}
	if failed {
		prefix = d.failed
	}
	id, err := smithyrand.NewUUID(rand.Reader).GetUUID()
	// The pages do not say which time is in the name. Here it is that of the prefix.
	o.Key = fmt.Sprintf("%s%s-%s-%s-%s%s", prefix.evaluate(oldest), s.name, d.version, oldest.UTC().Format("2006-01-02-15-04-05"), id, extension)
	return o, err
}

// errDeleted reports that a delivery stream was deleted with records in its buffers, for which AWS promises nothing.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeleteDeliveryStream.html
var errDeleted = errors.New("the delivery stream was deleted before everything it held was written")

// deleted reports whether the emulator no longer has the delivery stream. Its role and bucket are deleted with its
// stack.
func (s *stream) deleted() bool {
	_, err := s.look(s.server.ctx)
	var answer *Error
	return errors.As(err, &answer) && answer.Code == "ResourceNotFoundException"
}

// put writes the object as the delivery stream's role, and retries for as long as Firehose keeps data.
func (s *stream) put(o Object) error {
	put := func() (struct{}, error) {
		role := s.server.role(o.by.role, o.by.account)
		input := &s3.PutObjectInput{Bucket: &o.Bucket, Key: &o.Key, Body: bytes.NewReader(o.Body), ContentType: aws.String("application/octet-stream")}
		if o.encoding != "" {
			input.ContentEncoding = &o.encoding
		}
		_, err := role.s3.PutObject(s.server.ctx, input)
		if err != nil {
			role.credentials.Invalidate() // the next attempt gets new ones
			if s.deleted() {
				return struct{}{}, backoff.Permanent(errors.Join(errDeleted, err))
			}
		}
		return struct{}{}, err
	}
	pause := &backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: maxPause, Multiplier: 2, RandomizationFactor: 0.5}
	_, err := backoff.Retry(s.server.ctx, put, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(retention),
		backoff.WithNotify(func(err error, wait time.Duration) {
			s.server.log.Warn("an object is not written yet", "role", o.by.role, "bucket", o.Bucket, "key", o.Key, "again in", wait, "error", err)
			code := "InternalFailure"
			if api := smithy.APIError(nil); errors.As(err, &api) {
				code = api.ErrorCode()
			}
			s.logError(o.by, "S3."+code, err.Error())
		}))
	if err != nil {
		s.server.log.Error("an object is lost", "role", o.by.role, "bucket", o.Bucket, "key", o.Key, "error", err)
		return fmt.Errorf("put s3://%s/%s as %s: %w", o.Bucket, o.Key, o.by.role, err)
	}
	s.objects.Add(1)
	return nil
}
