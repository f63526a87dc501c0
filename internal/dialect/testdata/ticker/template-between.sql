-- A window of 15 minutes over a stream in between, in lower case; its beginning and its end.
create or replace stream filtered (symbol varchar(4), price real);
create or replace pump filter_pump as insert into filtered
  select stream ticker_symbol, price from source_sql_stream_001 where price > 0;
create or replace stream quarters (began timestamp, ended timestamp, hour_of_day integer, highest real);
create or replace pump quarter_pump as insert into quarters
  select stream floor((filtered.rowtime - timestamp '1970-01-01 00:00:00') minute / 15 to minute) * 15 + timestamp '1970-01-01 00:00:00',
         filtered."ROWTIME", extract(hour from rowtime), max(price)
  from filtered
  group by floor((filtered.rowtime - timestamp '1970-01-01 00:00:00') minute / 15 to minute)
  having max(price) > 1;
