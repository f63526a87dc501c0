package producer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/stream"
)

// How an invocation's time is divided.
const (
	// manifestMargin is kept at the end for the manifest.
	manifestMargin = 5 * time.Second
	// sendingMargin is the least time for sending, beyond the spread.
	sendingMargin = 2 * time.Second
	// progressInterval is how often the outcomes so far are written.
	progressInterval = 5 * time.Second
	// longestRun is the lease if the context has no deadline: Lambda's longest timeout.
	longestRun = 15 * time.Minute
)

// A Producer answers events. A process makes one.
type Producer struct {
	config   Config
	embedded *source
	client   stream.Putter
	ledger   *ledger.Store
	log      *slog.Logger
	metrics  io.Writer

	published atomic.Bool            // this process has published the embedded pipeline
	set       atomic.Pointer[source] // of the last tick for another pipeline
}

// A source makes the records of ticks for one pipeline.
type source struct {
	pipeline  *pipeline.Pipeline
	hash      string
	generator *generator.Generator
	key       generator.Key
}

func newSource(config Config, p *pipeline.Pipeline) (*source, error) {
	g, err := generator.New(p, config.Seed)
	if err != nil {
		return nil, err
	}
	key, err := g.KeyOf(config.PartitionKey)
	if err != nil {
		return nil, err
	}
	return &source{pipeline: p, hash: p.Hash(), generator: g, key: key}, nil
}

// New makes a producer of ticks for the pipeline that the ledger names, or for the given one if it names none. The
// client must be one of stream.NewClient. Metrics go where the function's log goes; CloudWatch reads them from there.
func New(config Config, p *pipeline.Pipeline, client stream.Putter, store *ledger.Store, log *slog.Logger, metrics io.Writer) (*Producer, error) {
	embedded, err := newSource(config, p)
	if err != nil {
		return nil, err
	}
	return &Producer{config: config, embedded: embedded, client: client, ledger: store, log: log, metrics: metrics}, nil
}

// Crashed is the state, in an Answer, of a tick whose attempt is over and left no manifest.
const Crashed ledger.State = "crashed"

// An Answer is the producer's answer to an event.
type Answer struct {
	Tick  time.Time    `json:"tick"`
	State ledger.State `json:"state"` // complete, in progress or crashed
	// Sent reports whether this event sent the tick. If not, the rest is what the ledger says so far.
	Sent    bool `json:"sent"`
	Records int  `json:"records"`
	// Poison is how many of the records are malformed on purpose.
	Poison int `json:"poison,omitempty"`
	// Acknowledged, Rejected and Unknown are records by outcome; they add up to Records in a complete tick.
	Acknowledged int `json:"acknowledged"`
	// AcknowledgedAfterUnknown counts the acknowledged records that the stream may hold more than once.
	AcknowledgedAfterUnknown int `json:"acknowledgedAfterUnknown"`
	Rejected                 int `json:"rejected"`
	Unknown                  int `json:"unknown"`
	// Ranges is the number of runs of equal outcomes.
	Ranges int `json:"ranges"`
	// Shards is what each shard acknowledged, by shard ID.
	Shards map[string]ledger.Shard `json:"shards"`
	// Attempts, Throttled and Seconds are this event's PutRecords calls, entries refused because of a limit, and time
	// spent sending.
	Attempts  int     `json:"attempts"`
	Throttled int     `json:"throttled"`
	Seconds   float64 `json:"seconds"`
	// Message says in words what differs from a tick that was sent and acknowledged.
	Message string `json:"message,omitempty"`
}

// Handle answers one event. It logs one line, and the metrics of a tick that it sends. An error means that nothing was
// sent unless it says otherwise; if a tick was claimed, an answer comes with it.
func (p *Producer) Handle(ctx context.Context, event json.RawMessage) (*Answer, error) {
	answer, err := p.handle(ctx, event)
	if err != nil {
		attributes := []slog.Attr{slog.String("error", err.Error())}
		if answer != nil {
			attributes = append(attributes, slog.Any("answer", answer))
		}
		p.log.LogAttrs(ctx, slog.LevelError, "tick failed", attributes...)
		return answer, err
	}
	message := "tick not sent again"
	if answer.Sent {
		message = "tick sent"
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, message, slog.Any("answer", answer))
	return answer, nil
}

