// Package schema reads schema.json, which describes the records of the source stream: their format, and for each
// column the name, SQL type, where the value stands in a row and how a fake one is made.
//
// Everything is parsed once, by Parse, which names every fault of the file. Types, paths and patterns are kept parsed.
//
// # The resolved form
//
// The Flink job reads a schema as Resolved writes it, in which nothing is left to a default and nothing has to be
// parsed, so that the rules of schema.json stand only here:
//
//	{"source": "SOURCE_SQL_STREAM_001",
//	 "format": {"type": "json", "delimiter": ",", "quote": "\"", "newline": "\n", "multiline": false, "decimal": ".",
//	            "header": false, "nulls": []},
//	 "columns": [
//	   {"name": "at", "alias": "COL0", "kind": "TIMESTAMP", "length": 0, "precision": 3, "scale": 0, "nullable": true,
//	    "path": ["user", "at"], "pattern": ["yyyy", "'-", "MM", "'-", "dd", "'T", "HH", "':", "mm", "':", "ss", "[.SSS]"]
//	   }]}
//
// Every key is always present and never null:
//
//   - The keys of format other than type have CSV's defaults where the type is json. An empty quote means no quoting.
//   - kind is one of the constants of Kind. length is the n of CHAR(n) and VARCHAR(n), 0 if unbounded; precision and
//     scale are those of DECIMAL(p,s), and precision is also that of TIMESTAMP(p). All are 0 for other kinds.
//   - path has the names of the members that lead to the value in JSON, and the header's one name for it in CSV.
//   - pattern has the parts of a TIMESTAMP's or DATE's pattern, and is empty for other kinds. A part is letters as
//     Pattern lists them; a quote followed by literal text; ".SSS" or ",SSS" for a fraction of exactly so many digits;
//     or "[.SSS]" for one of at most so many digits, which may be missing.
package schema
