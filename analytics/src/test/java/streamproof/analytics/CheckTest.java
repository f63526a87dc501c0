package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.Collectors;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Faults are reported with their line and column in the script, as a person counts them. */
class CheckTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM S#                 | ##",
                "#CREATE TABLE T (A INT);\n\nINSERT INTO T\n  SELECT B FROM S#            | #4:10: Column 'B' not found in any table#",
                "#/* é\n */ CREATE TABLE T (A INT);/* 😀 */ INSERT INTO T SELECT B FROM S# | #2:57: Column 'B' not found in any table#",
                "#CREATE TABLE T (A INT);\nINSERT INTO T SELECT '😀', B FROM S#           | #2:27: Column 'B' not found in any table#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT FROM S#                    | #1:46: Incorrect syntax near the keyword 'FROM'#",
                "#CREATE TABLE T (A INTT); INSERT INTO T SELECT 1 FROM S#                 | #1:19: Unknown identifier 'INTT'#",
                "#CREATE TABLE T (A DECIMAL(3, 1));\nINSERT INTO T SELECT 1#             | #1:1: column A: type DECIMAL(3, 1) …#",
                "#CREATE TABLE T (A INT);\n INSERT INTO T SELECT 'x' FROM S#          | #2:2: Column types of query result and sink …#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT C0 / FROM S#               | #1:49: Encountered \"/ FROM\"#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT NOSUCH(C0) FROM S#         | #1:46: No match found for function signature NOSUCH(<NUMERIC>)#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM NOSUCH#            | #1:54: Object 'NOSUCH' not found#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT ? FROM S WHERE @ = 1#      | #1:61: Lexical error …#",
                "#CREATE TABLE T (A BIGINT); INSERT INTO T SELECT COUNT(*) FROM S#        | #1:28: Table sink … doesn't support consuming update changes …#",
                "#CREATE TABLE T (A INT); INSERT INTO U SELECT C0 FROM S#                 | #1:25: Cannot find table '`default_catalog`.`default_database`.`U`' …#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT c0 FROM S#                 | #1:46: Column 'c0' not found in any table; did you mean 'C0'?#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT UPPER(Z) FROM S#           | #1:52: Column 'Z' not found in any table#",
                "#CREATE VIEW V (P) AS SELECT C0 FROM S; CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM V# | #1:85: Column 'C0' not found in any table#",
                "#CREATE VIEW V (P, Q) AS SELECT C0 FROM S; CREATE TABLE T (A INT); INSERT INTO T SELECT P FROM V# | #1:1: VIEW definition and input fields not match: …#",
                "#CREATE TABLE T (A INT, B INT); INSERT INTO T SELECT C0 FROM S#          | #1:32: … Different number of columns. …#",
                "#CREATE TABLE T (A INT); INSERT INTO T SELECT 1 UNION ALL SELECT 1, 2#   | #1:65: Column count mismatch in UNION ALL#",
                "#CREATE TABLE T (A FLOAT); INSERT INTO T SELECT 1e0 FROM S#              | #1:27: … Incompatible types for sink column 'A' …#",
                "#CREATE TABLE T (A INT, B INT); INSERT INTO T (A, Z) SELECT C0, 1 FROM S# | #1:50: Unknown target column 'Z'#",
                "#CREATE TABLE T (A INT, A INT); INSERT INTO T SELECT C0, 1 FROM S#       | #1:1: A regular Column named 'A' already exists …#",
                "#CREATE VIEW T AS SELECT C0 FROM S; CREATE TABLE T (A INT); INSERT INTO T SELECT 1# | #1:36: Could not execute CreateTable …#",
            })
    void faults(String script, String want) {
        String got = Job.faults(StreamExecutionEnvironment.getExecutionEnvironment(), SchemaTest.schema("INTEGER"), script).stream()
                .map(fault -> fault.line + ":" + fault.column + ": " + fault.message)
                .collect(Collectors.joining(" "));
        StringBuilder pattern = new StringBuilder();
        for (String part : want.split("…", -1)) {
            pattern.append(pattern.length() == 0 ? "" : ".*").append(java.util.regex.Pattern.quote(part));
        }
        assertEquals(true, got.matches(pattern.toString()), got);
    }
}
