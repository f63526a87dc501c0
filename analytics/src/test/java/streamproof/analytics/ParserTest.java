package streamproof.analytics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ParserTest {
    private static Object parse(String type, String text) throws RejectedException {
        return parse(lineParser(type), text.getBytes(UTF_8)).getField(0);
    }

    private static LineParser lineParser(String... types) {
        return new LineParser(SchemaTest.schema(types), Projection.ofFirst(types.length));
    }

    private static GenericRowData parse(LineParser parser, byte[] line) throws RejectedException {
        return parser.parse(line, 0, line.length);
    }

    private static StringData string(String text) {
        return StringData.fromString(text);
    }

    @ParameterizedTest
    @MethodSource
    void values(String type, String text, Object want) throws Exception {
        assertEquals(want, parse(type, text));
    }

    static Stream<Arguments> values() {
        return Stream.of(
                Arguments.of("INTEGER", "0", 0),
                Arguments.of("INTEGER", "-2147483648", Integer.MIN_VALUE),
                Arguments.of("INTEGER", "+2147483647", Integer.MAX_VALUE),
                Arguments.of("INTEGER", "007", 7),
                Arguments.of("INTEGER", "\"7\"", 7),
                Arguments.of("BIGINT", "-9223372036854775808", Long.MIN_VALUE),
                Arguments.of("BIGINT", "9223372036854775807", Long.MAX_VALUE),
                Arguments.of("REAL", "3.3", 3.3f),
                Arguments.of("REAL", "16777217", 16777216f),
                Arguments.of("REAL", "-1.5E-3", -0.0015f),
                Arguments.of("REAL", "3.4028235e38", Float.MAX_VALUE),
                Arguments.of("REAL", "1e-99", 0f),
                Arguments.of("REAL", ".5", .5f),
                Arguments.of("REAL", "5.", 5f),
                Arguments.of("DOUBLE", "-73.000120345678908", -73.000120345678908),
                Arguments.of("DOUBLE", "+1e+308", 1e308),
                Arguments.of("TIMESTAMP", "2024-02-29 23:59:59", TimestampData.fromLocalDateTime(LocalDateTime.of(2024, 2, 29, 23, 59, 59))),
                Arguments.of("TIMESTAMP", "0001-01-01 00:00:00", TimestampData.fromLocalDateTime(LocalDateTime.of(1, 1, 1, 0, 0))),
                Arguments.of("CHAR(1)", "N", string("N")),
                Arguments.of("CHAR(2)", "é😀", string("é😀")),
                Arguments.of("CHAR(1)", "\"\"\"\"", string("\"")),
                Arguments.of("CHAR(1)", "\",\"", string(",")),
                Arguments.of("CHAR(1)", "\"\r\"", string("\r")),
                Arguments.of("VARCHAR(3)", "ab", string("ab")),
                Arguments.of("VARCHAR(3)", " b ", string(" b ")),
                Arguments.of("VARCHAR(3)", "\"\"", string("")),
                Arguments.of("VARCHAR", "\"a \"\"b\"\", c\"", string("a \"b\", c")),
                Arguments.of("BOOLEAN", "true", true),
                Arguments.of("BOOLEAN", "FALSE", false));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "INTEGER|1x|not an integer",
                "INTEGER|x|not an integer",
                "INTEGER|1.0|not an integer",
                "INTEGER|1e3|not an integer",
                "INTEGER|-|not an integer",
                "INTEGER|--1|not an integer",
                "INTEGER|\"\"|not an integer",
                "INTEGER| 1|not an integer",
                "INTEGER|1 |not an integer",
                "INTEGER|1_0|not an integer",
                "INTEGER|0x1|not an integer",
                "INTEGER|٣|not an integer",
                "INTEGER|2147483648|out of range",
                "INTEGER|-2147483649|out of range",
                "BIGINT|12L|not an integer",
                "BIGINT|9223372036854775808|out of range",
                "REAL|1.5x|not a number",
                "REAL|1.5f|not a number",
                "REAL|1,5|wrong number of columns",
                "REAL|1.5.5|not a number",
                "REAL|.|not a number",
                "REAL|-.|not a number",
                "REAL|e5|not a number",
                "REAL|.e5|not a number",
                "REAL|1e|not a number",
                "REAL|1e+|not a number",
                "REAL|1e1.5|not a number",
                "REAL|NaN|not a number",
                "REAL|Infinity|not a number",
                "REAL|-inf|not a number",
                "REAL|0x1p3|not a number",
                "REAL| 1.5|not a number",
                "REAL|١.٥|not a number",
                "REAL|3.5e38|out of range",
                "DOUBLE|1.5d|not a number",
                "DOUBLE|NaN|not a number",
                "DOUBLE|-Infinity|not a number",
                "DOUBLE|0X1.8P1|not a number",
                "DOUBLE|\"\"|not a number",
                "DOUBLE|1e309|out of range",
                "TIMESTAMP|2024-01-02|not a timestamp",
                "TIMESTAMP|2024-01-02T03:04:05|not a timestamp",
                "TIMESTAMP|2024-01-02 03:04:05.0|not a timestamp",
                "TIMESTAMP|2024-01-02 03:04:05Z|not a timestamp",
                "TIMESTAMP| 2024-01-02 03:04:05|not a timestamp",
                "TIMESTAMP|2024-1-2 03:04:05|not a timestamp",
                "TIMESTAMP|2023-02-29 00:00:00|not a timestamp",
                "TIMESTAMP|2024-13-01 00:00:00|not a timestamp",
                "TIMESTAMP|2024-01-02 24:00:00|not a timestamp",
                "TIMESTAMP|2024-01-02 23:60:00|not a timestamp",
                "TIMESTAMP|2024-01-02 23:59:60|not a timestamp",
                "TIMESTAMP|+12024-01-02 03:04:05|not a timestamp",
                "TIMESTAMP|-2024-01-02 03:04:05|not a timestamp",
                "TIMESTAMP|٢٠٢٤-01-02 03:04:05|not a timestamp",
                "CHAR(2)|a|wrong length",
                "CHAR(2)|abc|wrong length",
                "CHAR(1)|\"\"|wrong length",
                "VARCHAR(2)|abc|wrong length",
                "VARCHAR(1)|😀é|wrong length",
                "BOOLEAN|yes|not a boolean",
                "BOOLEAN|1|not a boolean",
                "BOOLEAN|\"\"|not a boolean",
            })
    void rejectedValues(String type, String text, String want) {
        RejectedException e = assertThrows(RejectedException.class, () -> parse(type, text));
        assertEquals(want, e.getMessage());
        assertEquals(want.startsWith("wrong number") ? null : "n0", e.column);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "##               | blank line",
                "#  #             | wrong number of columns",
                "a,1              | wrong number of columns",
                "a,1,b,           | wrong number of columns",
                "a,1,b,c          | wrong number of columns",
                "\"a,1,b          | unclosed quote",
                "a,1,\"           | unclosed quote",
                "a,1,\"b\"\"      | unclosed quote",
                "a\"b,1,c         | misplaced quote",
                "a,1,b\"          | misplaced quote",
                "\"a\"b,1,c       | misplaced quote",
                "\"a\" ,1,c       | misplaced quote",
                "#a,1,b\r#        | carriage return",
                "#a,1,\"b\"\r#    | carriage return",
                "#\r#             | carriage return",
            })
    void rejectedLines(String line, String want) {
        LineParser parser = lineParser("VARCHAR", "INTEGER", "VARCHAR");
        RejectedException e = assertThrows(RejectedException.class, () -> parse(parser, line.getBytes(UTF_8)));
        assertEquals(want, e.getMessage());
        assertNull(e.column);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ff", "c3", "61c3", "c0af", "eda080", "f4908080", "e28228"})
    void invalidUtf8(String hex) {
        byte[] line = new byte[hex.length() / 2];
        for (int i = 0; i < line.length; i++) {
            line[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        LineParser parser = lineParser("VARCHAR");
        assertEquals(
                "invalid UTF-8", assertThrows(RejectedException.class, () -> parse(parser, line)).getMessage());
    }

    @Test
    void lines() {
        LineParser parser = lineParser("VARCHAR");
        Object[][] want = {
            {"", List.of("")},
            {"\n", List.of("")},
            {"a", List.of("a")},
            {"a\n", List.of("a")},
            {"a\nb", List.of("a", "b")},
            {"a\n\nb\n", List.of("a", "", "b")},
            {"a\n\n", List.of("a", "")},
            {"\n\n", List.of("", "")},
            {"\"a\nb\"\n", List.of("\"a", "b\"")},
        };
        for (Object[] row : want) {
            List<String> got = new ArrayList<>();
            parser.parse(((String) row[0]).getBytes(UTF_8), new RecordParser.Sink() {
                @Override
                public void row(GenericRowData parsed) {
                    got.add(parsed.getString(0).toString());
                }

                @Override
                public void reject(byte[] data, String reason, String column) {
                    got.add(new String(data, UTF_8));
                }
            });
            assertEquals(row[1], got, (String) row[0]);
        }
    }

    /** parse(write(row)) = row, for rows of every type. */
    @Test
    void roundTrip() throws Exception {
        LineParser parser = lineParser(
                "INTEGER", "BIGINT", "REAL", "DOUBLE", "TIMESTAMP", "CHAR(3)", "VARCHAR(5)", "VARCHAR", "BOOLEAN");
        Random random = new Random(20160201);
        for (int i = 0; i < 20_000; i++) {
            GenericRowData want = GenericRowData.of(
                    random.nextInt(),
                    random.nextLong(),
                    finite(random),
                    random.nextGaussian() * Math.pow(10, random.nextInt(600) - 300),
                    TimestampData.fromEpochMillis((long) (random.nextDouble() * 253402300800L) * 1000),
                    string(text(random, 3)),
                    string(text(random, random.nextInt(6))),
                    string(text(random, random.nextInt(20))),
                    random.nextBoolean());
            List<String> fields = new ArrayList<>();
            for (int column = 0; column < want.getArity(); column++) {
                String field = want.getField(column) instanceof TimestampData
                        ? want.getField(column).toString().replace('T', ' ') + (seconds(want, column) ? "" : ":00")
                        : want.getField(column).toString();
                boolean quoted = field.matches("(?s).*[\",\r].*") || random.nextInt(4) == 0;
                fields.add(quoted ? '"' + field.replace("\"", "\"\"") + '"' : field);
            }
            String line = String.join(",", fields);
            assertEquals(want, parse(parser, line.getBytes(UTF_8)), line);
        }
    }

    /** A number that is read by hand is the one that Java reads, to the last bit. */
    @Test
    void numbersAreThoseOfJava() throws Exception {
        Random random = new Random(20160201);
        for (int i = 0; i < 100_000; i++) {
            String digits = random.ints(1 + random.nextInt(20), 0, 10).mapToObj(String::valueOf).collect(Collectors.joining());
            int point = random.nextInt(digits.length() + 1);
            String text = List.of("", "-", "+").get(random.nextInt(3)) + digits.substring(0, point)
                    + (random.nextInt(4) == 0 ? "" : ".") + digits.substring(point);
            assertEquals(Float.valueOf(text), parse("REAL", text), text);
            assertEquals(Double.valueOf(text), parse("DOUBLE", text), text);
        }
    }

    /** LocalDateTime's text leaves out seconds that are zero. */
    private static boolean seconds(GenericRowData row, int column) {
        return row.getTimestamp(column, 0).toLocalDateTime().getSecond() > 0;
    }

    private static float finite(Random random) {
        float value = Float.intBitsToFloat(random.nextInt());
        return Float.isFinite(value) ? value : 0;
    }

    private static String text(Random random, int length) {
        int[] alphabet = "aZ0 ,\"\r\t;'-é中😀".codePoints().toArray();
        return random.ints(length, 0, alphabet.length)
                .mapToObj(i -> new String(alphabet, i, 1))
                .collect(Collectors.joining());
    }

    /** The good lines of a record become rows. The others are rejects, byte for byte, with their origin. */
    @Test
    void goodLinesBesideBadOnes() throws Exception {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.write("1,a\nx,b\n\n2,\"c\n3,d\n".getBytes(UTF_8));
        data.write(new byte[] {'4', ',', (byte) 0xff, '\n', '5', ',', 'e'});
        SourceRecord record = new SourceRecord();
        record.data = data.toByteArray();
        record.shard = "shardId-000000000001";
        record.sequenceNumber = "49";
        record.arrivalTime = Instant.ofEpochMilli(7);

        List<RowData> rows = new ArrayList<>();
        List<Reject> rejects = new ArrayList<>();
        Schema schema = SchemaTest.schema("INTEGER", "CHAR(1)");
        Projection both = Projection.ofFirst(2);
        try (OneInputStreamOperatorTestHarness<SourceRecord, RowData> harness =
                new OneInputStreamOperatorTestHarness<>(new ProcessOperator<>(new Parser(schema, both)))) {
            harness.setup(schema.rowType(both).createSerializer(new SerializerConfigImpl()));
            harness.open();
            harness.processElement(record, 0);
            SourceRecord empty = new SourceRecord();
            empty.data = new byte[0];
            harness.processElement(empty, 0);
            rows.addAll(harness.extractOutputValues());
            harness.getSideOutput(Parser.REJECTS).forEach(reject -> rejects.add(reject.getValue()));
        }

        assertEquals(
                List.of(
                        GenericRowData.of(1, string("a")),
                        GenericRowData.of(3, string("d")),
                        GenericRowData.of(5, string("e"))),
                rows);
        assertEquals(
                List.of(
                        "not an integer n0", "blank line null", "unclosed quote null", "invalid UTF-8 null",
                        "empty record null"),
                rejects.stream().map(r -> r.reason + " " + r.column).collect(Collectors.toList()));
        assertArrayEquals("x,b".getBytes(UTF_8), rejects.get(0).data);
        assertArrayEquals(new byte[0], rejects.get(1).data);
        assertArrayEquals("2,\"c".getBytes(UTF_8), rejects.get(2).data);
        assertArrayEquals(new byte[] {'4', ',', (byte) 0xff}, rejects.get(3).data);
        assertEquals(record.shard, rejects.get(3).shard);
        assertEquals(record.sequenceNumber, rejects.get(3).sequenceNumber);
        assertEquals(record.arrivalTime, rejects.get(3).arrivalTime);
    }
}
