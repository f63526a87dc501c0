package reshape

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/encoding"
	"streamproof/internal/metrics"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/record"
	"streamproof/internal/row"
	"streamproof/internal/schema"
	"streamproof/internal/stream/kpl"
)

// MaxAnswer is the most bytes of an answer: Lambda's limit of 6 MB, to which Lambda itself adds 100 bytes
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The template's BufferSizeInMBs keeps
// answers below it: see docs/transform.md.
const MaxAnswer = 6 << 20

// A Handler answers the events of a Firehose transformation. It may be used from many goroutines at once.
type Handler struct {
	output, trips shape
	// foreign: a record of trips is not lines of plain CSV. If it is not rows of the output, it is read as one record.
	foreign bool
	// apart: no line of CSV is both a row of the output and a trip, so either may be tried first. They have different
	// numbers of columns, and more than one: a single text column would hold any line.
	apart   bool
	log     *slog.Logger
	stack   string    // "" for no metrics
	metrics io.Writer // a line a call
	scratch sync.Pool // of *scratch
}

// A shape is a kind of row that may come in, and how it goes out.
type shape struct {
	schema row.Schema
	write  row.Writer
}

// scratch is memory that is used again for the next event.
type scratch struct {
	data, key, rows []byte
	fields          []row.Field
	reader          *record.Reader // of trips
	trips           bool           // the last line of CSV was a trip
	answer          int            // size of the last answer, which predicts that of the next
	transformed     int            // rows in this event's answer
}

// New returns a handler for the rows of a pipeline. It writes metrics to the function's log, where CloudWatch reads
// them; the writer must accept lines from many goroutines at once, as os.Stdout does.
func New(config Config, p *pipeline.Pipeline, log *slog.Logger, metrics io.Writer) (*Handler, error) {
	output, err := query.Destination(p)
	if err != nil {
		return nil, err
	}
	h := &Handler{
		output: shape{schema: output}, trips: shape{schema: row.Of(p.Schema)},
		log: log, stack: config.StackName, metrics: metrics,
	}
	h.apart = len(h.output.schema) != len(h.trips.schema) && min(len(h.output.schema), len(h.trips.schema)) > 1
	for _, s := range []*shape{&h.output, &h.trips} {
		s.write = s.schema.JSON()
		if config.Output == CSV {
			s.write = s.schema.CSV(config.Delimiter[0])
		}
	}
	h.foreign = !isPlain(p.Schema)
	h.scratch.New = func() any {
		return &scratch{fields: make([]row.Field, len(h.output.schema)), reader: record.NewReader(p.Schema)}
	}
	return h, nil
}

// isPlain reports whether trips are written as rows of the output are, so that a record may hold lines of both kinds.
func isPlain(s schema.Schema) bool {
	return s.Format.IsDefault() && !slices.ContainsFunc(s.Columns, func(c schema.Column) bool {
		return c.Pattern != nil || c.Type.Kind == schema.Decimal
	})
}

// The JSON around the recordId and the data of an answer's record. The two include their quotes.
const (
	head    = `{"records":[`
	before  = `{"recordId":`
	failed  = `,"result":"ProcessingFailed","data":`
	dropped = `,"result":"Dropped","data":""`
	passed  = `,"result":"Ok","data":"`
	after   = `},`
	tail    = `]}`
)

// unchanged is the size of a record that goes back with its own data.
func (r incoming) unchanged() int {
	return len(before) + r.id.size() + len(failed) + r.data.size() + len(after)
}

// Invoke answers an event; it implements lambda.Handler. It returns an error if the event is not Firehose's, has a
// recordId twice, or has records that do not fit an answer even unchanged.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	records, err := decode(event)
	if err != nil {
		return nil, err
	}
	if err := distinct(event, records); err != nil {
		return nil, err
	}
	size := len(head) + len(tail)
	for _, r := range records {
		size += r.unchanged()
	}
	if size > MaxAnswer {
		return nil, fmt.Errorf("the %d records of this event need an answer of %d bytes even unchanged; %d is the most",
			len(records), size, MaxAnswer)
	}
	room := MaxAnswer - size // left if all remaining records go back unchanged
	s := h.scratch.Get().(*scratch)
	defer h.scratch.Put(s)
	s.transformed = 0
	processingFailed := 0
	answer := append(make([]byte, 0, min(MaxAnswer, max(size, s.answer+s.answer/8))), head...)
	var bad *fault // outside the loop, because errors.As makes it escape
	for _, r := range records {
		start := len(answer)
		answer, err = h.append(answer, start+r.unchanged()+room, event, r, s)
		switch {
		case errors.As(err, &bad):
			h.report(ctx, event, r, bad)
			processingFailed++
			answer = append(append(answer, before...), r.id.of(event)...)
			answer = append(append(answer, failed...), r.data.of(event)...)
			answer = append(answer, after...)
		case err != nil:
			return nil, fmt.Errorf("recordId %s: %w", r.id.of(event), err)
		}
		room -= len(answer) - start - r.unchanged()
	}
	answer = append(bytes.TrimSuffix(answer, []byte(",")), tail...)
	s.answer = len(answer)
	h.measure(ctx, s.transformed, processingFailed)
	return answer, nil
}

