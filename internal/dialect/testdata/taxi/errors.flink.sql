CREATE TABLE DESTINATION_SQL_STREAM (
  `at` TIMESTAMP,
  level VARCHAR(10),
  what VARCHAR(4096),
  `row` VARCHAR(49152),
  pump VARCHAR(128)
);

INSERT INTO DESTINATION_SQL_STREAM
SELECT
  TRY_CAST(arrival_time AS TIMESTAMP(3)),
  'ERROR',
  COALESCE(`column` || ': ' || reason, reason),
  HEX(DECODE(data, 'UTF-8')),
  TRY_CAST(NULL AS STRING)
FROM error_stream
WHERE reason <> 'blank line';
