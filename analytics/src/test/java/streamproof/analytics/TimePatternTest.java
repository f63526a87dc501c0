package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TimePatternTest {
    /** The parts of a pattern, a value, and the moment in UTC if it is one. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "yyyy MM dd HH mm ss          | 20160229235958                | 2016-02-29T23:59:58",
                "yyyy MM dd HH mm ss          | 20150229235958                |",
                "yyyy MM dd                   | +20160229                     |",
                "yyyy MM dd                   | 20160229x                     |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00.5+01:00 | 2016-01-31T23:30:00.500",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00Z        | 2016-02-01T00:30",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00.Z       |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00.1234Z   |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00+23:59   | 2016-01-31T00:31",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00+24:00   |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 2016-02-01T00:30:00+00:60   |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 0000-01-01T00:30:00+01:00   |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss [.SSS] XXX | 9999-12-31T23:30:00-01:00   |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss ,SS xx     | 2016-02-01T00:30:00,05+0000 | 2016-02-01T00:30:00.050",
                "yyyy '- MM '- dd 'T HH ': mm ': ss ,SS xx     | 2016-02-01T00:30:00,5+0000  |",
                "yyyy '- MM '- dd 'T HH ': mm ': ss ,SS xx     | 2016-02-01T00:30:00,05Z     |",
                "yyyy '- MM '- dd 'T HH ': mm X                | 2016-02-01T00:30-01         | 2016-02-01T01:30",
                "yyyy '- MM '- dd 'T HH ': mm X                | 2016-02-01T00:30-0100       |",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 2/1/2016,12:05xAM           | 2016-02-01T00:05",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 12/31/2016,3:05xPM          | 2016-12-31T15:05",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 02/1/2016,12:05xAM          |",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 2/01/2016,12:05xAM          |",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 2/1/2016,13:05xPM           |",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 2/1/2016,3:05xpm            |",
                "M '/ d '/ yyyy ', h ': mm 'x a                | 13/1/2016,3:05xPM           |",
                "EEE ', dd MMM yyyy                            | Mon,01Feb2016               | 2016-02-01T00:00",
                "EEE ', dd MMM yyyy                            | Tue,01Feb2016               |",
                "EEE ', dd MMM yyyy                            | Mon,01feb2016               |",
                "yyyy MM dd 'T H mm                            | 20160201T0930               | 2016-02-01T09:30",
                "yyyy MM dd 'T H mm                            | 20160201T930                |",
                "yyyy MM dd 'T H ': mm                         | 20160201T9:30               | 2016-02-01T09:30",
                "yyyy MM dd 'T H ': mm                         | 20160201T24:30              |",
            })
    void values(String parts, String value, LocalDateTime want) {
        assertEquals(want, new TimePattern(Arrays.asList(parts.split(" "))).parse("<" + value + ">", 1, 1 + value.length()));
    }

    /** What is read by hand is what the formatter reads, which an optional part calls for. */
    @Test
    void numbersOfOneWidth() {
        List<String> parts = List.of("yyyy", "'-", "MM", "'-", "dd", "' ", "HH", "':", "mm", "':", "ss");
        TimePattern byHand = new TimePattern(parts);
        TimePattern formatter =
                new TimePattern(Stream.concat(parts.stream(), Stream.of("[.S]")).collect(Collectors.toList()));
        Random random = new Random(20160201);
        for (int i = 0; i < 100_000; i++) {
            StringBuilder text = new StringBuilder(String.format(
                    "%04d-%02d-%02d %02d:%02d:%02d",
                    random.nextInt(10_000), random.nextInt(14), random.nextInt(33), random.nextInt(26), random.nextInt(62),
                    random.nextInt(62)));
            if (random.nextInt(4) == 0) {
                text.setCharAt(random.nextInt(text.length()), "0 -:+T٣é".charAt(random.nextInt(8)));
            }
            assertEquals(
                    formatter.parse(text.toString(), 0, text.length()),
                    byHand.parse(text.toString(), 0, text.length()),
                    text.toString());
        }
    }
}
