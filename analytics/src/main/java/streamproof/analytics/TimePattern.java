package streamproof.analytics;

import java.io.Serializable;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How a time or a day is written: the letters of {@code pattern.go} of the Go package schema, which says what they are.
 *
 * <p>They are DateTimeFormatter's letters, but for {@code [.SSS]}, which takes any number of digits up to these. A value is
 * read from left to right, and each part takes all the digits that it may, without an exception where it is none: it runs for
 * every record. Whether a pattern makes sense was checked when the schema was.
 */
final class TimePattern implements Serializable {
    private static final long serialVersionUID = 1;
    /** A fraction, letters of one kind, text in quotes, or one mark. */
    private static final Pattern PART =
            Pattern.compile("\\[\\.(?<upTo>S{1,9})\\]|(?<mark>[.,])(?<digits>S{1,9})|(?<letters>([A-Za-z])\\5*)|'(?<text>[^']*)'|(?<other>.)");
    private static final String MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
    private static final String DAYS = "MonTueWedThuFriSatSun";

    private final String text;
    private final List<Part> parts = new ArrayList<>();
    /** How many digits of a second's fraction there are at most: the n of TIMESTAMP(n). */
    final int digits;

    private enum Kind {
        TEXT, YEAR, MONTH, MONTH_NAME, DAY, DAY_NAME, HOUR, HALF_HOUR, HALF, MINUTE, SECOND, FRACTION, OFFSET
    }

    private static final class Part implements Serializable {
        private static final long serialVersionUID = 1;

        final Kind kind;
        /** The text; of a fraction the mark before it. */
        final String literal;
        /** How many digits there may be; of an offset, how many letters it has. */
        final int least;

        final int most;
        /** Of a number: it has no zero before it. Of an offset: it may be Z. Of a fraction: it may be missing. */
        final boolean flag;

        Part(Kind kind, String literal, int least, int most, boolean flag) {
            this.kind = kind;
            this.literal = literal;
            this.least = least;
            this.most = most;
            this.flag = flag;
        }
    }

    TimePattern(String text) {
        this.text = text;
        Matcher part = PART.matcher(text);
        int fraction = 0;
        while (part.find()) {
            if (part.group("upTo") != null) {
                fraction = part.group("upTo").length();
                parts.add(new Part(Kind.FRACTION, ".", 1, fraction, true));
            } else if (part.group("mark") != null) {
                fraction = part.group("digits").length();
                parts.add(new Part(Kind.FRACTION, part.group("mark"), fraction, fraction, false));
            } else if (part.group("letters") != null) {
                parts.add(letters(part.group("letters")));
            } else {
                String literal = part.group("text") == null ? part.group("other") : part.group("text");
                parts.add(new Part(Kind.TEXT, literal, 0, 0, false));
            }
        }
        digits = fraction;
    }

    private Part letters(String letters) {
        switch (letters) {
            case "yyyy":
                return new Part(Kind.YEAR, null, 4, 4, false);
            case "MM":
                return new Part(Kind.MONTH, null, 2, 2, false);
            case "M":
                return new Part(Kind.MONTH, null, 1, 2, true);
            case "MMM":
                return new Part(Kind.MONTH_NAME, MONTHS, 0, 0, false);
            case "dd":
                return new Part(Kind.DAY, null, 2, 2, false);
            case "d":
                return new Part(Kind.DAY, null, 1, 2, true);
            case "EEE":
                return new Part(Kind.DAY_NAME, DAYS, 0, 0, false);
            case "HH":
                return new Part(Kind.HOUR, null, 2, 2, false);
            case "H":
                return new Part(Kind.HOUR, null, 1, 2, false);
            case "hh":
                return new Part(Kind.HALF_HOUR, null, 2, 2, false);
            case "h":
                return new Part(Kind.HALF_HOUR, null, 1, 2, true);
            case "a":
                return new Part(Kind.HALF, null, 0, 0, false);
            case "mm":
                return new Part(Kind.MINUTE, null, 2, 2, false);
            case "ss":
                return new Part(Kind.SECOND, null, 2, 2, false);
            case "XXX":
            case "XX":
            case "X":
            case "xxx":
            case "xx":
                return new Part(Kind.OFFSET, null, letters.length(), 0, letters.charAt(0) == 'X');
            default:
                throw new IllegalArgumentException("pattern " + text + ": " + letters + " is not one of the letters that are known");
        }
    }

