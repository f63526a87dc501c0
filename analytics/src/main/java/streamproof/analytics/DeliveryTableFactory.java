package streamproof.analytics;

import java.util.Properties;
import java.util.Set;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.connector.firehose.sink.KinesisFirehoseSink;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;

/**
 * The connector {@value #IDENTIFIER}: a table that is written to a Firehose delivery stream, a line for each row.
 *
 * <p>Firehose's own table connector cannot stand here. Its formats end no row with a newline, which Firehose does not
 * add; and it leaves no place between the query and the sink, and no uid for the sink, whose state holds the rows that
 * Firehose has not yet taken.
 */
public final class DeliveryTableFactory implements DynamicTableSinkFactory {
    static final String IDENTIFIER = "delivery";
    static final ConfigOption<String> DELIVERY_STREAM =
            ConfigOptions.key("delivery.stream").stringType().noDefaultValue();
    static final ConfigOption<String> REGION = ConfigOptions.key("region").stringType().noDefaultValue();
    static final ConfigOption<String> ENDPOINT = ConfigOptions.key("endpoint").stringType().noDefaultValue();
    /** The uid of the sink operator: constant, so that a snapshot finds it again, and unique within the job. */
    static final ConfigOption<String> UID = ConfigOptions.key("uid").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(DELIVERY_STREAM, REGION, UID, FactoryUtil.FORMAT);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(ENDPOINT);
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        EncodingFormat<SerializationSchema<RowData>> format =
                helper.discoverEncodingFormat(SerializationFormatFactory.class, FactoryUtil.FORMAT);
        helper.validate();
        return new DeliverySink(helper.getOptions(), format, context.getPhysicalRowDataType());
    }

    private static final class DeliverySink implements DynamicTableSink {
        private final ReadableConfig options;
        private final EncodingFormat<SerializationSchema<RowData>> format;
        private final DataType rowType;

        DeliverySink(ReadableConfig options, EncodingFormat<SerializationSchema<RowData>> format, DataType rowType) {
            this.options = options;
            this.format = format;
            this.rowType = rowType;
        }

        /** A line in S3 cannot be taken back, so the result of the query must only grow. */
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return ChangelogMode.insertOnly();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            SerializationSchema<RowData> lines = new LineFormat(format.createRuntimeEncoder(context, rowType));
            return new DataStreamSinkProvider() {
                @Override
                public DataStreamSink<?> consumeDataStream(ProviderContext provider, DataStream<RowData> rows) {
                    return deliver(rows, lines);
                }
            };
        }

        /**
         * What Firehose throttles or leaves without an answer is sent again, for as long as it takes: at least once. A
         * delivery stream or a permission that is not there fails the job.
         */
        private DataStreamSink<?> deliver(DataStream<RowData> rows, SerializationSchema<RowData> lines) {
            Properties client = new Properties();
            client.setProperty(AWSConfigConstants.AWS_REGION, options.get(REGION));
            options.getOptional(ENDPOINT)
                    .ifPresent(endpoint -> client.setProperty(AWSConfigConstants.AWS_ENDPOINT, endpoint));
            String uid = options.get(UID);
            return rows.sinkTo(KinesisFirehoseSink.<RowData>builder()
                            .setDeliveryStreamName(options.get(DELIVERY_STREAM))
                            .setFirehoseClientProperties(client)
                            .setSerializationSchema(lines)
                            .setFailOnError(false)
                            .build())
                    .uid(uid)
                    .name(uid);
        }

        @Override
        public DynamicTableSink copy() {
            return new DeliverySink(options, format, rowType);
        }

        @Override
        public String asSummaryString() {
            return IDENTIFIER;
        }
    }
}
