package streamproof.analytics;

import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.StreamMap;
import org.apache.flink.streaming.api.transformations.OneInputTransformation;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.catalog.GenericInMemoryCatalog;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.Factory;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;

/**
 * A catalog with one table, the parsed records. The planner says which columns each scan of it reads, which it does not
 * for a table made of a stream; {@link Parser} makes these columns and checks the others.
 */
final class RecordTable extends GenericInMemoryCatalog implements DynamicTableSourceFactory {
    private static final String NAME = "streamproof";

    private final Schema schema;
    private final DataStream<RowData> rows;
    private final Projection projection;

    private RecordTable(Schema schema, DataStream<RowData> rows, Projection projection) {
        super(NAME);
        this.schema = schema;
        this.rows = rows;
        this.projection = projection;
    }

    /**
     * The table of all columns of {@link Schema#table}. The rows have those of the projection, to which each scan of
     * the planned query adds its own.
     */
    @SuppressWarnings("deprecation") // its successor makes catalogs of options, and a stream is none
    static Table of(TableEnvironment tables, Schema schema, DataStream<RowData> rows, Projection projection) {
        tables.registerCatalog(NAME, new RecordTable(schema, rows, projection));
        String path = NAME + ".`" + DEFAULT_DB + "`.records";
        tables.createTable(
                path,
                TableDescriptor.forConnector(NAME)
                        .schema(org.apache.flink.table.api.Schema.newBuilder()
                                .fromRowDataType(schema.table())
                                .build())
                        .build());
        return tables.from(path);
    }

    @Override
    public Optional<Factory> getFactory() {
        return Optional.of(this);
    }

    @Override
    public String factoryIdentifier() {
        return NAME;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        DataType type = context.getPhysicalRowDataType();
        return new Scan(IntStream.range(0, DataType.getFieldCount(type)).toArray(), type);
    }

    private final class Scan implements ScanTableSource, SupportsProjectionPushDown {
        private int[] columns;
        private DataType type;

        Scan(int[] columns, DataType type) {
            this.columns = columns;
            this.type = type;
        }

        @Override
        public boolean supportsNestedProjection() {
            return false;
        }

        @Override
        public void applyProjection(int[][] projected, DataType produced) {
            columns = Arrays.stream(projected).mapToInt(path -> path[0]).toArray();
            type = produced;
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return new DataStreamScanProvider() {
                @Override
                public boolean isBounded() {
                    return false;
                }

                @Override
                public DataStream<RowData> produceDataStream(ProviderContext context, StreamExecutionEnvironment env) {
                    Arrays.stream(columns).forEach(projection::add);
                    rows.getTransformation().setOutputType(schema.rowType(projection));
                    return new DataStream<>(
                            env,
                            new OneInputTransformation<>(
                                    rows.getTransformation(), // whose type cannot be set once it has been asked for
                                    NAME,
                                    new StreamMap<>(new Fields(columns, projection)),
                                    InternalTypeInfo.of(type.getLogicalType()),
                                    rows.getParallelism(),
                                    false));
                }
            };
        }

        @Override
        public DynamicTableSource copy() {
            return new Scan(columns, type);
        }

        @Override
        public String asSummaryString() {
            return NAME;
        }
    }

    /** Takes a scan's columns from a row of the projection. */
    private static final class Fields implements MapFunction<RowData, RowData> {
        private static final long serialVersionUID = 1;

        private final int[] columns;
        private final Projection projection;
        /** The row's field for each column. Empty if the row has these fields only, in this order. */
        private transient int[] fields;

        Fields(int[] columns, Projection projection) {
            this.columns = columns;
            this.projection = projection;
        }

        @Override
        public RowData map(RowData parsed) {
            if (fields == null) {
                boolean same = Arrays.equals(columns, projection.columns().toArray());
                fields = same ? new int[0] : Arrays.stream(columns).map(projection::field).toArray();
            }
            if (fields.length == 0) {
                return columns.length == 0 ? new GenericRowData(0) : parsed;
            }
            GenericRowData row = new GenericRowData(fields.length);
            for (int i = 0; i < fields.length; i++) {
                row.setField(i, ((GenericRowData) parsed).getField(fields[i]));
            }
            return row;
        }
    }
}
