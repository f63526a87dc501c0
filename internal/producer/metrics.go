package producer

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/metrics"
	"streamproof/internal/stream"
)

// writeMetrics writes the metrics of a tick that this event sent: what Kinesis answered, even if the ledger could not
// be written.
//
//	RecordsAcknowledged  records with a sequence number, whatever came before it
//	RecordsRejected      records that every attempt refused, or that there was no time for
//	RecordsUnknown       records that may have been stored, and were never acknowledged
//	EntriesThrottled     entries refused because of a limit, once for each refusal; a packed entry has many records
//	TicksFailed          1 if the event ends with an error all the same, else 0, so its sample count is that of the ticks
//
// All have the unit Count and the dimension Stack: five custom metrics. RecordsAcknowledged is written again for each
// shard that acknowledged any, with the dimensions Stack and Shard: one custom metric for each shard, and for each that
// a reshard opens. A shard that acknowledged nothing has no line, since only Kinesis can name it. A dashboard finds
// them by
//
//	SEARCH('{Streamproof,Stack,Shard} MetricName="RecordsAcknowledged" Stack="NAME"', 'Sum', 60)
//
// A failure before the tick was claimed sent nothing, and an attempt that Lambda kills writes nothing. Both are in
// Lambda's own Errors. So is a failed tick, but only once: its retry finds the tick claimed and succeeds, so no queue
// ever holds it.
//
// Errors here do not fail the tick: it is sent, and its manifest says so.
func (p *Producer) writeMetrics(ctx context.Context, tick time.Time, result stream.Result, failed error) {
	count := func(name string, n int) metrics.Metric { return metrics.Of(name, metrics.Count, int64(n)) }
	const acknowledged = "RecordsAcknowledged"
	outcomes := ledger.Count(result.Outcomes)
	ticksFailed := 0
	if failed != nil {
		ticksFailed = 1
	}
	now, about := time.Now(), map[string]any{"Tick": stamp(tick)}
	stack := metrics.Dimension{Name: metrics.Stack, Value: p.config.StackName}

	lines, err := metrics.Line(now, []metrics.Dimension{stack}, []metrics.Metric{
		count(acknowledged, outcomes[ledger.Acknowledged]+outcomes[ledger.AcknowledgedAfterUnknown]),
		count("RecordsRejected", outcomes[ledger.Rejected]),
		count("RecordsUnknown", outcomes[ledger.Unknown]),
		count("EntriesThrottled", result.Throttled),
		count("TicksFailed", ticksFailed),
	}, about)
	faults := []error{err}
	for _, id := range slices.Sorted(maps.Keys(result.Shards)) {
		line, err := metrics.Line(now, []metrics.Dimension{stack, {Name: metrics.Shard, Value: id}}, []metrics.Metric{
			count(acknowledged, result.Shards[id].Records),
		}, about)
		lines, faults = append(lines, line...), append(faults, err)
	}
	_, err = p.metrics.Write(lines)
	if err := errors.Join(append(faults, err)...); err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "metrics not written", slog.String("error", err.Error()))
	}
}
