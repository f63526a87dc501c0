/* Names without quotes are read in upper case, whatever their case;
   names in quotes keep theirs. */
CREATE TABLE LONG_TRIPS (
  VENDOR INTEGER,
  Distance FLOAT,
  `select` DOUBLE
);

INSERT INTO LONG_TRIPS
SELECT COL0, COL4, COL5 AS LONGITUDE
FROM SOURCE_SQL_STREAM_001
WHERE COL4 >= 5 AND NOT COL3 = 1;
