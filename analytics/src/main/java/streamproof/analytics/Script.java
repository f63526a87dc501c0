package streamproof.analytics;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Splits a SQL script into statements, and finds the line and column of their faults. */
final class Script {
    /** The script's name in messages. */
    static final String NAME = "pipeline.sql";

    /** A semicolon in quotes or in a comment ends no statement. Two quotes in a literal read as two literals. */
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

    /** A statement without its comments. Its text begins at the offset, and every character keeps its place. */
    static final class Statement {
        final String text;
        final int offset;

        private Statement(String text, int offset) {
            this.text = text;
            this.offset = offset;
        }
    }

    /** A fault in a script. Line and column count characters from 1. */
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

    /** Says why a script cannot run. */
    static final class FaultyException extends IllegalArgumentException {
        private static final long serialVersionUID = 1;

        final transient List<Fault> faults;

        FaultyException(List<Fault> faults, Throwable cause) {
            super(faults.stream().map(Fault::toString).collect(Collectors.joining("\n")), cause);
            this.faults = faults;
        }
    }

    /**
     * The statements without their semicolons; blank ones are left out, and the last needs no semicolon. Comments
     * become blanks, except optimizer hints.
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

    /** A fault at an offset in the script. */
    Fault fault(int offset, String message) {
        int line = 1 + (int) text.substring(0, offset).chars().filter(c -> c == '\n').count();
        int begin = text.lastIndexOf('\n', offset - 1) + 1;
        return new Fault(line, 1 + text.codePointCount(begin, offset), message);
    }

    /** Runs an action of Flink on a statement. If Flink refuses it, that is a fault of the script. */
    void run(Statement statement, Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            throw new FaultyException(List.of(FlinkMessage.fault(e, this, statement)), e);
        }
    }
}
