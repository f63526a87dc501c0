-- What the analytics application does with each trip: keep those of vendors 1 and 2,
-- and of each keep vendor, passengers, distance and total amount.
-- FLOAT is Flink's 32-bit type, which the legacy dialect calls REAL.

CREATE TABLE DESTINATION_SQL_STREAM (
  COL0  INTEGER,
  COL3  INTEGER,
  COL4  FLOAT,
  COL18 FLOAT
);

INSERT INTO DESTINATION_SQL_STREAM
SELECT COL0, COL3, COL4, COL18
FROM SOURCE_SQL_STREAM_001
WHERE COL0 < 3;
