package streamproof.analytics;

import java.io.ByteArrayOutputStream;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Packs lines, each ended by its newline, into Firehose records: Firehose bills each record rounded up to 5 KB.
 *
 * <p>A pack leaves when the next line would take it over the size, when its first line has waited for the delay, before
 * each checkpoint, and at the end of the input. So no line ever waits behind a checkpoint, and there is no state to
 * keep. A line that is longer than the size is a pack of its own; with a delay of 0, each line is.
 */
final class Packer extends AbstractStreamOperator<byte[]> implements OneInputStreamOperator<byte[], byte[]> {
    private static final long serialVersionUID = 1;

    private final int size;
    private final long delayMillis;
    private transient ByteArrayOutputStream pack;
    /** When the pack has to leave. */
    private transient long due;
    /** There is never more than one timer: one for each pack would pile up where packs fill long before the delay. */
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

    /** Lets the timer of an earlier pack run out, and sets the next one then. */
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
