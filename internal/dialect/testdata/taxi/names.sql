/* Names without quotes are read in upper case, whatever their case;
   names in quotes keep theirs. */
create or replace stream Long_Trips (vendor integer, "Distance" real, "select" double);

create or replace pump long_pump started as
insert into LONG_TRIPS
select stream s.col0, s."COL4", s.COL5 as longitude
from source_sql_stream_001 as s
where s.col4 >= 5 and not s.col3 = 1
