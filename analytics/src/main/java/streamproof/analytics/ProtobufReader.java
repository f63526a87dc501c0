package streamproof.analytics;

import java.nio.ByteBuffer;

/**
 * Reads the fields of a protobuf message that {@link Aggregate} needs: numbers (varints) and bytes. Call {@link #next},
 * then read the field's value.
 *
 * <p>Not the library's CodedInputStream, which drops the bits of a varint beyond 64: an aggregate must give the same
 * records, or the same reason, here and in Go.
 */
final class ProtobufReader {
    private static final int VARINT = 0;
    private static final int BYTES = 2;

    private final ByteBuffer message;
    private long tag;

    ProtobufReader(ByteBuffer message) {
        this.message = message;
    }

    /** Moves to the next field. Reports whether there is one. */
    boolean next() throws RejectedException {
        if (!message.hasRemaining()) {
            return false;
        }
        tag = varint();
        return true;
    }

    /** The field's number; negative if it is too large for one. */
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

    /**
     * A number of at most 64 bits: seven in each byte, the lowest first, the high bit set in all bytes but the last.
     */
    private long varint() throws RejectedException {
        long value = 0;
        for (int shift = 0; shift < 64 && message.hasRemaining(); shift += 7) {
            byte b = message.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                if (shift == 63 && b > 1) {
                    break; // more than 64 bits
                }
                return value;
            }
        }
        throw new RejectedException(Aggregate.MALFORMED);
    }
}
