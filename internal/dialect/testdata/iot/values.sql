-- What Flink by itself would compute otherwise. The Flink job's TranslationTest has the rows.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  A INTEGER, B DOUBLE, C INTEGER, D INTEGER, E VARCHAR(20), F VARCHAR(20), G SMALLINT, H TIMESTAMP, I BIGINT, J CHAR(6), K INTEGER, L VARCHAR(20));

CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM
  7 / "sensorId",
  "voltage" * "currentTemperature",
  CAST("voltage" AS INTEGER),
  CAST("currentTemperature" AS INTEGER),
  SUBSTRING("value" FROM "sensorId" FOR 3),
  REGEX_REPLACE("value", '[0-9]+', '#', 1, 0),
  "sensorId" * 40000,
  STEP("timestamp" BY INTERVAL '15' MINUTE),
  UNIX_TIMESTAMP("timestamp"),
  "value",
  CAST(("timestamp" - TIMESTAMP '2016-02-01 00:00:00') MINUTE AS INTEGER),
  TIMESTAMP_TO_CHAR('yyyy/MM/dd HH', "timestamp")
FROM "SOURCE_SQL_STREAM_001"
WHERE ("currentTemperature" > "voltage") IS NOT NULL AND MOD(5, "sensorId") IS NULL OR "timestamp" + INTERVAL '86399' SECOND > TIMESTAMP '2048-05-10 12:50:39';