// measure writes the metrics of an answered event as one line:
//
//	RowsTransformed          rows of the records that go back as Ok
//	RecordsProcessingFailed  records that go back as ProcessingFailed, which no metric of Firehose or Lambda counts: for
//	                         Lambda the call succeeded, and Firehose counts only what was processed
//
// Both have the unit Count and the dimension Stack. Firehose calls again if it has not seen the answer, so rows may be
// counted twice. An event without an answer has no line: Lambda's Errors counts it, and Firehose's
// ExecuteProcessing.Success falls. A failed write is only logged, since the rows matter more.
func (h *Handler) measure(ctx context.Context, transformed, processingFailed int) {
	if h.stack == "" {
		return
	}
	line, err := metrics.Line(time.Now(), []metrics.Dimension{{Name: metrics.Stack, Value: h.stack}}, []metrics.Metric{
		metrics.Of("RowsTransformed", metrics.Count, int64(transformed)),
		metrics.Of("RecordsProcessingFailed", metrics.Count, int64(processingFailed)),
	}, nil)
	if err == nil {
		_, err = h.metrics.Write(line)
	}
	if err != nil {
		h.log.LogAttrs(ctx, slog.LevelWarn, "metrics not written", slog.String("error", err.Error()))
	}
}

// distinct checks that no recordId occurs twice, so that none is answered twice. Firehose's are mostly in order, and
// then each is compared with the next only.
func distinct(event []byte, records []incoming) error {
	ordered := 1
	for ordered < len(records) && bytes.Compare(records[ordered-1].id.of(event), records[ordered].id.of(event)) < 0 {
		ordered++
	}
	if ordered >= len(records) {
		return nil
	}
	seen := make(map[string]struct{}, len(records))
	for _, r := range records {
		id := r.id.of(event)
		key := unsafe.String(unsafe.SliceData(id), len(id)) // the event does not change while the map exists
		if _, twice := seen[key]; twice {
			return fmt.Errorf("recordId %s is in the event twice", id)
		}
		seen[key] = struct{}{}
	}
	return nil
}

// A fault is the reason why a record goes back unchanged.
type fault struct {
	row    int // the line, from 1; 0 for the record
	reason string
}

func (f *fault) Error() string { return f.reason }

// report logs why a record failed, without any of its data.
func (h *Handler) report(ctx context.Context, event []byte, r incoming, f *fault) {
	attributes := []slog.Attr{slog.String("recordId", string(bytes.Trim(r.id.of(event), `"`)))}
	if f.row > 0 {
		attributes = append(attributes, slog.Int("row", f.row))
	}
	h.log.LogAttrs(ctx, slog.LevelWarn, "record failed", append(attributes, slog.String("reason", f.reason))...)
}

// append appends the answer to a record, which must end by limit. On a *fault it returns the answer unchanged.
func (h *Handler) append(answer []byte, limit int, event []byte, r incoming, s *scratch) ([]byte, error) {
	if err := s.decode(r.data.of(event)); err != nil {
		return nil, err
	}
	start := len(answer)
	answer = append(append(answer, before...), r.id.of(event)...)
	if len(s.data) == 0 {
		return append(append(answer, dropped...), after...), nil
	}
	if name := encoding.Detect(s.data); name != "" {
		return answer[:start], &fault{reason: name}
	}
	if bytes.HasPrefix(s.data, []byte(kpl.Magic)) {
		return answer[:start], &fault{reason: "aggregated by the Kinesis Producer Library, and not de-aggregated by Firehose"}
	}
	answer = append(answer, passed...)
	const end = `"` + after
	limit -= len(end)
	rows, count, err := h.lines(answer, limit, s)
	if err != nil && h.foreign {
		if rows, count, err = h.orRecords(answer, limit, s, err); err == nil && count == 0 { // a header alone
			return append(append(append(answer[:start], before...), r.id.of(event)...), dropped+after...), nil
		}
	}
	if err != nil {
		return answer[:start], err
	}
	s.transformed += count
	return append(rows, end...), nil
}

