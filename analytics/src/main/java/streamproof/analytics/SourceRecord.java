package streamproof.analytics;

import java.io.IOException;
import java.math.BigInteger;
import java.time.Instant;
import org.apache.flink.api.common.typeutils.base.BigIntSerializer;
import org.apache.flink.api.common.typeutils.base.InstantSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.CopyableValue;
import org.apache.flink.types.StringValue;

/**
 * A record of the stream, which may be an {@link Aggregate}. It writes itself, because Flink copies a POJO for each
 * operator, and no operator changes a record. No snapshot has one.
 */
public class SourceRecord implements CopyableValue<SourceRecord> {
    private static final long serialVersionUID = 1;

    public byte[] data;
    public String partitionKey;
    public String shard;
    /** The shard's range of hash keys. */
    public BigInteger firstHashKey;

    public BigInteger lastHashKey;
    public String sequenceNumber;
    /** When Kinesis stored the record: approximate, in milliseconds. */
    public Instant arrivalTime;
    /** How many records of the aggregate the job had parsed before the snapshot it was restored from. */
    public int parsed;

    @Override
    public SourceRecord copy() {
        return this;
    }

    @Override
    public void copyTo(SourceRecord target) {
        target.data = data;
        target.partitionKey = partitionKey;
        target.shard = shard;
        target.firstHashKey = firstHashKey;
        target.lastHashKey = lastHashKey;
        target.sequenceNumber = sequenceNumber;
        target.arrivalTime = arrivalTime;
        target.parsed = parsed;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
        BytePrimitiveArraySerializer.INSTANCE.serialize(data, out);
        StringValue.writeString(partitionKey, out);
        StringValue.writeString(shard, out);
        BigIntSerializer.INSTANCE.serialize(firstHashKey, out);
        BigIntSerializer.INSTANCE.serialize(lastHashKey, out);
        StringValue.writeString(sequenceNumber, out);
        InstantSerializer.INSTANCE.serialize(arrivalTime, out);
        out.writeInt(parsed);
    }

    @Override
    public void read(DataInputView in) throws IOException {
        data = BytePrimitiveArraySerializer.INSTANCE.deserialize(in);
        partitionKey = StringValue.readString(in);
        shard = StringValue.readString(in);
        firstHashKey = BigIntSerializer.INSTANCE.deserialize(in);
        lastHashKey = BigIntSerializer.INSTANCE.deserialize(in);
        sequenceNumber = StringValue.readString(in);
        arrivalTime = InstantSerializer.INSTANCE.deserialize(in);
        parsed = in.readInt();
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
        SourceRecord record = new SourceRecord();
        record.read(in);
        record.write(out);
    }

    @Override
    public int getBinaryLength() {
        return -1; // it varies
    }
}
