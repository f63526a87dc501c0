package streamproof.analytics;

import java.io.ByteArrayOutputStream;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Packs lines with their newlines into Firehose records, because Firehose bills each record rounded up to 5 KB.
 *
 * <p>A pack is sent when the next line would exceed the size, when its first line has waited for the delay, before
 * each checkpoint, and at the end of the input. So no line is held across a checkpoint, and there is no state to
 * keep. A line longer than the size is a pack of its own; with a delay of 0, every line is.
 *
 * <p>The sink cannot do this: its batches are the records of a call, not the lines of a record.
 */
final class Packer extends AbstractStreamOperator<byte[]> implements OneInputStreamOperator<byte[], byte[]> {
    private static final long serialVersionUID = 1;

    private final int size;
    private final long delayMillis;
    private transient ByteArrayOutputStream pack;
    /** When to send the pack. */
    private transient long due;
    /** There is at most one timer: one for each pack would pile up if packs fill long before the delay. */
    private transient boolean timerIsSet;

    Packer(int size, long delayMillis) {
        this.size = size;
        this.delayMillis = delayMillis;
        chainingStrategy = ChainingStrategy.ALWAYS;
    }

    @Override
    public void open() throws Exception {
        super.open();
        pack = new ByteArrayOutputStream(size);
    }

    @Override
    public void processElement(StreamRecord<byte[]> element) {
        byte[] line = element.getValue();
        if (pack.size() + line.length > size) {
            emit();
        }
        if (pack.size() == 0 && delayMillis > 0) {
            due = getProcessingTimeService().getCurrentProcessingTime() + delayMillis;
            setTimer();
        }
        pack.write(line, 0, line.length);
        if (pack.size() >= size || delayMillis == 0) {
            emit();
        }
    }

    /** Sets the timer, unless that of an earlier pack still runs: it sets the next one when it ends. */
    private void setTimer() {
        if (!timerIsSet) {
            timerIsSet = true;
            getProcessingTimeService().registerTimer(due, this::onTimer);
        }
    }

    private void onTimer(long now) {
        timerIsSet = false;
        if (pack.size() == 0) {
            return;
        }
        if (now < due) {
            setTimer();
        } else {
            emit();
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpoint) {
        emit();
    }

    @Override
    public void finish() {
        emit();
    }

    private void emit() {
        if (pack.size() > 0) {
            output.collect(new StreamRecord<>(pack.toByteArray()));
            pack.reset();
        }
    }
}
