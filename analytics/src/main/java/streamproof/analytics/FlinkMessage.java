package streamproof.analytics;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Flink's message about a statement that it refused, and the place in the statement. */
final class FlinkMessage {
    private static final Pattern PLACE = Pattern.compile(
            "(?:From line (\\d+), column (\\d+) to line \\d+, column \\d+: | ?[Aa]t line (\\d+), column (\\d+)[:.]? *)");

    /** Flink's messages begin with this. */
    private static final Pattern PREAMBLE = Pattern.compile("^(?:SQL (?:parse|validation) failed\\. *)+");

    private final String text;
    /** The place, from 1; 0 if Flink names none. */
    private final int line;

    private final int column;

    private FlinkMessage(String text, int line, int column) {
        this.text = text;
        this.line = line;
        this.column = column;
    }

    /** The first message of an exception and its causes that names a place, or else the exception's own. */
    static FlinkMessage of(Throwable refusal) {
        for (Throwable cause = refusal; cause != null; cause = cause.getCause()) {
            Matcher place = PLACE.matcher(String.valueOf(cause.getMessage()));
            if (place.find()) {
                int group = place.group(1) == null ? 3 : 1;
                // A syntax error continues with lines that list all that was expected.
                String text = String.valueOf(cause.getMessage());
                text = text.substring(0, place.start()) + " " + text.substring(place.end());
                text = PREAMBLE.matcher(text).replaceFirst("");
                return new FlinkMessage(
                        firstLine(text),
                        Integer.parseInt(place.group(group)),
                        Integer.parseInt(place.group(group + 1)));
            }
        }
        String text = refusal.getMessage() == null ? refusal.toString() : refusal.getMessage();
        return new FlinkMessage(PREAMBLE.matcher(text).replaceFirst("").replaceAll("\\s*\n\\s*", " ").strip(), 0, 0);
    }

    private static String firstLine(String text) {
        String line = text.strip().lines().findFirst().orElse("").strip();
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    /** The fault in the statement: at its start if Flink names no place, or a place beyond its end. */
    Script.Fault in(Script script, Script.Statement statement) {
        int at = 0;
        for (int l = 1; l < line; l++) {
            int newline = statement.text.indexOf('\n', at);
            at = newline < 0 ? statement.text.length() + 1 : newline + 1;
        }
        at += line == 0 ? 0 : column - 1;
        return script.fault(statement.offset + (at > statement.text.length() ? 0 : at), text);
    }
}
