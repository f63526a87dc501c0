package streamproof.analytics;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
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

/**
 * The application's environment properties: the property group {@value #GROUP}, and the group {@value #SQL_GROUP} if a
 * query was set by hand. A property holds at most 2,048 characters, so that group holds the query in parts, under 000,
 * 001, …, and the hash of the complete query.
 */
final class Config {
    static final String GROUP = "streamproof";
    static final String SQL_GROUP = "streamproof.sql";

    private static final String SQL_HASH = "sha256";

    private static final String STREAM_ARN = "stream.arn";
    private static final String DELIVERY_STREAM = "delivery.stream";
    private static final String REJECTS_DELIVERY_STREAM = "rejects.delivery.stream";
    private static final String OUTPUT_FORMAT = "output.format";
    private static final String INITIAL_POSITION = "initial.position";
    private static final String PACK_KIB = "pack.kib";
    private static final String PACK_DELAY_MILLIS = "pack.delay.ms";
    private static final String KINESIS_ENDPOINT = "kinesis.endpoint";
    private static final String FIREHOSE_ENDPOINT = "firehose.endpoint";
    /** The region has the form that the connectors require. */
    private static final Pattern STREAM_ARN_SYNTAX = Pattern.compile(
            "arn:aws[a-z-]*:kinesis:(?<region>[a-z]+-(?:[a-z]+-)?[a-z]+-[0-9]):[0-9]{12}"
                    + ":stream/(?<name>[a-zA-Z0-9_.-]{1,128})");

    /** The Kinesis stream to read, and the region of all streams. */
    final String stream;

    final String region;
    /** The Firehose delivery stream to write to. */
    final String deliveryStream;
    /** The Firehose delivery stream for rejects. */
    final String rejectsDeliveryStream;
    /** The Flink format of a row: csv or json. */
    final String format;
    /** Where a first start begins to read. A start from a snapshot resumes at the snapshot's position. */
    final InitialPosition initialPosition;
    /** The moment of {@link InitialPosition#AT_TIMESTAMP}. */
    final Optional<Instant> initialTime;
    /** The most bytes of a Firehose record, unless a single line is longer. */
    final int packBytes;
    /** How long a line may wait for others to fill its record; 0 makes each line a record. */
    final int packDelayMillis;
    /** The endpoints of AWS, if not the region's own. */
    final Optional<String> kinesisEndpoint;

    final Optional<String> firehoseEndpoint;
    /** The query that replaces the JAR's own. */
    final Optional<String> script;
    /** Its SHA-256, in hexadecimal digits. */
    final Optional<String> scriptHash;

    private Config(Reader reader, Map<String, Properties> groups) {
        Matcher arn = reader.required(STREAM_ARN, STREAM_ARN_SYNTAX, "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME");
        stream = arn == null ? null : arn.group("name");
        region = arn == null ? null : arn.group("region");
        deliveryStream = reader.deliveryStream(DELIVERY_STREAM);
        rejectsDeliveryStream = reader.deliveryStream(REJECTS_DELIVERY_STREAM);
        Matcher formatName = reader.required(OUTPUT_FORMAT, Pattern.compile("CSV|JSON"), "CSV or JSON");
        format = formatName == null ? null : formatName.group().toLowerCase(Locale.ROOT);
        String positions = "TRIM_HORIZON, LATEST or a time like 2026-11-29T10:00:00Z";
        Optional<Matcher> position =
                reader.optional(INITIAL_POSITION, Pattern.compile("TRIM_HORIZON|LATEST|(?<time>[0-9].*)"), positions);
        initialTime = position.map(match -> match.group("time"))
                .flatMap(time -> reader.instant(INITIAL_POSITION, time, positions));
        initialPosition = position.map(match -> match.group("time") == null
                        ? InitialPosition.valueOf(match.group())
                        : InitialPosition.AT_TIMESTAMP)
                .orElse(InitialPosition.TRIM_HORIZON);
        // Firehose bills in steps of 5 KB; 100 KiB are 20 steps.
        packBytes = 1024 * reader.wholeNumber(PACK_KIB, 1, Delivery.RECORD_BYTES / 1024, 100);
        // Firehose itself buffers for at most 900 s.
        packDelayMillis = reader.wholeNumber(PACK_DELAY_MILLIS, 0, 900_000, 5000);
        kinesisEndpoint = reader.endpoint(KINESIS_ENDPOINT);
        firehoseEndpoint = reader.endpoint(FIREHOSE_ENDPOINT);
        reader.failIfFaulty();
        script = Optional.ofNullable(groups.get(SQL_GROUP)).map(Config::joinParts);
        scriptHash = script.map(Config::sha256);
    }

