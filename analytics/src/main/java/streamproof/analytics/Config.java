package streamproof.analytics;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.InitialPosition;

/** What an application is told by its environment properties: the property group {@value #GROUP}. */
final class Config {
    static final String GROUP = "streamproof";

    private static final String STREAM_ARN = "stream.arn";
    private static final String DELIVERY_STREAM = "delivery.stream";
    private static final String OUTPUT_FORMAT = "output.format";
    private static final String INITIAL_POSITION = "initial.position";
    private static final String KINESIS_ENDPOINT = "kinesis.endpoint";
    private static final String FIREHOSE_ENDPOINT = "firehose.endpoint";
    private static final Set<String> KEYS = Set.of(
            STREAM_ARN, DELIVERY_STREAM, OUTPUT_FORMAT, INITIAL_POSITION, KINESIS_ENDPOINT, FIREHOSE_ENDPOINT);
    /** The form of the region is the one that the connectors insist on. */
    private static final Pattern STREAM_ARN_SYNTAX = Pattern.compile(
            "arn:aws[a-z-]*:kinesis:(?<region>[a-z]+-(?:[a-z]+-)?[a-z]+-[0-9]):[0-9]{12}"
                    + ":stream/(?<name>[a-zA-Z0-9_.-]{1,128})");

    /** The Kinesis stream to read, and the region of both streams. */
    final String stream;

    final String region;
    /** The Firehose delivery stream to write to. */
    final String deliveryStream;
    /** The Flink format of a row: csv or json. */
    final String format;
    /** Where a first start begins to read; a start from a snapshot goes on where the snapshot was taken. */
    final InitialPosition initialPosition;
    /** Where AWS is, if not where the region says. */
    final Optional<String> kinesisEndpoint;

    final Optional<String> firehoseEndpoint;

    private Config(Reader reader) {
        Matcher arn = reader.required(STREAM_ARN, STREAM_ARN_SYNTAX, "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME");
        stream = arn == null ? null : arn.group("name");
        region = arn == null ? null : arn.group("region");
        Matcher name = reader.required(
                DELIVERY_STREAM, Pattern.compile("[a-zA-Z0-9_.-]{1,64}"), "the name of a Firehose delivery stream");
        deliveryStream = name == null ? null : name.group();
        Matcher formatName = reader.required(OUTPUT_FORMAT, Pattern.compile("CSV|JSON"), "CSV or JSON");
        format = formatName == null ? null : formatName.group().toLowerCase(Locale.ROOT);
        initialPosition = reader
                .optional(INITIAL_POSITION, Pattern.compile("TRIM_HORIZON|LATEST"), "TRIM_HORIZON or LATEST")
                .map(match -> InitialPosition.valueOf(match.group()))
                .orElse(InitialPosition.TRIM_HORIZON);
        kinesisEndpoint = reader.endpoint(KINESIS_ENDPOINT);
        firehoseEndpoint = reader.endpoint(FIREHOSE_ENDPOINT);
        reader.failIfFaulty();
    }

    /**
     * Reads the property groups of an application.
     *
     * @throws IllegalArgumentException if they are not right; its message names every fault, and what to do about it
     */
    static Config of(Map<String, Properties> groups) {
        return new Config(new Reader(groups));
    }

    /** Takes values out of the group and keeps the faults that it finds. */
    private static final class Reader {
        private final Properties properties;
        private final List<String> faults = new ArrayList<>();

        Reader(Map<String, Properties> groups) {
            properties = groups.getOrDefault(GROUP, new Properties());
            if (!groups.containsKey(GROUP)) {
                faults.add("there is no such group (groups found: " + new TreeSet<>(groups.keySet()) + ")");
            }
            for (String key : new TreeSet<>(properties.stringPropertyNames())) {
                if (!KEYS.contains(key)) {
                    faults.add(key + " is unknown: remove it; known are " + new TreeSet<>(KEYS));
                }
            }
        }

        Matcher required(String key, Pattern syntax, String wanted) {
            if (!properties.containsKey(key)) {
                faults.add(key + " is missing: set it to " + wanted);
            }
            return optional(key, syntax, wanted).orElse(null);
        }

        Optional<Matcher> optional(String key, Pattern syntax, String wanted) {
            String value = properties.getProperty(key);
            if (value == null) {
                return Optional.empty();
            }
            Matcher match = syntax.matcher(value);
            if (!match.matches()) {
                faults.add(key + " is \"" + value + "\": set it to " + wanted);
                return Optional.empty();
            }
            return Optional.of(match);
        }

        Optional<String> endpoint(String key) {
            String wanted = "a URL as http://127.0.0.1:4566, or remove it on AWS";
            return optional(key, Pattern.compile("https?://[^/?#]+/?"), wanted).map(Matcher::group);
        }

        void failIfFaulty() {
            if (!faults.isEmpty()) {
                throw new IllegalArgumentException("The property group \"" + GROUP
                        + "\" of the application is not right:\n- " + String.join("\n- ", faults));
            }
        }
    }
}
