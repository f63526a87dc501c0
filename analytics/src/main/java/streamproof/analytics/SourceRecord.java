package streamproof.analytics;

import java.time.Instant;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.connectors.kinesis.serialization.KinesisDeserializationSchema;

/** A record of the stream as Kinesis gives it, taken out of its KPL aggregate if it came in one. A Flink POJO. */
public class SourceRecord {
    public byte[] data;
    public String partitionKey;
    public String shard;
    /** The sequence number, which all records of an aggregate share. */
    public String sequenceNumber;
    /** When Kinesis took the record, as it says itself: approximate, in milliseconds. */
    public Instant arrivalTime;

    /** Takes every record as it is: a schema that failed on one would restart the job on it for ever. */
    static class Deserializer implements KinesisDeserializationSchema<SourceRecord> {
        private static final long serialVersionUID = 1;

        @Override
        public SourceRecord deserialize(
                byte[] data,
                String partitionKey,
                String sequenceNumber,
                long arrivalMillis,
                String stream,
                String shard) {
            SourceRecord record = new SourceRecord();
            record.data = data;
            record.partitionKey = partitionKey;
            record.shard = shard;
            record.sequenceNumber = sequenceNumber;
            record.arrivalTime = Instant.ofEpochMilli(arrivalMillis);
            return record;
        }

        @Override
        public TypeInformation<SourceRecord> getProducedType() {
            return TypeInformation.of(SourceRecord.class);
        }
    }
}
