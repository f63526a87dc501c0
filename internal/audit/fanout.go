package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/stream"
)

// A FanOut reads a stream as a consumer of its own, with 2 MB/s of each shard that it shares with nobody. It needs
// kinesis:RegisterStreamConsumer, DescribeStreamConsumer, SubscribeToShard and DeregisterStreamConsumer.
// https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
type FanOut struct {
	client   *kinesis.Client
	consumer string // its ARN
}

const (
	// registering is how long a consumer may take to be ACTIVE.
	registering = 2 * time.Minute
	// deregistering is how long its removal may take, also after an interrupt.
	deregistering = 10 * time.Second
	// A subscription ends after five minutes, and a shard takes one every five seconds.
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
	subscribeAgain = 5 * time.Second
)

// Register makes a consumer of the stream. Close removes it.
func Register(ctx context.Context, client *kinesis.Client, name string) (*FanOut, error) {
	summary, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("describe stream %s: %w", name, err)
	}
	consumer := "streamproof-audit-" + strings.ToLower(rand.Text()[:8])
	out, err := client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{
		StreamARN: summary.StreamDescriptionSummary.StreamARN, ConsumerName: &consumer,
	})
	if err != nil {
		return nil, fmt.Errorf("register a consumer of stream %s: %w", name, err)
	}
	f := &FanOut{client: client, consumer: aws.ToString(out.Consumer.ConsumerARN)}
	for deadline := time.Now().Add(registering); ; {
		described, err := client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &f.consumer})
		if err == nil && described.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive {
			return f, nil
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("it is %s after %s", described.ConsumerDescription.ConsumerStatus, registering)
		}
		if err == nil {
			err = wait(ctx, time.Second)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("register consumer %s of stream %s: %w", consumer, name, err), f.Close())
		}
	}
}

// Close removes the consumer.
func (f *FanOut) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), deregistering)
	defer cancel()
	if _, err := f.client.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &f.consumer}); err != nil {
		return fmt.Errorf("remove consumer %s, which costs money by the hour: %w", f.consumer, err)
	}
	return nil
}

// shard reads a shard from a position on. Its subscriptions end with the context.
func (f *FanOut) shard(id string, start types.StartingPosition) pages {
	return &subscription{fanOut: f, id: id, position: start}
}

// A subscription is a shard that pushes its records, one subscription after the other.
type subscription struct {
	fanOut    *FanOut
	id        string
	position  types.StartingPosition
	events    *kinesis.SubscribeToShardEventStream
	notBefore time.Time
	failing   time.Time // since when
}

// refusedFor is how long subscriptions may fail before that is an error.
const refusedFor = time.Minute

// Next waits for a page.
func (s *subscription) Next(ctx context.Context, _ int) (stream.Page, error) {
	if s.events == nil {
		if err := wait(ctx, time.Until(s.notBefore)); err != nil {
			return stream.Page{}, err
		}
		s.notBefore = time.Now().Add(subscribeAgain)
		out, err := s.fanOut.client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
			ConsumerARN: &s.fanOut.consumer, ShardId: &s.id, StartingPosition: &s.position,
		})
		if err != nil {
			return s.failed(ctx, err)
		}
		s.events = out.GetStream()
	}
	select {
	case <-ctx.Done():
		return stream.Page{}, errors.Join(ctx.Err(), s.events.Close())
	case event, ok := <-s.events.Events():
		if page, isPage := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); isPage {
			s.failing = time.Time{}
			return s.page(&page.Value), nil
		}
		if ok {
			return stream.Page{Refused: true}, nil // of a kind that holds no records
		}
		err := errors.Join(s.events.Err(), s.events.Close())
		s.events = nil
		if err != nil {
			return s.failed(ctx, err)
		}
		return stream.Page{Refused: true}, nil // five minutes are over
	}
}

// failed tries again whatever failed, for a while: reading changes nothing.
func (s *subscription) failed(ctx context.Context, err error) (stream.Page, error) {
	if ctx.Err() != nil {
		return stream.Page{}, ctx.Err()
	}
	if s.failing.IsZero() {
		s.failing = time.Now()
	}
	var gone *types.ResourceNotFoundException
	if errors.As(err, &gone) || time.Since(s.failing) > refusedFor {
		return stream.Page{}, fmt.Errorf("subscribe to %s: %w", s.id, err)
	}
	return stream.Page{Refused: true}, nil
}

func (s *subscription) page(event *types.SubscribeToShardEvent) stream.Page {
	page := stream.Page{Behind: time.Duration(aws.ToInt64(event.MillisBehindLatest)) * time.Millisecond}
	for _, r := range event.Records {
		page.Records = append(page.Records, stream.Record{
			SequenceNumber: aws.ToString(r.SequenceNumber), PartitionKey: aws.ToString(r.PartitionKey),
			Arrival: aws.ToTime(r.ApproximateArrivalTimestamp), Data: r.Data,
		})
	}
	if page.End = event.ContinuationSequenceNumber == nil; !page.End {
		s.position = types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: event.ContinuationSequenceNumber}
	}
	return page
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
