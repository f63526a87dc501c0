package streamproof.analytics;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Takes a SQL script apart. */
final class Script {
    /** A semicolon between quotes or in a comment ends nothing; a doubled quote reads as two literals side by side. */
    private static final Pattern TOKEN = Pattern.compile(
            "(?<comment>--[^\n]*|/\\*(?s:.*?)\\*/)"
                    + "|(?<quoted>'[^']*'|\"[^\"]*\"|`[^`]*`)"
                    + "|(?<open>['\"`]|/\\*)"
                    + "|(?<end>;)"
                    + "|(?s:.)");

    private static final Pattern CAST =
            Pattern.compile("'[^']*'|\"[^\"]*\"|`[^`]*`|(?<cast>\\bCAST\\s*\\()", Pattern.CASE_INSENSITIVE);

    private Script() {}

    /**
     * The statements of a script, without their semicolons, without comments (optimizer hints are kept), none of them
     * blank; the last one needs no semicolon.
     */
    static List<String> statements(String script) {
        List<String> statements = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        Matcher token = TOKEN.matcher(script);
        while (token.find()) {
            if (token.group("open") != null) {
                long line = 1 + script.substring(0, token.start()).chars().filter(c -> c == '\n').count();
                throw new IllegalArgumentException("line " + line + ": " + token.group() + " is never closed");
            }
            if (token.group("end") != null) {
                add(statement, statements);
            } else if (token.group("comment") == null || token.group().startsWith("/*+")) {
                statement.append(token.group());
            } else {
                statement.append(' ');
            }
        }
        add(statement, statements);
        return statements;
    }

    /** Whether a statement calls CAST (and not TRY_CAST). */
    static boolean casts(String statement) {
        return CAST.matcher(statement).results().anyMatch(match -> match.group(1) != null);
    }

    private static void add(StringBuilder statement, List<String> statements) {
        if (!statement.toString().isBlank()) {
            statements.add(statement.toString().strip());
        }
        statement.setLength(0);
    }
}
