-- What a view's own condition leaves out is not divided by; and what nobody asks for may be divided or not.
CREATE TEMPORARY VIEW V AS SELECT N, 6 / I AS X, I FROM S WHERE I <> 0;
CREATE TABLE R (N INTEGER, X INTEGER);
INSERT INTO R
SELECT N, X FROM V WHERE N <> 7
UNION ALL
SELECT N, I FROM V WHERE I > 0;
