-- The pump stands before the stream that it reads: the order of statements says nothing.
CREATE TABLE DESTINATION_SQL_STREAM (
  vendor INTEGER,
  tip_share DOUBLE
);

CREATE TEMPORARY VIEW TEMPSTREAM (vendor, tip, total) AS
SELECT COL0, TRY_CAST(COL15 AS DOUBLE), TRY_CAST(COL18 AS DOUBLE)
FROM SOURCE_SQL_STREAM_001;

INSERT INTO DESTINATION_SQL_STREAM
SELECT vendor, tip / total
FROM TEMPSTREAM
WHERE total > 0;
