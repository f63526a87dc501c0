package streamproof.analytics;

import java.nio.ByteBuffer;

/**
 * Reads a protobuf message field by field, as far as {@link Aggregate} needs it: numbers (varints) and bytes. After
 * {@link #next}, the value is to be read before the next field.
 */
final class ProtobufReader {
    private static final int VARINT = 0;
    private static final int BYTES = 2;

    private final ByteBuffer message;
    private long tag;

    ProtobufReader(ByteBuffer message) {
        this.message = message;
    }

    /** Moves to the next field, and reports whether there is one. */
    boolean next() throws RejectedException {
        if (!message.hasRemaining()) {
            return false;
        }
        tag = varint();
        return true;
    }

    /** The field's number; one that is too large for a field is negative. */
    int field() {
        long field = tag >>> 3;
        return field > Integer.MAX_VALUE ? -1 : (int) field;
    }

    /** The field's value, an unsigned number. */
    long number() throws RejectedException {
        require(VARINT);
        return varint();
    }

    /** The field's value, a part of the message. */
    ByteBuffer bytes() throws RejectedException {
        require(BYTES);
        long length = varint();
        if (length < 0 || length > message.remaining()) {
            throw new RejectedException(Aggregate.MALFORMED);
        }
        ByteBuffer bytes = message.slice().limit((int) length);
        message.position(message.position() + (int) length);
        return bytes;
    }

    private void require(int wireType) throws RejectedException {
        if ((tag & 7) != wireType) {
            throw new RejectedException(Aggregate.MALFORMED);
        }
    }

    /** A number of at most 64 bits: seven in each byte, the lowest ones first, the high bit set in all but the last. */
    private long varint() throws RejectedException {
        long value = 0;
        for (int shift = 0; shift < 64 && message.hasRemaining(); shift += 7) {
            byte b = message.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                if (shift == 63 && b > 1) {
                    break; // of more than 64 bits
                }
                return value;
            }
        }
        throw new RejectedException(Aggregate.MALFORMED);
    }
}