    /** The moment that {@code value} writes, in UTC; null where it writes none of the years 0 to 9999. */
    LocalDateTime parse(String value) {
        Reading reading = new Reading(value);
        for (int i = 0; i < parts.size(); i++) {
            if (!reading.take(parts.get(i))) {
                return null;
            }
        }
        return reading.moment();
    }

    /** What the parts of a value say. */
    private static final class Reading {
        private final String value;
        private int at;
        private int year;
        private int month = 1;
        private int day = 1;
        private int hour;
        private int minute;
        private int second;
        private int nanos;
        private int offset;
        private int weekday; // 1 to 7, 0: not said
        private boolean half;
        private boolean afternoon;

        Reading(String value) {
            this.value = value;
        }

        boolean take(Part part) {
            switch (part.kind) {
                case TEXT:
                    return literal(part.literal);
                case YEAR:
                    return (year = number(part)) >= 0;
                case MONTH:
                    return (month = number(part)) >= 0;
                case MONTH_NAME:
                    return (month = name(part.literal)) > 0;
                case DAY:
                    return (day = number(part)) >= 0;
                case DAY_NAME:
                    return (weekday = name(part.literal)) > 0;
                case HOUR:
                    return (hour = number(part)) >= 0;
                case HALF_HOUR:
                    half = true;
                    return (hour = number(part)) >= 0;
                case HALF:
                    afternoon = literal("PM");
                    return afternoon || literal("AM");
                case MINUTE:
                    return (minute = number(part)) >= 0;
                case SECOND:
                    return (second = number(part)) >= 0;
                case FRACTION:
                    return fraction(part);
                default:
                    return offset(part);
            }
        }

        private boolean literal(String text) {
            if (!value.startsWith(text, at)) {
                return false;
            }
            at += text.length();
            return true;
        }

        /** The number that the next digits write, -1 where there are too few. */
        private int number(Part part) {
            if (part.flag && at < value.length() && value.charAt(at) == '0') {
                return -1;
            }
            return digits(part.least, part.most);
        }

        private int digits(int least, int most) {
            int start = at;
            int number = 0;
            while (at < value.length() && at - start < most && value.charAt(at) >= '0' && value.charAt(at) <= '9') {
                number = number * 10 + value.charAt(at) - '0';
                at++;
            }
            return at - start < least ? -1 : number;
        }

        /** Which of the names of three letters comes next, from 1 on, 0 where none does. */
        private int name(String names) {
            for (int i = 0; i < names.length(); i += 3) {
                if (value.startsWith(names.substring(i, i + 3), at)) {
                    at += 3;
                    return i / 3 + 1;
                }
            }
            return 0;
        }

        private boolean fraction(Part part) {
            if (!literal(part.literal)) {
                return part.flag;
            }
            int start = at;
            nanos = digits(part.least, part.most);
            for (int digits = at - start; digits < 9; digits++) {
                nanos *= 10;
            }
            return nanos >= 0;
        }

        private boolean offset(Part part) {
            if (part.flag && literal("Z")) {
                return true;
            }
            boolean west = literal("-");
            if (!west && !literal("+")) {
                return false;
            }
            int hours = digits(2, 2);
            int minutes = 0;
            if (part.least == 3 && !literal(":")) {
                return false;
            }
            if (part.least > 1) {
                minutes = digits(2, 2);
            }
            offset = (hours * 60 + minutes) * (west ? -1 : 1);
            return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
        }

        LocalDateTime moment() {
            if (half) {
                if (hour < 1 || hour > 12) {
                    return null;
                }
                hour = hour % 12 + (afternoon ? 12 : 0);
            }
            if (at < value.length() || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) {
                return null;
            }
            LocalDateTime moment;
            try {
                moment = LocalDateTime.of(year, month, day, hour, minute, second, nanos);
            } catch (DateTimeException e) {
                return null; // February 30th
            }
            if (weekday > 0 && moment.getDayOfWeek().getValue() != weekday) {
                return null;
            }
            if (offset != 0) {
                moment = moment.minusMinutes(offset);
            }
            return moment.getYear() < 0 || moment.getYear() > 9999 ? null : moment;
        }
    }
}