// lines appends the transformed lines of s.data.
func (h *Handler) lines(answer []byte, limit int, s *scratch) (_ []byte, count int, err error) {
	s.rows = s.rows[:0]
	for rest := s.data; len(rest) > 0; {
		line := rest
		if newline := bytes.IndexByte(rest, '\n'); newline >= 0 {
			line, rest = rest[:newline], rest[newline+1:]
		} else {
			rest = nil
		}
		count++
		if err := h.row(s, line); err != nil {
			return nil, 0, &fault{row: count, reason: cause(err)}
		}
		if answer, err = s.encode(answer, limit, len(rest) == 0); err != nil {
			return nil, 0, err
		}
	}
	return answer, count, nil
}

// orRecords reads data as a record of the source after lines failed with an error.
func (h *Handler) orRecords(answer []byte, limit int, s *scratch, err error) ([]byte, int, error) {
	var bad *fault
	if !errors.As(err, &bad) || bad.row == 0 {
		return nil, 0, err
	}
	rows, count, err := h.records(answer, limit, s)
	if errors.As(err, &bad) && bad.row > 0 {
		bad.reason = "not a row of the output; read as one of the source: " + bad.reason
	}
	return rows, count, err
}

// records appends the transformed rows of s.data, which is a record of the source.
func (h *Handler) records(answer []byte, limit int, s *scratch) (_ []byte, count int, err error) {
	s.rows = s.rows[:0]
	for one := range s.reader.Rows(s.data) {
		count++
		if one.Err != nil {
			return nil, 0, &fault{row: count, reason: one.Err.Error()}
		}
		if s.rows, err = h.trips.write(s.rows, one.Fields); err != nil {
			return nil, 0, &fault{row: count, reason: cause(err)}
		}
		if answer, err = s.encode(answer, limit, false); err != nil {
			return nil, 0, err
		}
	}
	answer, err = s.encode(answer, limit, true)
	return answer, count, err
}

// encode appends s.rows to the answer once they are a batch, while they are in the processor's cache. All but the last
// batch are a multiple of three bytes, so they need no padding.
func (s *scratch) encode(answer []byte, limit int, last bool) ([]byte, error) {
	if len(s.rows) < batch && !last {
		return answer, nil
	}
	size := len(s.rows)
	if !last {
		size -= size % 3
	}
	if len(answer)+base64.StdEncoding.EncodedLen(size) > limit {
		return nil, &fault{reason: "the answer has no room for its rows"}
	}
	answer = appendBase64(answer, s.rows[:size])
	s.rows = append(s.rows[:0], s.rows[size:]...)
	return answer, nil
}

const batch = 4096

// decode sets s.data to the data of a record. Firehose never sends data that is an error here.
func (s *scratch) decode(quoted []byte) (err error) {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		if text, err = jsontext.AppendUnquote(nil, quoted); err != nil {
			return err
		}
	}
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return errors.New("data is not base64") // the package would ignore these
	}
	if s.data, err = base64.StdEncoding.AppendDecode(s.data[:0], text); err != nil {
		return fmt.Errorf("data is not base64: %w", err)
	}
	return nil
}

// row appends a transformed line to s.rows.
func (h *Handler) row(s *scratch, line []byte) error {
	if len(line) == 0 || line[0] == '{' || h.foreign {
		return h.outputRow(s, line)
	}
	if s.trips && h.trip(s, line) == nil {
		return nil
	}
	err := h.outputRow(s, line)
	if s.trips = false; err == nil {
		return nil
	}
	// Columns are counted for bad lines only, because counting costs as much as reading a row.
	switch columns := row.Columns(line); {
	case columns == len(h.trips.schema):
		err = h.trip(s, line)
		s.trips = err == nil && h.apart
		return err
	case columns == len(h.output.schema), encoding.Guess(line) != "":
		return err
	default:
		return fmt.Errorf("line has %d columns; a row of the output has %d, a trip %d",
			columns, len(h.output.schema), len(h.trips.schema))
	}
}

// outputRow appends a row of the output.
func (h *Handler) outputRow(s *scratch, line []byte) (err error) {
	if s.key, err = h.output.schema.AppendFields(s.key[:0], s.fields, line); err == nil {
		s.rows, err = h.output.write(s.rows, s.fields)
	}
	return err
}

// trip appends a trip, read as the Flink job reads it.
func (h *Handler) trip(s *scratch, line []byte) (err error) {
	one := s.reader.Line(line)
	if one.Err != nil {
		return one.Err
	}
	s.rows, err = h.trips.write(s.rows, one.Fields)
	return err
}

// cause returns the reason without the data.
func cause(err error) string {
	var bad *row.Error
	if errors.As(err, &bad) {
		return bad.Cause()
	}
	return err.Error()
}
