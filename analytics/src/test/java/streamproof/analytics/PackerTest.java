package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;

class PackerTest {
    /** A packer that starts at time 0. */
    private static OneInputStreamOperatorTestHarness<byte[], byte[]> packer(int size, long delayMillis)
            throws Exception {
        OneInputStreamOperatorTestHarness<byte[], byte[]> harness = new OneInputStreamOperatorTestHarness<>(
                new Packer(size, delayMillis),
                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO.createSerializer(
                        new org.apache.flink.api.common.serialization.SerializerConfigImpl()));
        harness.open();
        harness.setProcessingTime(0);
        return harness;
    }

    private static void put(OneInputStreamOperatorTestHarness<byte[], byte[]> harness, String... lines)
            throws Exception {
        for (String line : lines) {
            harness.processElement(line.getBytes(StandardCharsets.UTF_8), 0);
        }
    }

    /** The packs that were sent so far. */
    private static List<String> packs(OneInputStreamOperatorTestHarness<byte[], byte[]> harness) {
        return harness.extractOutputValues().stream()
                .map(pack -> new String(pack, StandardCharsets.UTF_8))
                .collect(Collectors.toList());
    }

    @Test
    void packsAreAsFullAsMayBe() throws Exception {
        try (var harness = packer(8, 1000)) {
            put(harness, "aa\n", "bb\n", "cc\n"); // the third would be the ninth byte
            assertEquals(List.of("aa\nbb\n"), packs(harness));
            put(harness, "dddd\n"); // the eighth byte
            assertEquals(List.of("aa\nbb\n", "cc\ndddd\n"), packs(harness));
        }
    }

    @Test
    void aLongLineGoesAlone() throws Exception {
        try (var harness = packer(8, 1000)) {
            put(harness, "a\n", "123456789\n");
            assertEquals(List.of("a\n", "123456789\n"), packs(harness));
            put(harness, "1234567\n", "b\n");
            assertEquals(List.of("a\n", "123456789\n", "1234567\n"), packs(harness));
        }
    }

    /** The delay begins with the first line of the pack, whatever came before it. */
    @Test
    void noLineWaitsForLongerThanTheDelay() throws Exception {
        try (var harness = packer(8, 1000)) {
            put(harness, "a\n");
            harness.setProcessingTime(600);
            put(harness, "b\n");
            harness.setProcessingTime(999);
            assertEquals(List.of(), packs(harness));
            harness.setProcessingTime(1000);
            assertEquals(List.of("a\nb\n"), packs(harness));

            put(harness, "c\n");
            harness.setProcessingTime(1500);
            put(harness, "1234567\n", "d\n"); // c and the long line are sent, d waits from here on
            harness.setProcessingTime(2499);
            assertEquals(List.of("a\nb\n", "c\n", "1234567\n"), packs(harness));
            harness.setProcessingTime(2500);
            assertEquals(List.of("a\nb\n", "c\n", "1234567\n", "d\n"), packs(harness));
            harness.setProcessingTime(9999);
            assertEquals(4, packs(harness).size());
        }
    }

    @Test
    void nothingWaitsBehindACheckpoint() throws Exception {
        try (var harness = packer(8, 1000)) {
            put(harness, "a\n", "b\n");
            harness.prepareSnapshotPreBarrier(1);
            assertEquals(List.of("a\nb\n"), packs(harness));
            harness.prepareSnapshotPreBarrier(2);
            assertEquals(List.of("a\nb\n"), packs(harness));
        }
    }

    @Test
    void nothingIsLeftAtTheEnd() throws Exception {
        try (var harness = packer(8, 1000)) {
            put(harness, "a\n", "b\n");
            harness.endInput();
            harness.getOperator().finish();
            assertEquals(List.of("a\nb\n"), packs(harness));
        }
    }

    @Test
    void withoutADelayEachLineLeavesAtOnce() throws Exception {
        try (var harness = packer(8, 0)) {
            put(harness, "a\n", "b\n", "123456789\n");
            assertEquals(List.of("a\n", "b\n", "123456789\n"), packs(harness));
        }
    }
}
