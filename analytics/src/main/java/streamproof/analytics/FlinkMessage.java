package streamproof.analytics;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What Flink says of a statement that it refuses, and where in the statement. */
final class FlinkMessage {
    private static final Pattern PLACE = Pattern.compile(
            "(?:From line (\\d+), column (\\d+) to line \\d+, column \\d+: | ?[Aa]t line (\\d+), column (\\d+)[:.]? *)");

    /** Where its messages begin, before what they say. */
    private static final Pattern PREAMBLE = Pattern.compile("^(?:SQL (?:parse|validation) failed\\. *)+");

    private final String text;
    /** The place, from 1; 0 where Flink names none. */
    private final int line;

    private final int column;

    private FlinkMessage(String text, int line, int column) {
        this.text = text;
        this.line = line;
        this.column = column;
    }

    /** The first message of an exception and its causes that names a place, or else its own. */
    static FlinkMessage of(Throwable refusal) {
        for (Throwable cause = refusal; cause != null; cause = cause.getCause()) {
            Matcher place = PLACE.matcher(String.valueOf(cause.getMessage()));
            if (place.find()) {
                int group = place.group(1) == null ? 3 : 1;
                // After the place of a syntax error comes, on lines of its own, all that could have stood there.
                String text = String.valueOf(cause.getMessage());
                text = text.substring(0, place.start()) + " " + text.substring(place.end());
                text = PREAMBLE.matcher(text).replaceFirst("");
                return new FlinkMessage(
                        firstLine(text), Integer.parseInt(place.group(group)), Integer.parseInt(place.group(group + 1)));
            }
        }
        String text = refusal.getMessage() == null ? refusal.toString() : refusal.getMessage();
        return new FlinkMessage(PREAMBLE.matcher(text).replaceFirst("").replaceAll("\\s*\n\\s*", " ").strip(), 0, 0);
    }

    private static String firstLine(String text) {
        String line = text.strip().lines().findFirst().orElse("").strip();
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    /** The fault of the statement: at its start where Flink names no place, or one beyond its end. */
    Script.Fault in(Script script, Script.Statement statement) {
        int at = 0;
        for (int l = 1; l < line && at >= 0; l++) {
            at = statement.text.indexOf('\n', at) + 1;
            if (at == 0) {
                at = -1;
            }
        }
        at = line == 0 || at < 0 ? 0 : at + column - 1;
        return script.fault(statement.offset + (at > statement.text.length() ? 0 : at), text);
    }
}
