package streamproof.analytics;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads Flink's messages about statements that it refused. */
final class FlinkMessage {
    private static final Pattern PLACE = Pattern.compile(
            "(?:From line (\\d+), column (\\d+) to line \\d+, column \\d+: | ?[Aa]t line (\\d+), column (\\d+)[:.]? *)");

    /** Flink's messages begin with this. */
    private static final Pattern PREAMBLE = Pattern.compile("^(?:SQL (?:parse|validation) failed\\. *)+");

    private FlinkMessage() {}

    /**
     * The fault in a statement: the first message of an exception and its causes that names a place, or else the
     * exception's own, at the start of the statement. So is a place beyond the statement's end.
     */
    static Script.Fault fault(Throwable refusal, Script script, Script.Statement statement) {
        for (Throwable cause = refusal; cause != null; cause = cause.getCause()) {
            String text = String.valueOf(cause.getMessage());
            Matcher place = PLACE.matcher(text);
            if (place.find()) {
                int group = place.group(1) == null ? 3 : 1;
                int at = offset(
                        statement.text,
                        Integer.parseInt(place.group(group)),
                        Integer.parseInt(place.group(group + 1)));
                // A syntax error continues with lines that list all that was expected.
                text = text.substring(0, place.start()) + " " + text.substring(place.end());
                return script.fault(
                        statement.offset + (at > statement.text.length() ? 0 : at),
                        firstLine(PREAMBLE.matcher(text).replaceFirst("")));
            }
        }
        String text = refusal.getMessage() == null ? refusal.toString() : refusal.getMessage();
        text = PREAMBLE.matcher(text).replaceFirst("").replaceAll("\\s*\n\\s*", " ").strip();
        return script.fault(statement.offset, text);
    }

    private static String firstLine(String text) {
        String line = text.strip().lines().findFirst().orElse("").strip();
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    /** The offset of a place, which may be beyond the end. Line and column count from 1. */
    private static int offset(String text, int line, int column) {
        int at = 0;
        for (int l = 1; l < line; l++) {
            int newline = text.indexOf('\n', at);
            at = newline < 0 ? text.length() + 1 : newline + 1;
        }
        return at + column - 1;
    }
}