func (p *Producer) handle(ctx context.Context, event json.RawMessage) (*Answer, error) {
	now := time.Now()
	order, err := readEvent(event, now, p.config.RecordsPerTick)
	if err != nil {
		return nil, err
	}
	deadline, limited := ctx.Deadline()
	if !limited {
		deadline = now.Add(longestRun)
	}
	spread := time.Duration(p.config.SpreadSeconds) * time.Second
	if need := spread + sendingMargin + manifestMargin; deadline.Sub(now) < need {
		return nil, fmt.Errorf("tick %s: nothing was sent: %s are left and a spread of %s needs %s; raise the function's timeout or lower SPREAD_SECONDS",
			stamp(order.tick), deadline.Sub(now).Round(time.Millisecond), spread, need)
	}

	from, err := p.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("tick %s: cannot determine the current pipeline; nothing was sent: %w", stamp(order.tick), p.explain(err))
	}
	// A key decides which shard a record goes to, and nothing of what the record is: it changes nothing of what is owed.
	key := from.key
	if order.key != "" {
		if key, err = from.generator.KeyOf(order.key); err != nil {
			return nil, fmt.Errorf("tick %s: nothing was sent: event: %w", stamp(order.tick), err)
		}
	}
	if from == p.embedded && !p.published.Load() {
		if err := p.ledger.PublishPipeline(ctx, from.pipeline); err != nil {
			return nil, fmt.Errorf("tick %s: cannot write the ledger; nothing was sent: %w", stamp(order.tick), p.explain(err))
		}
		p.published.Store(true)
	}
	aggregation := p.config.Aggregation
	if aggregation == NoAggregation {
		aggregation = ""
	}
	claim, err := p.ledger.Claim(ctx, ledger.Tick{
		Time:  order.tick,
		Owner: rand.Text(),
		// Rounded up: the attempt is over by then.
		LeaseEnd:      deadline.UTC().Truncate(time.Millisecond).Add(time.Millisecond),
		Seed:          p.config.Seed,
		Generator:     generator.Version,
		Pipeline:      from.hash,
		Records:       order.records,
		SpreadSeconds: p.config.SpreadSeconds,
		PartitionKey:  from.generator.NameOf(key),
		Poison:        order.poison,
		Aggregation:   aggregation,
	})
	var claimed *ledger.ClaimedError
	if errors.As(err, &claimed) {
		return sentBefore(claimed.Tick, now), nil
	}
	if err != nil {
		return nil, fmt.Errorf("tick %s: cannot claim the tick; nothing was sent: %w", stamp(order.tick), p.explain(err))
	}
	return p.send(ctx, claim, from, key, deadline.Add(-manifestMargin))
}

// current is the source of the current ticks: the embedded pipeline, unless the ledger names one that a person has set.
func (p *Producer) current(ctx context.Context) (*source, error) {
	current, err := p.ledger.Current(ctx)
	if err != nil {
		return nil, err
	}
	if pending := current.Pending(); pending != "" {
		return nil, errors.New(pending) // the query that would read its records is undecided
	}
	if current == nil || current.Pipeline == p.embedded.hash {
		return p.embedded, nil
	}
	if set := p.set.Load(); set != nil && set.hash == current.Pipeline {
		return set, nil
	}
	published, err := p.ledger.Pipeline(ctx, current.Pipeline)
	if err != nil {
		return nil, err
	}
	set, err := newSource(p.config, published)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ledger.PipelineKey(current.Pipeline), err)
	}
	p.set.Store(set)
	return set, nil
}

