-- Two destinations of the same columns over a stream in between, and one pump with two SELECTs.
CREATE TEMPORARY VIEW `LARGE` (N, half, what) AS
SELECT N, TRY_CAST(I / 2 AS DOUBLE), V
FROM S
WHERE I >= 3 OR I < -100;

CREATE TABLE `ONE` (
  N INTEGER,
  `value` DOUBLE,
  what VARCHAR(12)
);

INSERT INTO `ONE`
SELECT N, half / 3, 'one'
FROM `LARGE`
WHERE half <> 0
UNION ALL
SELECT N, half, 'o-' || what
FROM `LARGE`
WHERE CHAR_LENGTH(what) < 5
UNION ALL
SELECT N, TRY_CAST(F AS DOUBLE), 'the source'
FROM S
WHERE F BETWEEN -3 AND 3;
