package streamproof.analytics;

/**
 * Names what bytes are written in where they are not the lines of UTF-8 that a parser expects. The Go package encoding
 * says the same of the same bytes.
 */
final class Encoding {
    private Encoding() {}

    /** What all of a record certainly is in, so that it has no lines; null for anything else. */
    static String whole(byte[] text) {
        if (begins(text, 0x1f, 0x8b)) {
            return "gzip";
        }
        return begins(text, 0xff, 0xfe) || begins(text, 0xfe, 0xff) ? "UTF-16 text, not UTF-8" : null;
    }

    /** What a line is in that could not be read; null where that cannot be told. */
    static String name(byte[] line) {
        String whole = whole(line);
        if (whole != null) {
            return whole;
        }
        if (isUtf16(line)) {
            return "UTF-16 text, not UTF-8";
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

    /** Whether every other byte is NUL, and only these: Latin letters and digits in UTF-16 without a mark. */
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
     * Whether a text has Latin-1's letters beyond ASCII, no control characters, and nothing that begins as a character of
     * UTF-8 does. A byte of 0xff is seen in broken data more often than as the letter ÿ.
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