// send sends a claimed tick's records until the given time, and writes its progress, its manifest and its metrics.
func (p *Producer) send(ctx context.Context, claim *ledger.Claim, from *source, key generator.Key, until time.Time) (answer *Answer, err error) {
	tick := claim.Tick()
	delivery := stream.NewDelivery(p.client, p.config.StreamName, from.generator, generator.Tick{
		Time: tick.Time, Records: tick.Records, Spread: time.Duration(tick.SpreadSeconds) * time.Second, Poison: tick.Poison,
		Aggregates: tick.PoisonsAggregates(),
	}, key, tick.Aggregation)

	sending, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	lost := make(chan error, 1)
	go func() {
		err := p.writeProgress(sending, claim, delivery)
		if err != nil {
			// Another attempt has the tick: no ledger would account for what this one still sends.
			cancel()
		}
		lost <- err
	}()
	start := time.Now()
	refusal := delivery.Run(sending)
	took := time.Since(start)
	cancel()
	claimLost := <-lost
	result := delivery.Result()
	defer func() { p.writeMetrics(ctx, tick.Time, result, err) }()
	if claimLost != nil {
		return nil, fmt.Errorf("tick %s: another attempt took over its claim while it was being sent: %w", stamp(tick.Time), claimLost)
	}

	if err := claim.Complete(ctx, result.Outcomes, result.Shards); err != nil {
		return nil, errors.Join(
			fmt.Errorf("tick %s: sent, but its manifest cannot be written, so it will be closed as crashed: %w", stamp(tick.Time), p.explain(err)),
			refusal)
	}
	tick = claim.Tick()
	answer = answerOf(&tick)
	answer.Sent = true
	answer.Attempts, answer.Throttled = result.Attempts, result.Throttled
	answer.Seconds = took.Round(time.Millisecond).Seconds()
	if refusal != nil {
		return answer, fmt.Errorf("tick %s: %d of %d records rejected, as its manifest says: %w",
			stamp(tick.Time), answer.Rejected, answer.Records, p.explain(refusal))
	}
	if answer.Acknowledged < answer.Records {
		answer.Message = fmt.Sprintf("%d records were refused or not sent in time; %d may or may not have been stored",
			answer.Rejected, answer.Unknown)
	}
	return answer, nil
}

// writeProgress writes the outcomes so far at intervals, until ctx ends. The next write makes up for one that failed.
// It returns an error only if another attempt has taken the tick.
func (p *Producer) writeProgress(ctx context.Context, claim *ledger.Claim, delivery *stream.Delivery) error {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		result := delivery.Result()
		err := claim.Progress(ctx, result.Outcomes, result.Shards)
		var claimed *ledger.ClaimedError
		if errors.As(err, &claimed) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "progress not written", slog.String("error", err.Error()))
		}
	}
}

// sentBefore answers for a tick that another attempt has claimed.
func sentBefore(tick *ledger.Tick, now time.Time) *Answer {
	a := answerOf(tick)
	switch {
	case tick.State == ledger.Complete:
		a.Message = "sent before: these are the numbers of its manifest"
	case tick.Crashed(now):
		a.State = Crashed
		a.Message = fmt.Sprintf("the attempt that claimed this tick ended at %s without a manifest: the tick is closed as crashed and is not sent again",
			stamp(tick.LeaseEnd))
	default:
		a.State = ledger.InProgress
		a.Message = fmt.Sprintf("another attempt is sending this tick, until %s at the latest", stamp(tick.LeaseEnd))
	}
	return a
}

func answerOf(tick *ledger.Tick) *Answer {
	count := ledger.Count(tick.Outcomes)
	a := &Answer{
		Tick: tick.Time, State: tick.State, Records: tick.Records, Poison: tick.Poison,
		Acknowledged:             count[ledger.Acknowledged] + count[ledger.AcknowledgedAfterUnknown],
		AcknowledgedAfterUnknown: count[ledger.AcknowledgedAfterUnknown],
		Rejected:                 count[ledger.Rejected], Unknown: count[ledger.Unknown],
		Ranges: len(tick.Outcomes), Shards: tick.Shards,
	}
	if a.Shards == nil {
		a.Shards = map[string]ledger.Shard{}
	}
	return a
}

// explain puts advice before an error of AWS, if there is any.
func (p *Producer) explain(err error) error {
	var operation *smithy.OperationError
	var api smithy.APIError
	if !errors.As(err, &operation) || !errors.As(err, &api) {
		return err
	}
	var advice string
	denied := api.ErrorCode() == "AccessDenied" || api.ErrorCode() == "AccessDeniedException"
	switch service := operation.Service(); {
	case service == "Kinesis" && api.ErrorCode() == "ResourceNotFoundException":
		advice = fmt.Sprintf("there is no stream %s in this account and region: create it, or correct STREAM_NAME", p.config.StreamName)
	case service == "Kinesis" && denied:
		advice = fmt.Sprintf("allow the function's role kinesis:PutRecords on stream %s", p.config.StreamName)
	case service == "S3" && api.ErrorCode() == "NoSuchBucket":
		advice = fmt.Sprintf("there is no bucket %s: create it, or correct BUCKET", p.config.Bucket)
	case service == "S3" && denied:
		advice = fmt.Sprintf("allow the function's role s3:PutObject and s3:GetObject on arn:aws:s3:::%s/ledger/*", p.config.Bucket)
	default:
		return err
	}
	return fmt.Errorf("%s: %w", advice, err)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
