package streamproof.analytics;

import java.io.Serializable;
import java.text.ParsePosition;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.YearMonth;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.SignStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The pattern of a TIMESTAMP or DATE, in the parts of the resolved schema: DateTimeFormatter's letters, text, and
 * fractions of a second.
 *
 * <p>It reads a value as {@code Pattern} of the Go package schema does: from left to right, each part taking all the
 * digits it may. It runs for every record, so a value that does not match costs no exception, and most patterns, whose
 * numbers have one width, are read by hand.
 */
final class TimePattern implements Serializable {
    private static final long serialVersionUID = 1;
    /** The numbers of one or two digits that do not begin with a zero. */
    private static final Map<Long, String> SHORT_NUMBERS =
            LongStream.range(1, 100).boxed().collect(Collectors.toMap(number -> number, String::valueOf));

    /** What a pattern says by numbers of one width, and what it means if the pattern does not say it. */
    private static final List<String> NUMBERS = List.of("yyyy", "MM", "dd", "HH", "mm", "ss");

    private static final int[] UNSAID = {0, 1, 1, 0, 0, 0};
    /** Added to a character of text. */
    private static final int TEXT = 1 << 16;

    private final List<String> parts;
    /** For each character the index of its number among {@link #NUMBERS}, or the character itself if it is text. */
    private final int[] fixed;

    private transient DateTimeFormatter formatter;

    TimePattern(List<String> parts) {
        this.parts = parts;
        fixed = fixed(parts);
    }

    /** Null if a part is neither text nor a number of one width that occurs once. */
    private static int[] fixed(List<String> parts) {
        IntStream.Builder fixed = IntStream.builder();
        for (String part : parts) {
            int number = NUMBERS.indexOf(part);
            if (part.charAt(0) == '\'') {
                part.chars().skip(1).map(c -> c + TEXT).forEach(fixed);
            } else if (number >= 0 && Collections.frequency(parts, part) == 1) {
                part.chars().map(letter -> number).forEach(fixed);
            } else {
                return null;
            }
        }
        return fixed.build().toArray();
    }

    private static DateTimeFormatter formatter(List<String> parts) {
        DateTimeFormatterBuilder builder = new DateTimeFormatterBuilder();
        for (String part : parts) {
            switch (part.charAt(0)) {
                case '\'': // 'T
                    builder.appendLiteral(part.substring(1));
                    break;
                case '.': // .SSS
                case ',':
                    int digits = part.length() - 1;
                    builder.appendLiteral(part.charAt(0))
                            .appendFraction(ChronoField.NANO_OF_SECOND, digits, digits, false);
                    break;
                case '[': // [.SSS]
                    int most = part.length() - "[.]".length();
                    builder.optionalStart().appendFraction(ChronoField.NANO_OF_SECOND, 1, most, true).optionalEnd();
                    break;
                default:
                    append(builder, part);
            }
        }
        return builder.toFormatter(Locale.ENGLISH);
    }

    /**
     * Appends letters. Where the formatter would take more than the pattern allows, as "+2024" for yyyy, it is told.
     */
    private static void append(DateTimeFormatterBuilder builder, String letters) {
        switch (letters) {
            case "yyyy":
                builder.appendValue(ChronoField.YEAR, 4);
                break;
            case "M":
                builder.appendText(ChronoField.MONTH_OF_YEAR, SHORT_NUMBERS);
                break;
            case "d":
                builder.appendText(ChronoField.DAY_OF_MONTH, SHORT_NUMBERS);
                break;
            case "h":
                builder.appendText(ChronoField.CLOCK_HOUR_OF_AMPM, SHORT_NUMBERS);
                break;
            case "H": // the empty section keeps it from leaving digits to a number that follows
                builder.appendValue(ChronoField.HOUR_OF_DAY, 1, 2, SignStyle.NOT_NEGATIVE)
                        .optionalStart()
                        .optionalEnd();
                break;
            case "X":
                builder.appendOffset("+HH", "Z");
                break;
            default:
                builder.appendPattern(letters);
        }
    }

    /** The moment that {@code text} names, in UTC; null if it names none in the years 0 to 9999. */
    LocalDateTime parse(String text, int start, int end) {
        return fixed != null ? parseFixed(text, start, end) : parse(text.substring(start, end));
    }

    private LocalDateTime parseFixed(String text, int start, int end) {
        if (end - start != fixed.length) {
            return null;
        }
        int[] numbers = UNSAID.clone();
        int before = -1;
        for (int i = 0; i < fixed.length; i++) {
            char c = text.charAt(start + i);
            int part = fixed[i];
            if (part >= TEXT) {
                if (c != part - TEXT) {
                    return null;
                }
            } else if (c < '0' || c > '9') {
                return null;
            } else {
                numbers[part] = (part == before ? numbers[part] * 10 : 0) + c - '0';
            }
            before = part;
        }
        return exists(numbers)
                ? LocalDateTime.of(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
                : null;
    }

    /** Reports whether a day and a time exist. */
    private static boolean exists(int[] numbers) {
        int month = numbers[1];
        int day = numbers[2];
        return month >= 1 && month <= 12
                && day >= 1 && day <= YearMonth.of(numbers[0], month).lengthOfMonth()
                && numbers[3] < 24 && numbers[4] < 60 && numbers[5] < 60;
    }

    private LocalDateTime parse(String text) {
        if (formatter == null) {
            formatter = formatter(parts);
        }
        LocalDateTime moment;
        TemporalAccessor parsed;
        try {
            ParsePosition end = new ParsePosition(0);
            parsed = formatter.parseUnresolved(text, end);
            if (parsed == null || end.getIndex() < text.length()) {
                return null;
            }
            int hour = get(parsed, ChronoField.HOUR_OF_DAY, 0);
            int halfHour = get(parsed, ChronoField.CLOCK_HOUR_OF_AMPM, 12);
            if (halfHour < 1 || halfHour > 12) {
                return null;
            }
            moment = LocalDateTime.of(
                    get(parsed, ChronoField.YEAR, 0),
                    get(parsed, ChronoField.MONTH_OF_YEAR, 1),
                    get(parsed, ChronoField.DAY_OF_MONTH, 1),
                    hour + halfHour % 12 + 12 * get(parsed, ChronoField.AMPM_OF_DAY, 0),
                    get(parsed, ChronoField.MINUTE_OF_HOUR, 0),
                    get(parsed, ChronoField.SECOND_OF_MINUTE, 0),
                    get(parsed, ChronoField.NANO_OF_SECOND, 0));
        } catch (DateTimeException e) {
            return null; // February 30th, or an offset of 24 hours
        }
        int weekday = moment.getDayOfWeek().getValue();
        if (get(parsed, ChronoField.DAY_OF_WEEK, weekday) != weekday) {
            return null;
        }
        moment = moment.minusSeconds(get(parsed, ChronoField.OFFSET_SECONDS, 0));
        return moment.getYear() < 0 || moment.getYear() > 9999 ? null : moment;
    }

    private static int get(TemporalAccessor parsed, ChronoField field, int otherwise) {
        return parsed.isSupported(field) ? (int) parsed.getLong(field) : otherwise;
    }
}
