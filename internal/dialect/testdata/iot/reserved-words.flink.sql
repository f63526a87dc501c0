-- Names that only quotes make names, here and in Flink.
CREATE TABLE `Alarm stream` (
  `timestamp` TIMESTAMP,
  `value` VARCHAR(30),
  `order` INTEGER,
  `sensor's ``id``` INTEGER
);

INSERT INTO `Alarm stream`
SELECT `timestamp`, `value`, 1 AS `order`, sensorId
FROM SOURCE_SQL_STREAM_001
WHERE currentTemperature > 70 AND NOT ONLINE OR status = 'FAIL' AND (`timestamp` IS NULL OR ONLINE IS TRUE);