    private static String joinParts(Properties group) {
        Set<String> keys = new TreeSet<>(group.stringPropertyNames());
        String want = group.getProperty(SQL_HASH);
        keys.remove(SQL_HASH);
        StringBuilder sql = new StringBuilder();
        int parts = 0;
        for (String key : keys) {
            if (!key.equals(String.format("%03d", parts++))) {
                throw faultySQL(key + " is not the next part: the parts are 000, 001, … without a gap");
            }
            sql.append(group.getProperty(key));
        }
        String hash = sha256(sql.toString());
        if (!hash.equals(want)) {
            throw faultySQL("the " + parts + " parts have the hash " + hash + ", but " + SQL_HASH + " is " + want);
        }
        return sql.toString();
    }

    private static IllegalArgumentException faultySQL(String fault) {
        return new IllegalArgumentException("The application's property group \"" + SQL_GROUP + "\" is invalid: " + fault
                + ". Set the query again with `streamproof sql run`, or remove the group");
    }

    /** In hexadecimal digits. */
    static String sha256(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return String.format("%064x", new BigInteger(1, hash));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has SHA-256
        }
    }

    /**
     * Reads the property groups of an application.
     *
     * @throws IllegalArgumentException if they are invalid; its message names every fault and its remedy
     */
    static Config of(Map<String, Properties> groups) {
        return new Config(new Reader(groups), groups);
    }

    /** Reads values of the group and collects their faults. */
    private static final class Reader {
        private final Properties properties;
        private final Set<String> supported = new TreeSet<>();
        private final List<String> faults = new ArrayList<>();

        Reader(Map<String, Properties> groups) {
            properties = groups.getOrDefault(GROUP, new Properties());
            if (!groups.containsKey(GROUP)) {
                faults.add("the group does not exist (existing groups: " + new TreeSet<>(groups.keySet()) + ")");
            }
        }

        Matcher required(String key, Pattern syntax, String wanted) {
            if (!properties.containsKey(key)) {
                faults.add(key + " is missing: set it to " + wanted);
            }
            return optional(key, syntax, wanted).orElse(null);
        }

        Optional<Matcher> optional(String key, Pattern syntax, String wanted) {
            supported.add(key);
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

        String deliveryStream(String key) {
            Matcher name = required(
                    key, Pattern.compile("[a-zA-Z0-9_.-]{1,64}"), "the name of a Firehose delivery stream");
            return name == null ? null : name.group();
        }

        int wholeNumber(String key, int least, int most, int otherwise) {
            String wanted = "a whole number from " + least + " to " + most;
            Optional<Integer> number = optional(key, Pattern.compile("[0-9]{1,9}"), wanted)
                    .map(match -> Integer.valueOf(match.group()));
            if (number.isPresent() && (number.get() < least || number.get() > most)) {
                faults.add(key + " is " + number.get() + ": set it to " + wanted);
            }
            return number.orElse(otherwise);
        }

        Optional<Instant> instant(String key, String value, String wanted) {
            try {
                return Optional.of(Instant.parse(value));
            } catch (DateTimeParseException e) {
                faults.add(key + " is \"" + value + "\": set it to " + wanted);
                return Optional.empty();
            }
        }

        Optional<String> endpoint(String key) {
            String wanted = "a URL like http://127.0.0.1:4566, or remove it on AWS";
            return optional(key, Pattern.compile("https?://[^/?#]+/?"), wanted).map(Matcher::group);
        }

        /** Call it when every key has been read. */
        void failIfFaulty() {
            Set<String> unsupported = new TreeSet<>(properties.stringPropertyNames());
            unsupported.removeAll(supported);
            int at = 0;
            for (String key : unsupported) {
                faults.add(at++, key + " is not supported: remove it (supported: " + supported + ")");
            }
            if (!faults.isEmpty()) {
                throw new IllegalArgumentException("The application's property group \"" + GROUP + "\" is invalid:\n- "
                        + String.join("\n- ", faults));
            }
        }
    }
}
