package streamproof.analytics;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.GetRecordsResult;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.HashKeyRange;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Record;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.streaming.connectors.kinesis.FlinkKinesisConsumer;
import org.apache.flink.streaming.connectors.kinesis.KinesisShardAssigner;
import org.apache.flink.streaming.connectors.kinesis.internals.KinesisDataFetcher;
import org.apache.flink.streaming.connectors.kinesis.internals.ShardConsumer;
import org.apache.flink.streaming.connectors.kinesis.metrics.ShardConsumerMetricsReporter;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.StreamShardHandle;
import org.apache.flink.streaming.connectors.kinesis.proxy.GetShardListResult;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxy;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxyInterface;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxyV2Factory;
import org.apache.flink.streaming.connectors.kinesis.serialization.KinesisDeserializationSchema;

/**
 * The connector's consumer, except that it leaves aggregates packed for {@link Parser}.
 *
 * <p>The connector unpacks aggregates as it reads them, and cannot be configured not to. Some malformed ones fail the
 * job, again after each restart, and others it drops. So each record gets a byte in front as it is read, which hides
 * that it is an aggregate, and {@link Unmarker} removes the byte.
 */
@SuppressWarnings("deprecation") // its successor, in the connectors for Flink 2, supports no aggregates
final class RawConsumer extends FlinkKinesisConsumer<SourceRecord> {
    private static final long serialVersionUID = 1;

    private final String stream;
    private final Properties consumer;

    RawConsumer(String stream, Properties consumer) {
        super(stream, new Unmarker(), consumer);
        this.stream = stream;
        this.consumer = consumer;
    }

    /**
     * Lists the shards before the task counts as running. The consumer does so when it runs already: a job that may not
     * read its stream could complete a checkpoint, and seem well, before it fails.
     */
    @Override
    public void open(OpenContext context) throws Exception {
        super.open(context);
        KinesisProxy.create(consumer).getShardList(Collections.singletonMap(stream, null));
    }

    @Override
    protected KinesisDataFetcher<SourceRecord> createFetcher(
            List<String> streams,
            SourceFunction.SourceContext<SourceRecord> context,
            RuntimeContext runtime,
            Properties consumer,
            KinesisDeserializationSchema<SourceRecord> deserializer) {
        return new Fetcher(streams, context, runtime, consumer, deserializer, getShardAssigner());
    }

    static final class Fetcher extends KinesisDataFetcher<SourceRecord> {
        Fetcher(
                List<String> streams,
                SourceFunction.SourceContext<SourceRecord> context,
                RuntimeContext runtime,
                Properties consumer,
                KinesisDeserializationSchema<SourceRecord> deserializer,
                KinesisShardAssigner assigner) {
            // The arguments that the consumer itself passes, except for the proxy.
            super(
                    streams,
                    context,
                    context.getCheckpointLock(),
                    runtime,
                    consumer,
                    deserializer,
                    assigner,
                    null,
                    null,
                    new AtomicReference<>(),
                    new ArrayList<>(),
                    createInitialSubscribedStreamsToLastDiscoveredShardsState(streams),
                    properties -> new MarkingProxy(KinesisProxy.create(properties)),
                    KinesisProxyV2Factory::createKinesisProxyAsyncV2);
        }

        /**
         * A snapshot from the time when the consumer unpacked aggregates may have a position inside one. The shard is
         * then read from that aggregate on, and only its records after the position are parsed. The shard consumer
         * must not see the position inside the aggregate: it would skip all of it.
         */
        @Override
        protected ShardConsumer<SourceRecord> createShardConsumer(
                Integer index,
                StreamShardHandle shard,
                SequenceNumber last,
                MetricGroup metrics,
                KinesisDeserializationSchema<SourceRecord> deserializer)
                throws InterruptedException {
            return new ShardConsumer<>(
                    this,
                    createRecordPublisher(last, getConsumerConfiguration(), metrics, shard),
                    index,
                    shard,
                    last.isAggregated() ? new SequenceNumber(last.getSequenceNumber()) : last,
                    new ShardConsumerMetricsReporter(metrics),
                    new Unmarker(shard.getShard().getHashKeyRange(), last));
        }
    }

    private static final class MarkingProxy implements KinesisProxyInterface {
        private final KinesisProxyInterface proxy;

        MarkingProxy(KinesisProxyInterface proxy) {
            this.proxy = proxy;
        }

        @Override
        public GetRecordsResult getRecords(String iterator, int most) throws InterruptedException {
            GetRecordsResult result = proxy.getRecords(iterator, most);
            for (Record record : result.getRecords()) {
                record.setData(ByteBuffer.allocate(1 + record.getData().remaining())
                        .put((byte) 0)
                        .put(record.getData())
                        .flip());
            }
            return result;
        }

        @Override
        public String getShardIterator(StreamShardHandle shard, String type, Object from) throws InterruptedException {
            return proxy.getShardIterator(shard, type, from);
        }

        @Override
        public GetShardListResult getShardList(Map<String, String> streams) throws InterruptedException {
            return proxy.getShardList(streams);
        }
    }

    /**
     * Makes source records of marked ones. It never fails, because the job would restart at the same record forever.
     */
    static final class Unmarker implements KinesisDeserializationSchema<SourceRecord> {
        private static final long serialVersionUID = 1;

        private final BigInteger firstHashKey;
        private final BigInteger lastHashKey;
        private final SequenceNumber restored;

        /** For the consumer's constructor: the fetcher makes one for each shard. */
        Unmarker() {
            this(new HashKeyRange().withStartingHashKey("0").withEndingHashKey("0"), new SequenceNumber("0"));
        }

        /** For a shard that is read from the position {@code restored} on. */
        Unmarker(HashKeyRange shard, SequenceNumber restored) {
            firstHashKey = new BigInteger(shard.getStartingHashKey());
            lastHashKey = new BigInteger(shard.getEndingHashKey());
            this.restored = restored;
        }

        @Override
        public SourceRecord deserialize(
                byte[] marked,
                String partitionKey,
                String sequenceNumber,
                long arrivalMillis,
                String stream,
                String shard) {
            SourceRecord record = new SourceRecord();
            record.data = Arrays.copyOfRange(marked, 1, marked.length);
            record.partitionKey = partitionKey;
            record.shard = shard;
            record.firstHashKey = firstHashKey;
            record.lastHashKey = lastHashKey;
            record.sequenceNumber = sequenceNumber;
            record.arrivalTime = Instant.ofEpochMilli(arrivalMillis);
            if (restored.isAggregated() && restored.getSequenceNumber().equals(sequenceNumber)) {
                record.parsed = (int) restored.getSubSequenceNumber() + 1;
            }
            return record;
        }

        @Override
        public TypeInformation<SourceRecord> getProducedType() {
            return TypeInformation.of(SourceRecord.class);
        }
    }
}
