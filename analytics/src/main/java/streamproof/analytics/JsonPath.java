package streamproof.analytics;

import java.util.ArrayList;
import java.util.List;

/**
 * The paths of schema.json: JSONPaths (RFC 9535) that lead to one value through the names of members, as {@code
 * $.user.id} and {@code $['user id']}. That a path is one was checked when the schema was.
 */
final class JsonPath {
    private final String path;
    private int at = 1;

    private JsonPath(String path) {
        this.path = path;
    }

    /** The names that lead to the value. */
    static List<String> names(String path) {
        JsonPath reading = new JsonPath(path);
        List<String> names = new ArrayList<>();
        if (!path.startsWith("$") || path.length() == 1) {
            throw reading.fault();
        }
        while (reading.at < path.length()) {
            names.add(path.charAt(reading.at) == '[' ? reading.bracketed() : reading.dotted());
        }
        return names;
    }

    private IllegalArgumentException fault() {
        return new IllegalArgumentException("path " + path + " does not lead to one member");
    }

    private String dotted() {
        if (path.charAt(at) != '.') {
            throw fault();
        }
        int start = at + 1;
        at = start;
        while (at < path.length() && path.charAt(at) != '.' && path.charAt(at) != '[') {
            at++;
        }
        if (at == start) {
            throw fault();
        }
        return path.substring(start, at);
    }

    private String bracketed() {
        at++;
        skipBlanks();
        char quote = next();
        if (quote != '\'' && quote != '"') {
            throw fault();
        }
        StringBuilder name = new StringBuilder();
        for (char c = next(); c != quote; c = next()) {
            name.append(c == '\\' ? escaped() : c);
        }
        skipBlanks();
        if (next() != ']') {
            throw fault();
        }
        return name.toString();
    }

    private char escaped() {
        char c = next();
        switch (c) {
            case 'b':
                return '\b';
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'f':
                return '\f';
            case 'r':
                return '\r';
            case 'u':
            case 'U':
                if (at + 4 > path.length()) {
                    throw fault();
                }
                at += 4;
                return (char) Integer.parseInt(path.substring(at - 4, at), 16);
            default:
                return c;
        }
    }

    private void skipBlanks() {
        while (at < path.length() && path.charAt(at) == ' ') {
            at++;
        }
    }

    private char next() {
        if (at == path.length()) {
            throw fault();
        }
        return path.charAt(at++);
    }
}
