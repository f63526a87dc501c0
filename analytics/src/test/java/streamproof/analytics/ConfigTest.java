package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.InitialPosition;
import org.junit.jupiter.api.Test;

class ConfigTest {
    private static final String ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/trips";

    private static Config config(String... keysAndValues) {
        Properties properties = new Properties();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            properties.setProperty(keysAndValues[i], keysAndValues[i + 1]);
        }
        return Config.of(Map.of("streamproof", properties, "another", new Properties()));
    }

    private static String faults(String... keysAndValues) {
        return assertThrows(IllegalArgumentException.class, () -> config(keysAndValues)).getMessage();
    }

    /** The properties that every application has, with others, which may replace them. */
    static Properties properties(Map<String, String> others) {
        Properties properties = new Properties();
        properties.putAll(Map.of(
                "stream.arn", "arn:aws:kinesis:eu-west-1:000000000000:stream/trips",
                "delivery.stream", "analysed",
                "rejects.delivery.stream", "rejected",
                "output.format", "CSV"));
        properties.putAll(others);
        return properties;
    }

    @Test
    void onAws() {
        Config config = config(
                "stream.arn", ARN,
                "delivery.stream", "analysed",
                "rejects.delivery.stream", "rejected",
                "output.format", "CSV");
        assertEquals("trips", config.stream);
        assertEquals("eu-west-1", config.region);
        assertEquals("analysed", config.deliveryStream);
        assertEquals("rejected", config.rejectsDeliveryStream);
        assertEquals("csv", config.format);
        assertEquals(102_400, config.packBytes);
        assertEquals(5000, config.packDelayMillis);
        assertEquals(InitialPosition.TRIM_HORIZON, config.initialPosition);
        assertEquals(Optional.empty(), config.kinesisEndpoint);
        assertEquals(Optional.empty(), config.firehoseEndpoint);
        assertEquals(Optional.empty(), config.script);
    }

    @Test
    void locally() {
        Config config = config(
                "stream.arn", "arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/a_b.c-1",
                "delivery.stream", "analysed",
                "rejects.delivery.stream", "rejected",
                "output.format", "JSON",
                "initial.position", "LATEST",
                "pack.kib", "1000",
                "pack.delay.ms", "0",
                "kinesis.endpoint", "http://127.0.0.1:4566",
                "firehose.endpoint", "http://localhost:4567/");
        assertEquals("a_b.c-1", config.stream);
        assertEquals("us-gov-west-1", config.region);
        assertEquals("json", config.format);
        assertEquals(InitialPosition.LATEST, config.initialPosition);
        assertEquals(1_024_000, config.packBytes);
        assertEquals(0, config.packDelayMillis);
        assertEquals(Optional.of("http://127.0.0.1:4566"), config.kinesisEndpoint);
        assertEquals(Optional.of("http://localhost:4567/"), config.firehoseEndpoint);
    }

    @Test
    void fromATime() {
        String[] values = {
            "stream.arn", ARN,
            "delivery.stream", "analysed",
            "rejects.delivery.stream", "rejected",
            "output.format", "CSV",
            "initial.position", "2026-11-29T10:00:00Z"
        };
        Config config = config(values);
        assertEquals(InitialPosition.AT_TIMESTAMP, config.initialPosition);
        assertEquals("1795946400", Reading.of(config).getProperty("flink.stream.initpos.timestamp"));
        values[9] = "2026-11-31";
        assertEquals(
                "The application's property group \"streamproof\" is invalid:\n"
                        + "- initial.position is \"2026-11-31\": set it to TRIM_HORIZON, LATEST or a time like"
                        + " 2026-11-29T10:00:00Z",
                faults(values));
    }

    @Test
    void everyFaultAtOnce() {
        assertEquals(
                "The application's property group \"streamproof\" is invalid:\n"
                        + "- output.fromat is not supported: remove it (supported: [delivery.stream, firehose.endpoint,"
                        + " initial.position, kinesis.endpoint, output.format, pack.delay.ms, pack.kib,"
                        + " rejects.delivery.stream, stream.arn])\n"
                        + "- stream.arn is \"trips\": set it to arn:aws:kinesis:REGION:ACCOUNT:stream/NAME\n"
                        + "- delivery.stream is \"\": set it to the name of a Firehose delivery stream\n"
                        + "- rejects.delivery.stream is \"a b\": set it to the name of a Firehose delivery stream\n"
                        + "- output.format is missing: set it to CSV or JSON\n"
                        + "- initial.position is \"AT_TIMESTAMP\": set it to TRIM_HORIZON, LATEST or a time like"
                        + " 2026-11-29T10:00:00Z\n"
                        + "- pack.kib is 1001: set it to a whole number from 1 to 1000\n"
                        + "- pack.delay.ms is \"5s\": set it to a whole number from 0 to 900000\n"
                        + "- kinesis.endpoint is \"127.0.0.1:4566\": set it to a URL like http://127.0.0.1:4566,"
                        + " or remove it on AWS\n"
                        + "- firehose.endpoint is \"ftp://a\": set it to a URL like http://127.0.0.1:4566,"
                        + " or remove it on AWS",
                faults(
                        "output.fromat", "CSV",
                        "stream.arn", "trips",
                        "delivery.stream", "",
                        "rejects.delivery.stream", "a b",
                        "initial.position", "AT_TIMESTAMP",
                        "pack.kib", "1001",
                        "pack.delay.ms", "5s",
                        "kinesis.endpoint", "127.0.0.1:4566",
                        "firehose.endpoint", "ftp://a"));
    }

    @Test
    void noGroup() {
        assertEquals(
                "The application's property group \"streamproof\" is invalid:\n"
                        + "- the group does not exist (existing groups: [another])\n"
                        + "- stream.arn is missing: set it to arn:aws:kinesis:REGION:ACCOUNT:stream/NAME\n"
                        + "- delivery.stream is missing: set it to the name of a Firehose delivery stream\n"
                        + "- rejects.delivery.stream is missing: set it to the name of a Firehose delivery stream\n"
                        + "- output.format is missing: set it to CSV or JSON",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Config.of(Map.of("another", new Properties())))
                        .getMessage());
    }

    @Test
    void formatsAreInCapitals() {
        assertEquals(
                "The application's property group \"streamproof\" is invalid:\n"
                        + "- output.format is \"csv\": set it to CSV or JSON",
                faults(
                        "stream.arn", ARN,
                        "delivery.stream", "analysed",
                        "rejects.delivery.stream", "rejected",
                        "output.format", "csv"));
    }

    /** As `streamproof sql run` sets it: the parts of a text, and its hash. */
    @Test
    void sqlInParts() {
        Properties sql = new Properties();
        sql.setProperty("001", "é; -- ü\n");
        sql.setProperty("000", "SELECT ");
        sql.setProperty("sha256", "71ab69cc6b2a9a4d12e1cc36c3bd8bc3de2f0a7e1e8ab2d83a2cb2bd9cfd2e5a");
        String fault = sqlFault(sql);
        assertTrue(
                fault.startsWith("The application's property group \"streamproof.sql\" is invalid: the 2 parts have the hash "),
                fault);
        assertTrue(fault.contains(", but sha256 is 71ab69cc"), fault);

        sql.setProperty("sha256", Config.sha256("SELECT é; -- ü\n"));
        assertTrue(fault.contains(" have the hash " + sql.getProperty("sha256")), fault);
        Config config = withSQL(sql);
        assertEquals(Optional.of("SELECT é; -- ü\n"), config.script);
        assertEquals(Optional.of(sql.getProperty("sha256")), config.scriptHash);

        sql.setProperty("003", "x");
        assertEquals(
                "The application's property group \"streamproof.sql\" is invalid: 003 is not the next part: the parts are 000,"
                        + " 001, … without a gap. Set the query again with `streamproof sql run`, or remove the group",
                sqlFault(sql));
    }

    private static Config withSQL(Properties sql) {
        return Config.of(Map.of("streamproof", properties(Map.of()), "streamproof.sql", sql));
    }

    private static String sqlFault(Properties sql) {
        return assertThrows(IllegalArgumentException.class, () -> withSQL(sql)).getMessage();
    }
}
