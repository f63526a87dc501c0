package query

import (
	"slices"

	"streamproof/pipeline"
)

// Kinds that a column of a schema does not have, or has only one of.
const (
	text     pipeline.Kind = "TEXT" // CHAR and VARCHAR
	null     pipeline.Kind = "NULL"
	interval pipeline.Kind = "INTERVAL"
	fine     pipeline.Kind = "TIMESTAMP(n)" // a column whose pattern has a fraction of a second
	exact    pipeline.Kind = "DECIMAL(p,s)" // a column; DECIMAL alone is a literal, which SQLite computes as a DOUBLE
)

// A form is a way of computing that the two engines are known to agree on: what it gives, and how SQLite is told it, where
// %[1]s is the first operand. The functions that begin with f_ are the engine's own.
type form struct {
	result pipeline.Kind
	sqlite string
}

// forms is all that the judge knows. What is not here is refused, and what is here has to be in testdata/expressions.json,
// whose expressions a test of the Flink job and one of this package compute and compare.
var forms = map[string]form{
	"INTEGER column":   {pipeline.Integer, "%[1]s"},
	"BIGINT column":    {pipeline.BigInt, "%[1]s"},
	"REAL column":      {pipeline.Real, "%[1]s"},
	"DOUBLE column":    {pipeline.Double, "%[1]s"},
	"TEXT column":      {text, "%[1]s"},
	"TIMESTAMP column": {pipeline.Timestamp, "%[1]s"},
	"BOOLEAN column":   {pipeline.Boolean, "%[1]s"},
	"DATE column":      {pipeline.Date, "%[1]s"},
	// One value each, whichever digits it has; what is compared is a key of it, by f_decimal.
	"DECIMAL(p,s) column": {exact, "%[1]s"},
	"TIMESTAMP(n) column": {fine, "%[1]s"},

	"INTEGER literal":   {pipeline.Integer, "%[1]s"},
	"BIGINT literal":    {pipeline.BigInt, "%[1]s"},
	"DECIMAL literal":   {pipeline.Decimal, "%[1]s"},
	"TEXT literal":      {text, "%[1]s"},
	"TIMESTAMP literal": {pipeline.Timestamp, "%[1]s"},
	"DATE literal":      {pipeline.Date, "%[1]s"},
	"BOOLEAN literal":   {pipeline.Boolean, "%[1]s"},
	"NULL literal":      {null, "%[1]s"},

	// Of two operands, one is given the type of the other first. The same is done to a column of the destination.
	"INTEGER to BIGINT":  {pipeline.BigInt, "%[1]s"},
	"INTEGER to REAL":    {pipeline.Real, "f_real(%[1]s)"},
	"INTEGER to DOUBLE":  {pipeline.Double, "CAST(%[1]s AS REAL)"},
	"REAL to DOUBLE":     {pipeline.Double, "%[1]s"},
	"INTEGER to DECIMAL": {pipeline.Decimal, "CAST(%[1]s AS REAL)"},
	"DECIMAL to DOUBLE":  {pipeline.Double, "%[1]s"},
	// The destination's TIMESTAMP has six digits, and what has more becomes a reject.
	"TIMESTAMP(n) to TIMESTAMP": {pipeline.Timestamp, "f_micro(%[1]s)"},

	"INTEGER + INTEGER":     {pipeline.Integer, "f_int_add(%[1]s, %[2]s)"},
	"INTEGER - INTEGER":     {pipeline.Integer, "f_int_subtract(%[1]s, %[2]s)"},
	"INTEGER * INTEGER":     {pipeline.Integer, "f_int_multiply(%[1]s, %[2]s)"},
	"INTEGER / INTEGER":     {pipeline.Integer, "f_int_divide(%[1]s, %[2]s)"},
	"INTEGER % INTEGER":     {pipeline.Integer, "f_mod(%[1]s, %[2]s)"},
	"MOD(INTEGER, INTEGER)": {pipeline.Integer, "f_mod(%[1]s, %[2]s)"},
	"-INTEGER":              {pipeline.Integer, "f_int_subtract(0, %[1]s)"},
	"+INTEGER":              {pipeline.Integer, "%[1]s"},
	"BIGINT + BIGINT":       {pipeline.BigInt, "f_add(%[1]s, %[2]s)"},
	"BIGINT - BIGINT":       {pipeline.BigInt, "f_subtract(%[1]s, %[2]s)"},
	"BIGINT * BIGINT":       {pipeline.BigInt, "f_multiply(%[1]s, %[2]s)"},
	"BIGINT / BIGINT":       {pipeline.BigInt, "f_divide(%[1]s, %[2]s)"},
	"MOD(BIGINT, BIGINT)":   {pipeline.BigInt, "f_mod(%[1]s, %[2]s)"},
	"-BIGINT":               {pipeline.BigInt, "f_subtract(0, %[1]s)"},
	"REAL + REAL":           {pipeline.Real, "f_real_add(%[1]s, %[2]s)"},
	"REAL - REAL":           {pipeline.Real, "f_real_subtract(%[1]s, %[2]s)"},
	"REAL * REAL":           {pipeline.Real, "f_real_multiply(%[1]s, %[2]s)"},
	"REAL / REAL":           {pipeline.Real, "f_real_divide(%[1]s, %[2]s)"},
	"-REAL":                 {pipeline.Real, "f_double_negate(%[1]s)"},
	"DOUBLE + DOUBLE":       {pipeline.Double, "f_double_add(%[1]s, %[2]s)"},
	"DOUBLE - DOUBLE":       {pipeline.Double, "f_double_subtract(%[1]s, %[2]s)"},
	"DOUBLE * DOUBLE":       {pipeline.Double, "f_double_multiply(%[1]s, %[2]s)"},
	"DOUBLE / DOUBLE":       {pipeline.Double, "f_double_divide(%[1]s, %[2]s)"},
	"-DOUBLE":               {pipeline.Double, "f_double_negate(%[1]s)"},
	"ABS(INTEGER)":          {pipeline.Integer, "f_int_abs(%[1]s)"},
	"ABS(BIGINT)":           {pipeline.BigInt, "f_abs(%[1]s)"},
	"ABS(REAL)":             {pipeline.Real, "f_double_abs(%[1]s)"},
	"ABS(DOUBLE)":           {pipeline.Double, "f_double_abs(%[1]s)"},
	"FLOOR(INTEGER)":        {pipeline.Integer, "%[1]s"},
	"FLOOR(REAL)":           {pipeline.Real, "f_floor(%[1]s)"},
	"FLOOR(DOUBLE)":         {pipeline.Double, "f_floor(%[1]s)"},
	"CEIL(REAL)":            {pipeline.Real, "f_ceil(%[1]s)"},
	"CEIL(DOUBLE)":          {pipeline.Double, "f_ceil(%[1]s)"},

	// A comparison is of one of the operators and of one of the pairs: Flink does not tell whether two are equal as it tells which
	// one is less.
	"=":                                          {pipeline.Boolean, "(%[1]s = %[2]s)"},
	"<>":                                         {pipeline.Boolean, "(%[1]s <> %[2]s)"},
	"<":                                          {pipeline.Boolean, "(%[1]s < %[2]s)"},
	">":                                          {pipeline.Boolean, "(%[1]s > %[2]s)"},
	"<=":                                         {pipeline.Boolean, "(%[1]s <= %[2]s)"},
	">=":                                         {pipeline.Boolean, "(%[1]s >= %[2]s)"},
	"IS DISTINCT FROM":                           {pipeline.Boolean, "(%[1]s IS NOT %[2]s)"},
	"IS NOT DISTINCT FROM":                       {pipeline.Boolean, "(%[1]s IS %[2]s)"},
	"BETWEEN":                                    {pipeline.Boolean, "(%[1]s BETWEEN %[2]s AND %[3]s)"},
	"BETWEEN SYMMETRIC":                          {pipeline.Boolean, "(%[1]s BETWEEN %[2]s AND %[3]s OR %[1]s BETWEEN %[3]s AND %[2]s)"},
	"equal INTEGER with INTEGER":                 {},
	"equal BIGINT with INTEGER":                  {},
	"equal BIGINT with BIGINT":                   {},
	"equal REAL with REAL":                       {},
	"equal DOUBLE with DOUBLE":                   {},
	"equal INTEGER with a DECIMAL literal":       {},
	"equal REAL with an INTEGER literal":         {},
	"equal REAL with a DECIMAL literal":          {},
	"equal DOUBLE with an INTEGER literal":       {},
	"equal DOUBLE with a DECIMAL literal":        {},
	"equal TEXT with TEXT":                       {},
	"equal TIMESTAMP with a TEXT literal":        {},
	"equal TIMESTAMP with TIMESTAMP":             {},
	"equal BOOLEAN with BOOLEAN":                 {},
	"equal DATE with DATE":                       {},
	"equal DATE with a TEXT literal":             {},
	"equal TIMESTAMP(n) with TIMESTAMP(n)":       {},
	"equal TIMESTAMP with TIMESTAMP(n)":          {},
	"equal TIMESTAMP(n) with a TEXT literal":     {},
	"equal DECIMAL(p,s) with DECIMAL(p,s)":       {},
	"equal DECIMAL(p,s) with an INTEGER literal": {},
	"equal DECIMAL(p,s) with a DECIMAL literal":  {},
	"order INTEGER with INTEGER":                 {},
	"order BIGINT with INTEGER":                  {},
	"order BIGINT with BIGINT":                   {},
	"order REAL with REAL":                       {},
	"order DOUBLE with DOUBLE":                   {},
	"order INTEGER with a DECIMAL literal":       {},
	"order REAL with an INTEGER literal":         {},
	"order REAL with a DECIMAL literal":          {},
	"order DOUBLE with an INTEGER literal":       {},
	"order DOUBLE with a DECIMAL literal":        {},
	"order TEXT with TEXT":                       {},
	"order TIMESTAMP with a TEXT literal":        {},
	"order TIMESTAMP with TIMESTAMP":             {},
	"order DATE with DATE":                       {},
	"order DATE with a TEXT literal":             {},
	"order TIMESTAMP(n) with TIMESTAMP(n)":       {},
	"order TIMESTAMP with TIMESTAMP(n)":          {},
	"order TIMESTAMP(n) with a TEXT literal":     {},
	"order DECIMAL(p,s) with DECIMAL(p,s)":       {},
	"order DECIMAL(p,s) with an INTEGER literal": {},
	"order DECIMAL(p,s) with a DECIMAL literal":  {},
	"INTEGER IN":                                 {pipeline.Boolean, "(%[1]s IN (%[2]s))"},
	"BIGINT IN":                                  {pipeline.Boolean, "(%[1]s IN (%[2]s))"},
	"TEXT IN":                                    {pipeline.Boolean, "(%[1]s IN (%[2]s))"},
	"TEXT LIKE":                                  {pipeline.Boolean, "f_like(%[1]s, %[2]s)"},

	"AND":                       {pipeline.Boolean, "(%[1]s AND %[2]s)"},
	"OR":                        {pipeline.Boolean, "(%[1]s OR %[2]s)"},
	"NOT":                       {pipeline.Boolean, "(NOT %[1]s)"},
	"IS NULL":                   {pipeline.Boolean, "(%[1]s IS NULL)"},
	"IS TRUE":                   {pipeline.Boolean, "(%[1]s IS TRUE)"},
	"IS FALSE":                  {pipeline.Boolean, "(%[1]s IS FALSE)"},
	"IS UNKNOWN":                {pipeline.Boolean, "(%[1]s IS NULL)"},
	"CASE WHEN":                 {},
	"CASE x WHEN":               {},
	"COALESCE":                  {"", "coalesce(%[1]s)"},
	"COALESCE(INTEGER, BIGINT)": {},
	"COALESCE(BIGINT, INTEGER)": {},
	"COALESCE(REAL, INTEGER)":   {},
	"COALESCE(DOUBLE, INTEGER)": {},
	"COALESCE(DOUBLE, DECIMAL)": {},
	"NULLIF":                    {"", "CASE WHEN %[1]s THEN NULL ELSE %[2]s END"},

	"UPPER(TEXT)":                       {text, "f_upper(%[1]s)"},
	"LOWER(TEXT)":                       {text, "f_lower(%[1]s)"},
	"TRIM(TEXT)":                        {text, "f_trim(%[1]s)"},
	"LTRIM(TEXT)":                       {text, "f_ltrim(%[1]s)"},
	"RTRIM(TEXT)":                       {text, "f_rtrim(%[1]s)"},
	"CHAR_LENGTH(TEXT)":                 {pipeline.Integer, "f_length(%[1]s)"},
	"SUBSTRING(TEXT, INTEGER)":          {text, "f_substring(%[1]s, %[2]s, 2147483647)"},
	"SUBSTRING(TEXT, INTEGER, INTEGER)": {text, "f_substring(%[1]s, %[2]s, %[3]s)"},
	"POSITION(TEXT, TEXT)":              {pipeline.Integer, "f_position(%[1]s, %[2]s)"},
	"REPLACE(TEXT, TEXT, TEXT)":         {text, "f_replace(%[1]s, %[2]s, %[3]s)"},
	"TEXT || TEXT":                      {text, "(%[1]s || %[2]s)"},

	"TRY_CAST(INTEGER AS BIGINT)":      {pipeline.BigInt, "%[1]s"},
	"TRY_CAST(INTEGER AS REAL)":        {pipeline.Real, "f_real(%[1]s)"},
	"TRY_CAST(INTEGER AS DOUBLE)":      {pipeline.Double, "CAST(%[1]s AS REAL)"},
	"TRY_CAST(INTEGER AS TEXT)":        {text, "CAST(%[1]s AS TEXT)"},
	"TRY_CAST(INTEGER AS BOOLEAN)":     {pipeline.Boolean, "(%[1]s <> 0)"},
	"TRY_CAST(BIGINT AS INTEGER)":      {pipeline.Integer, "f_wrap(%[1]s)"},
	"TRY_CAST(REAL AS BIGINT)":         {pipeline.BigInt, "f_bigint(%[1]s)"},
	"TRY_CAST(DOUBLE AS BIGINT)":       {pipeline.BigInt, "f_bigint(%[1]s)"},
	"TRY_CAST(TEXT AS BIGINT)":         {pipeline.BigInt, "f_text_bigint(%[1]s)"},
	"TRY_CAST(BIGINT AS DOUBLE)":       {pipeline.Double, "f_double(%[1]s)"},
	"TRY_CAST(BIGINT AS REAL)":         {pipeline.Real, "f_real(%[1]s)"},
	"TRY_CAST(BIGINT AS TEXT)":         {text, "CAST(%[1]s AS TEXT)"},
	"TRY_CAST(REAL AS DOUBLE)":         {pipeline.Double, "%[1]s"},
	"TRY_CAST(DOUBLE AS REAL)":         {pipeline.Real, "f_real(%[1]s)"},
	"TRY_CAST(REAL AS INTEGER)":        {pipeline.Integer, "f_int(%[1]s)"},
	"TRY_CAST(DOUBLE AS INTEGER)":      {pipeline.Integer, "f_int(%[1]s)"},
	"TRY_CAST(TEXT AS TEXT)":           {text, "%[1]s"},
	"TRY_CAST(TEXT AS TEXT(n))":        {text, "f_substring(%[1]s, 1, %[2]s)"},
	"TRY_CAST(TEXT AS INTEGER)":        {pipeline.Integer, "f_text_int(%[1]s)"},
	"TRY_CAST(TEXT AS DOUBLE)":         {pipeline.Double, "f_text_double(%[1]s)"},
	"TRY_CAST(TIMESTAMP AS TEXT)":      {text, "%[1]s"},
	"TRY_CAST(BOOLEAN AS TEXT)":        {text, "CASE %[1]s WHEN 1 THEN 'TRUE' WHEN 0 THEN 'FALSE' END"},
	"TRY_CAST(BOOLEAN AS INTEGER)":     {pipeline.Integer, "%[1]s"},
	"TRY_CAST(DATE AS TEXT)":           {text, "%[1]s"},
	"TRY_CAST(TIMESTAMP AS DATE)":      {pipeline.Date, "f_date(%[1]s)"},
	"TRY_CAST(TIMESTAMP(n) AS DATE)":   {pipeline.Date, "f_date(%[1]s)"},
	"TRY_CAST(DECIMAL(p,s) AS DOUBLE)": {pipeline.Double, "f_decimal_double(%[1]s)"},

	"EXTRACT(YEAR)":                      {pipeline.BigInt, "f_extract(%[1]s, 0, 4)"},
	"EXTRACT(MONTH)":                     {pipeline.BigInt, "f_extract(%[1]s, 5, 7)"},
	"EXTRACT(DAY)":                       {pipeline.BigInt, "f_extract(%[1]s, 8, 10)"},
	"EXTRACT(HOUR)":                      {pipeline.BigInt, "f_extract(%[1]s, 11, 13)"},
	"EXTRACT(MINUTE)":                    {pipeline.BigInt, "f_extract(%[1]s, 14, 16)"},
	"EXTRACT(SECOND)":                    {pipeline.BigInt, "f_extract(%[1]s, 17, 19)"},
	"EXTRACT(YEAR FROM DATE)":            {pipeline.BigInt, "f_extract(%[1]s, 0, 4)"},
	"EXTRACT(MONTH FROM DATE)":           {pipeline.BigInt, "f_extract(%[1]s, 5, 7)"},
	"EXTRACT(DAY FROM DATE)":             {pipeline.BigInt, "f_extract(%[1]s, 8, 10)"},
	"EXTRACT(HOUR FROM TIMESTAMP(n))":    {pipeline.BigInt, "f_extract(%[1]s, 11, 13)"},
	"EXTRACT(MINUTE FROM TIMESTAMP(n))":  {pipeline.BigInt, "f_extract(%[1]s, 14, 16)"},
	"EXTRACT(SECOND FROM TIMESTAMP(n))":  {pipeline.BigInt, "f_extract(%[1]s, 17, 19)"},
	"FLOOR(TIMESTAMP(n) TO DAY)":         {pipeline.Timestamp, "f_begin(%[1]s, 10)"},
	"FLOOR(TIMESTAMP(n) TO HOUR)":        {pipeline.Timestamp, "f_begin(%[1]s, 13)"},
	"FLOOR(TIMESTAMP(n) TO MINUTE)":      {pipeline.Timestamp, "f_begin(%[1]s, 16)"},
	"FLOOR(TIMESTAMP(n) TO SECOND)":      {pipeline.Timestamp, "f_begin(%[1]s, 19)"},
	"DATE_FORMAT(TIMESTAMP(n), pattern)": {text, "f_format(%[1]s, %[2]s)"},
	"FLOOR(TIMESTAMP TO YEAR)":           {pipeline.Timestamp, "f_begin(%[1]s, 4)"},
	"FLOOR(TIMESTAMP TO MONTH)":          {pipeline.Timestamp, "f_begin(%[1]s, 7)"},
	"FLOOR(TIMESTAMP TO DAY)":            {pipeline.Timestamp, "f_begin(%[1]s, 10)"},
	"FLOOR(TIMESTAMP TO HOUR)":           {pipeline.Timestamp, "f_begin(%[1]s, 13)"},
	"FLOOR(TIMESTAMP TO MINUTE)":         {pipeline.Timestamp, "f_begin(%[1]s, 16)"},
	"FLOOR(TIMESTAMP TO SECOND)":         {pipeline.Timestamp, "f_begin(%[1]s, 19)"},
	"TIMESTAMPDIFF(SECOND)":              {pipeline.Integer, "f_difference(%[1]s, %[2]s, 1)"},
	"TIMESTAMPDIFF(MINUTE)":              {pipeline.Integer, "f_difference(%[1]s, %[2]s, 60)"},
	"TIMESTAMPDIFF(HOUR)":                {pipeline.Integer, "f_difference(%[1]s, %[2]s, 3600)"},
	"TIMESTAMPDIFF(DAY)":                 {pipeline.Integer, "f_difference(%[1]s, %[2]s, 86400)"},
	"TIMESTAMPADD(SECOND)":               {pipeline.Timestamp, "f_later(%[2]s, %[1]s, 1)"},
	"TIMESTAMPADD(MINUTE)":               {pipeline.Timestamp, "f_later(%[2]s, %[1]s, 60)"},
	"TIMESTAMPADD(HOUR)":                 {pipeline.Timestamp, "f_later(%[2]s, %[1]s, 3600)"},
	"TIMESTAMPADD(DAY)":                  {pipeline.Timestamp, "f_later(%[2]s, %[1]s, 86400)"},
	"TIMESTAMP + INTERVAL":               {pipeline.Timestamp, "f_later(%[1]s, 1, %[2]s)"},
	"TIMESTAMP - INTERVAL":               {pipeline.Timestamp, "f_later(%[1]s, -1, %[2]s)"},
	"DATE_FORMAT(TIMESTAMP, pattern)":    {text, "f_format(%[1]s, %[2]s)"},
}

// Forms are the names of all that the judge knows to compute.
func Forms() []string {
	var names []string
	for name := range forms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
