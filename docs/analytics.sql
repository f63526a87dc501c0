-- kinesis/analytics.sql del ejercicio 4: un filtro y una proyección en tiempo real.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    COL0 integer,
    COL3 integer,
    COL4 real,
    COL18 real);

CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "COL0", "COL3", "COL4", "COL18"
FROM "SOURCE_SQL_STREAM_001"
WHERE "COL0" < 3;
