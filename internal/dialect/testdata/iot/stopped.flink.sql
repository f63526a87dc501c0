-- A pump that is stopped, and started at the end.
CREATE TABLE READINGS (
  ID INTEGER,
  DEGREES DOUBLE
);

INSERT INTO READINGS
SELECT sensorId, currentTemperature * 9 / 5 + 32
FROM SOURCE_SQL_STREAM_001;
-- The end.
