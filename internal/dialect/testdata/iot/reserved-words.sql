-- Names that only quotes make names, here and in Flink.
CREATE OR REPLACE STREAM "Alarm stream" ("timestamp" TIMESTAMP, "value" VARCHAR(30), "order" INTEGER, "sensor's `id`" INTEGER);

CREATE OR REPLACE PUMP "Alarm pump" AS INSERT INTO "Alarm stream"
SELECT STREAM "timestamp", "s"."value", 1 AS "order", "sensorId"
FROM "SOURCE_SQL_STREAM_001" AS "s"
WHERE "currentTemperature" > 70 AND NOT ONLINE OR "status" = 'FAIL' AND ("timestamp" IS NULL OR online IS TRUE);
