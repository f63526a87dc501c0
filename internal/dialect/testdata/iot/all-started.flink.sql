-- Pumps that are started together at the end.
CREATE TABLE READINGS (
  ID INTEGER,
  DEGREES DOUBLE
);

INSERT INTO READINGS
SELECT sensorId, currentTemperature
FROM SOURCE_SQL_STREAM_001
WHERE currentTemperature > 20
UNION ALL
SELECT sensorId, currentTemperature
FROM SOURCE_SQL_STREAM_001
WHERE currentTemperature < 0;
