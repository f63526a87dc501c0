package streamproof.analytics;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Takes a SQL script apart, and knows where in it everything stands. */
final class Script {
    /** What messages call it. */
    static final String NAME = "pipeline.sql";

    /** A semicolon between quotes or in a comment ends nothing; a doubled quote reads as two literals side by side. */
    private static final Pattern TOKEN = Pattern.compile(
            "(?<comment>--[^\n]*|/\\*(?s:.*?)\\*/)"
                    + "|(?<quoted>'[^']*'|\"[^\"]*\"|`[^`]*`)"
                    + "|(?<open>['\"`]|/\\*)"
                    + "|(?<end>;)"
                    + "|(?s:.)");

    private final String text;

    Script(String text) {
        this.text = text;
    }

    /** One statement: its text, without comments, each character where it stands in the script, from the offset on. */
    static final class Statement {
        final String text;
        final int offset;

        private Statement(String text, int offset) {
            this.text = text;
            this.offset = offset;
        }
    }

    /** One fault of a script; line and column count characters from 1. */
    static final class Fault {
        final int line;
        final int column;
        final String message;

        private Fault(int line, int column, String message) {
            this.line = line;
            this.column = column;
            this.message = message;
        }

        @Override
        public String toString() {
            return NAME + ":" + line + ":" + column + ": " + message;
        }
    }

    /** Says what keeps a script from being run. */
    static final class FaultyException extends IllegalArgumentException {
        private static final long serialVersionUID = 1;

        final transient List<Fault> faults;

        FaultyException(List<Fault> faults, Throwable cause) {
            super(faults.stream().map(Fault::toString).collect(Collectors.joining("\n")), cause);
            this.faults = faults;
        }
    }

    /**
     * The statements, without their semicolons, none of them blank; the last one needs no semicolon. Comments are blanks
     * (optimizer hints are kept).
     */
    List<Statement> statements() {
        List<Statement> statements = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        int start = 0;
        Matcher token = TOKEN.matcher(text);
        while (token.find()) {
            if (token.group("open") != null) {
                throw new FaultyException(List.of(fault(token.start(), token.group() + " is never closed")), null);
            }
            if (token.group("end") != null) {
                add(statement, start, statements);
                start = token.end();
            } else if (token.group("comment") == null || token.group().startsWith("/*+")) {
                statement.append(token.group());
            } else {
                token.group().chars().forEach(c -> statement.append(c == '\n' || c == '\r' ? (char) c : ' '));
            }
        }
        add(statement, start, statements);
        return statements;
    }

    private static void add(StringBuilder statement, int start, List<Statement> statements) {
        String text = statement.toString();
        if (!text.isBlank()) {
            statements.add(new Statement(text.strip(), start + text.length() - text.stripLeading().length()));
        }
        statement.setLength(0);
    }

    /** A fault at an offset of the script. */
    Fault fault(int offset, String message) {
        int line = 1 + (int) text.substring(0, offset).chars().filter(c -> c == '\n').count();
        int begin = text.lastIndexOf('\n', offset - 1) + 1;
        return new Fault(line, 1 + text.codePointCount(begin, offset), message);
    }

    /** Has Flink take a statement; what it refuses is a fault of the script. */
    void run(Statement statement, Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            throw new FaultyException(List.of(FlinkMessage.of(e).in(this, statement)), e);
        }
    }
}
