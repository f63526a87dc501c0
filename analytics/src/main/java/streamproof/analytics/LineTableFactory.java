package streamproof.analytics;

import java.util.Set;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.transformations.PhysicalTransformation;
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
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;

/**
 * The connector {@value #IDENTIFIER}: a table that turns rows into lines with {@link RowLines}. The job sends the
 * lines on.
 *
 * <p>Firehose's own table connector does not fit. Its formats end no row with a newline, which Firehose does not add.
 * It has no place between query and sink for the check and the packer, and no uid for the sink, whose state holds the
 * rows that Firehose has not yet accepted.
 */
public final class LineTableFactory implements DynamicTableSinkFactory {
    static final String IDENTIFIER = "lines";
    /** The uid of the operator that writes the lines. */
    static final String UID = "lines";
    /** The columns that CREATE TABLE declares, as a ROW type; those of this table are {@link OutputType widened}. */
    static final ConfigOption<String> DECLARED = ConfigOptions.key("declared").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(DECLARED, FactoryUtil.FORMAT);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        EncodingFormat<SerializationSchema<RowData>> format =
                helper.discoverEncodingFormat(SerializationFormatFactory.class, FactoryUtil.FORMAT);
        helper.validate();
        RowType declared = (RowType)
                LogicalTypeParser.parse(helper.getOptions().get(DECLARED), LineTableFactory.class.getClassLoader());
        return new LineSink(format, declared, context.getPhysicalRowDataType());
    }

    private static final class LineSink implements DynamicTableSink {
        private final EncodingFormat<SerializationSchema<RowData>> format;
        private final RowType declared;
        private final DataType widened;

        LineSink(EncodingFormat<SerializationSchema<RowData>> format, RowType declared, DataType widened) {
            this.format = format;
            this.declared = declared;
            this.widened = widened;
        }

        /** A line in S3 cannot be retracted, so the query may only insert. */
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return ChangelogMode.insertOnly();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            RowLines lines = new RowLines(
                    format.createRuntimeEncoder(context, widened), declared, (RowType) widened.getLogicalType());
            return new DataStreamSinkProvider() {
                @Override
                public DataStreamSink<?> consumeDataStream(ProviderContext provider, DataStream<RowData> rows) {
                    return new End<>((PhysicalTransformation<byte[]>)
                            rows.process(lines, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)
                                    .uid(UID)
                                    .name(UID)
                                    .getTransformation());
                }
            };
        }

        @Override
        public DynamicTableSink copy() {
            return new LineSink(format, declared, widened);
        }

        @Override
        public String asSummaryString() {
            return IDENTIFIER;
        }
    }

    /**
     * The end of the planner's part of the graph. The planner keeps one sink of a table and silently loses any other
     * that is added here. So none is added, and the job sends both outputs of the lines on.
     */
    private static final class End<T> extends DataStreamSink<T> {
        End(PhysicalTransformation<T> last) {
            super(last);
        }
    }
}
