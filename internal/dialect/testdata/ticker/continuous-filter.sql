-- ** Continuous filter: rows of one kind only. **
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (ticker_symbol VARCHAR(4), sector VARCHAR(12), change REAL, price REAL);

-- Insert into the stream continuously.
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM ticker_symbol, sector, change, price
FROM "SOURCE_SQL_STREAM_001"
-- SIMILAR TO takes a pattern.
WHERE sector SIMILAR TO '%(TECH|HEALTH)%';
