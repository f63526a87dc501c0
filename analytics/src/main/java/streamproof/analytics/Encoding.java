package streamproof.analytics;

/** Names the encoding of bytes that are not the UTF-8 a parser expects, as the Go package encoding does. */
final class Encoding {
    private static final String UTF_16 = "UTF-16 text, not UTF-8";

    private Encoding() {}

    /** The encoding of a record that certainly has no lines of UTF-8; null for any other. */
    static String ofRecord(byte[] record) {
        if (begins(record, 0x1f, 0x8b)) {
            return "gzip";
        }
        return begins(record, 0xff, 0xfe) || begins(record, 0xfe, 0xff) ? UTF_16 : null;
    }

    /** The encoding of a line that could not be read; null if it cannot be determined. */
    static String ofLine(byte[] line) {
        String ofRecord = ofRecord(line);
        if (ofRecord != null) {
            return ofRecord;
        }
        if (isUtf16(line)) {
            return UTF_16;
        }
        if (begins(line, 0xef, 0xbb, 0xbf)) {
            return "byte order mark";
        }
        return isLatin1(line) ? "not UTF-8, perhaps Latin-1" : null;
    }

    private static boolean begins(byte[] text, int... bytes) {
        if (text.length < bytes.length) {
            return false;
        }
        for (int i = 0; i < bytes.length; i++) {
            if ((text[i] & 0xff) != bytes[i]) {
                return false;
            }
        }
        return true;
    }

    /** Reports whether every second byte is NUL and no other is: Latin letters in UTF-16 without a byte order mark. */
    private static boolean isUtf16(byte[] text) {
        if (text.length < 4 || (text[0] == 0) == (text[1] == 0)) {
            return false;
        }
        for (int i = 0; i < text.length; i++) {
            if ((text[i] == 0) != (text[i % 2] == 0)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Reports whether a text has Latin-1's letters beyond ASCII, no control characters, and nothing that begins like a
     * character of UTF-8. A byte 0xff is more often broken data than the letter ÿ.
     */
    private static boolean isLatin1(byte[] text) {
        boolean letters = false;
        boolean lead = false;
        for (byte signed : text) {
            int c = signed & 0xff;
            boolean control = c < ' ' && c != '\t' && c != '\r' || c >= 0x7f && c < 0xa0;
            if (control || c == 0xff || lead && c >= 0xa0 && c < 0xc0) {
                return false;
            }
            lead = c >= 0xc0;
            letters |= c >= 0xa0;
        }
        return letters;
    }
}
