package query

import (
	"maps"
	"slices"

	"streamproof/internal/schema"
)

// Kinds besides those of a schema's columns.
const (
	text     schema.Kind = "TEXT" // CHAR and VARCHAR
	null     schema.Kind = "NULL"
	interval schema.Kind = "INTERVAL"
	fine     schema.Kind = "TIMESTAMP(n)" // a column whose pattern has a fraction of a second
	exact    schema.Kind = "DECIMAL(p,s)" // a column; plain DECIMAL is a literal, a DOUBLE in SQLite
)

// A form is an operation on which the two engines are known to agree: the kind of its result, and its SQL in SQLite,
// with %[1]s for the first operand. Functions that begin with f_ are defined by package engine.
type form struct {
	result schema.Kind
	sqlite string
}

// forms is everything that the verifier can compute. Each form has to be in testdata/expressions.json, whose
// expressions a test of the Flink job and a test of package engine compute and compare.
var forms = withComparisons(map[string]form{
	"INTEGER column":   {schema.Integer, "%[1]s"},
	"BIGINT column":    {schema.BigInt, "%[1]s"},
	"REAL column":      {schema.Real, "%[1]s"},
	"DOUBLE column":    {schema.Double, "%[1]s"},
	"TEXT column":      {text, "%[1]s"},
	"TIMESTAMP column": {schema.Timestamp, "%[1]s"},
	"BOOLEAN column":   {schema.Boolean, "%[1]s"},
	"DATE column":      {schema.Date, "%[1]s"},
	// Compared by a key, f_decimal, since one value may be written with different digits.
	"DECIMAL(p,s) column": {exact, "%[1]s"},
	"TIMESTAMP(n) column": {fine, "%[1]s"},

	"INTEGER literal":   {schema.Integer, "%[1]s"},
	"BIGINT literal":    {schema.BigInt, "%[1]s"},
	"DECIMAL literal":   {schema.Decimal, "%[1]s"},
	"TEXT literal":      {text, "%[1]s"},
	"TIMESTAMP literal": {schema.Timestamp, "%[1]s"},
	"DATE literal":      {schema.Date, "%[1]s"},
	"BOOLEAN literal":   {schema.Boolean, "%[1]s"},
	"NULL literal":      {null, "%[1]s"},

	// One of two operands is first converted to the type of the other, and a value to the type of its column.
	"INTEGER to BIGINT":  {schema.BigInt, "%[1]s"},
	"INTEGER to REAL":    {schema.Real, "f_real(%[1]s)"},
	"INTEGER to DOUBLE":  {schema.Double, "CAST(%[1]s AS REAL)"},
	"REAL to DOUBLE":     {schema.Double, "%[1]s"},
	"INTEGER to DECIMAL": {schema.Decimal, "CAST(%[1]s AS REAL)"},
	"DECIMAL to DOUBLE":  {schema.Double, "%[1]s"},
	// The destination's TIMESTAMP has six digits. The job rejects values with more.
	"TIMESTAMP(n) to TIMESTAMP": {schema.Timestamp, "f_micro(%[1]s)"},

	"INTEGER + INTEGER":     {schema.Integer, "f_int_add(%[1]s, %[2]s)"},
	"INTEGER - INTEGER":     {schema.Integer, "f_int_subtract(%[1]s, %[2]s)"},
	"INTEGER * INTEGER":     {schema.Integer, "f_int_multiply(%[1]s, %[2]s)"},
	"INTEGER / INTEGER":     {schema.Integer, "f_int_divide(%[1]s, %[2]s)"},
	"INTEGER % INTEGER":     {schema.Integer, "f_mod(%[1]s, %[2]s)"},
	"MOD(INTEGER, INTEGER)": {schema.Integer, "f_mod(%[1]s, %[2]s)"},
	"-INTEGER":              {schema.Integer, "f_int_subtract(0, %[1]s)"},
	"+INTEGER":              {schema.Integer, "%[1]s"},
	"BIGINT + BIGINT":       {schema.BigInt, "f_add(%[1]s, %[2]s)"},
	"BIGINT - BIGINT":       {schema.BigInt, "f_subtract(%[1]s, %[2]s)"},
	"BIGINT * BIGINT":       {schema.BigInt, "f_multiply(%[1]s, %[2]s)"},
	"BIGINT / BIGINT":       {schema.BigInt, "f_divide(%[1]s, %[2]s)"},
	"MOD(BIGINT, BIGINT)":   {schema.BigInt, "f_mod(%[1]s, %[2]s)"},
	"-BIGINT":               {schema.BigInt, "f_subtract(0, %[1]s)"},
	"REAL + REAL":           {schema.Real, "f_real_add(%[1]s, %[2]s)"},
	"REAL - REAL":           {schema.Real, "f_real_subtract(%[1]s, %[2]s)"},
	"REAL * REAL":           {schema.Real, "f_real_multiply(%[1]s, %[2]s)"},
	"REAL / REAL":           {schema.Real, "f_real_divide(%[1]s, %[2]s)"},
	"-REAL":                 {schema.Real, "f_double_negate(%[1]s)"},
	"DOUBLE + DOUBLE":       {schema.Double, "f_double_add(%[1]s, %[2]s)"},
	"DOUBLE - DOUBLE":       {schema.Double, "f_double_subtract(%[1]s, %[2]s)"},
	"DOUBLE * DOUBLE":       {schema.Double, "f_double_multiply(%[1]s, %[2]s)"},
	"DOUBLE / DOUBLE":       {schema.Double, "f_double_divide(%[1]s, %[2]s)"},
	"-DOUBLE":               {schema.Double, "f_double_negate(%[1]s)"},
	"ABS(INTEGER)":          {schema.Integer, "f_int_abs(%[1]s)"},
	"ABS(BIGINT)":           {schema.BigInt, "f_abs(%[1]s)"},
	"ABS(REAL)":             {schema.Real, "f_double_abs(%[1]s)"},
	"ABS(DOUBLE)":           {schema.Double, "f_double_abs(%[1]s)"},
	"FLOOR(INTEGER)":        {schema.Integer, "%[1]s"},
	"FLOOR(REAL)":           {schema.Real, "f_floor(%[1]s)"},
	"FLOOR(DOUBLE)":         {schema.Double, "f_floor(%[1]s)"},
	"CEIL(REAL)":            {schema.Real, "f_ceil(%[1]s)"},
	"CEIL(DOUBLE)":          {schema.Double, "f_ceil(%[1]s)"},

	// A comparison needs one of the operators and one of the pairs. Flink tests for equality and for order in different
	// ways.
	"=":                    {schema.Boolean, "(%[1]s = %[2]s)"},
	"<>":                   {schema.Boolean, "(%[1]s <> %[2]s)"},
	"<":                    {schema.Boolean, "(%[1]s < %[2]s)"},
	">":                    {schema.Boolean, "(%[1]s > %[2]s)"},
	"<=":                   {schema.Boolean, "(%[1]s <= %[2]s)"},
	">=":                   {schema.Boolean, "(%[1]s >= %[2]s)"},
	"IS DISTINCT FROM":     {schema.Boolean, "(%[1]s IS NOT %[2]s)"},
	"IS NOT DISTINCT FROM": {schema.Boolean, "(%[1]s IS %[2]s)"},
	"BETWEEN":              {schema.Boolean, "(%[1]s BETWEEN %[2]s AND %[3]s)"},
	"BETWEEN SYMMETRIC":    {schema.Boolean, "(%[1]s BETWEEN %[2]s AND %[3]s OR %[1]s BETWEEN %[3]s AND %[2]s)"},
	"INTEGER IN":           {schema.Boolean, "(%[1]s IN (%[2]s))"},
	"BIGINT IN":            {schema.Boolean, "(%[1]s IN (%[2]s))"},
	"TEXT IN":              {schema.Boolean, "(%[1]s IN (%[2]s))"},
	"TEXT LIKE":            {schema.Boolean, "f_like(%[1]s, %[2]s)"},

	"AND":                       {schema.Boolean, "(%[1]s AND %[2]s)"},
	"OR":                        {schema.Boolean, "(%[1]s OR %[2]s)"},
	"NOT":                       {schema.Boolean, "(NOT %[1]s)"},
	"IS NULL":                   {schema.Boolean, "(%[1]s IS NULL)"},
	"IS TRUE":                   {schema.Boolean, "(%[1]s IS TRUE)"},
	"IS FALSE":                  {schema.Boolean, "(%[1]s IS FALSE)"},
	"IS UNKNOWN":                {schema.Boolean, "(%[1]s IS NULL)"},
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
	"CHAR_LENGTH(TEXT)":                 {schema.Integer, "f_length(%[1]s)"},
	"SUBSTRING(TEXT, INTEGER)":          {text, "f_substring(%[1]s, %[2]s, 2147483647)"},
	"SUBSTRING(TEXT, INTEGER, INTEGER)": {text, "f_substring(%[1]s, %[2]s, %[3]s)"},
	"POSITION(TEXT, TEXT)":              {schema.Integer, "f_position(%[1]s, %[2]s)"},
	"REPLACE(TEXT, TEXT, TEXT)":         {text, "f_replace(%[1]s, %[2]s, %[3]s)"},
	"TEXT || TEXT":                      {text, "(%[1]s || %[2]s)"},

	"TRY_CAST(INTEGER AS BIGINT)":      {schema.BigInt, "%[1]s"},
	"TRY_CAST(INTEGER AS REAL)":        {schema.Real, "f_real(%[1]s)"},
	"TRY_CAST(INTEGER AS DOUBLE)":      {schema.Double, "CAST(%[1]s AS REAL)"},
	"TRY_CAST(INTEGER AS TEXT)":        {text, "CAST(%[1]s AS TEXT)"},
	"TRY_CAST(INTEGER AS BOOLEAN)":     {schema.Boolean, "(%[1]s <> 0)"},
	"TRY_CAST(BIGINT AS INTEGER)":      {schema.Integer, "f_wrap(%[1]s)"},
	"TRY_CAST(REAL AS BIGINT)":         {schema.BigInt, "f_bigint(%[1]s)"},
	"TRY_CAST(DOUBLE AS BIGINT)":       {schema.BigInt, "f_bigint(%[1]s)"},
	"TRY_CAST(TEXT AS BIGINT)":         {schema.BigInt, "f_text_bigint(%[1]s)"},
	"TRY_CAST(BIGINT AS DOUBLE)":       {schema.Double, "f_double(%[1]s)"},
	"TRY_CAST(BIGINT AS REAL)":         {schema.Real, "f_real(%[1]s)"},
	"TRY_CAST(BIGINT AS TEXT)":         {text, "CAST(%[1]s AS TEXT)"},
	"TRY_CAST(REAL AS DOUBLE)":         {schema.Double, "%[1]s"},
	"TRY_CAST(DOUBLE AS REAL)":         {schema.Real, "f_real(%[1]s)"},
	"TRY_CAST(REAL AS INTEGER)":        {schema.Integer, "f_int(%[1]s)"},
	"TRY_CAST(DOUBLE AS INTEGER)":      {schema.Integer, "f_int(%[1]s)"},
	"TRY_CAST(TEXT AS TEXT)":           {text, "%[1]s"},
	"TRY_CAST(TEXT AS TEXT(n))":        {text, "f_substring(%[1]s, 1, %[2]s)"},
	"TRY_CAST(TEXT AS INTEGER)":        {schema.Integer, "f_text_int(%[1]s)"},
	"TRY_CAST(TEXT AS DOUBLE)":         {schema.Double, "f_text_double(%[1]s)"},
	"TRY_CAST(TIMESTAMP AS TEXT)":      {text, "%[1]s"},
	"TRY_CAST(BOOLEAN AS TEXT)":        {text, "CASE %[1]s WHEN 1 THEN 'TRUE' WHEN 0 THEN 'FALSE' END"},
	"TRY_CAST(BOOLEAN AS INTEGER)":     {schema.Integer, "%[1]s"},
	"TRY_CAST(DATE AS TEXT)":           {text, "%[1]s"},
	"TRY_CAST(TIMESTAMP AS DATE)":      {schema.Date, "f_date(%[1]s)"},
	"TRY_CAST(TIMESTAMP(n) AS DATE)":   {schema.Date, "f_date(%[1]s)"},
	"TRY_CAST(DECIMAL(p,s) AS DOUBLE)": {schema.Double, "f_decimal_double(%[1]s)"},

	"EXTRACT(YEAR)":                      {schema.BigInt, "f_extract(%[1]s, 0, 4)"},
	"EXTRACT(MONTH)":                     {schema.BigInt, "f_extract(%[1]s, 5, 7)"},
	"EXTRACT(DAY)":                       {schema.BigInt, "f_extract(%[1]s, 8, 10)"},
	"EXTRACT(HOUR)":                      {schema.BigInt, "f_extract(%[1]s, 11, 13)"},
	"EXTRACT(MINUTE)":                    {schema.BigInt, "f_extract(%[1]s, 14, 16)"},
	"EXTRACT(SECOND)":                    {schema.BigInt, "f_extract(%[1]s, 17, 19)"},
	"EXTRACT(YEAR FROM DATE)":            {schema.BigInt, "f_extract(%[1]s, 0, 4)"},
	"EXTRACT(MONTH FROM DATE)":           {schema.BigInt, "f_extract(%[1]s, 5, 7)"},
	"EXTRACT(DAY FROM DATE)":             {schema.BigInt, "f_extract(%[1]s, 8, 10)"},
	"EXTRACT(HOUR FROM TIMESTAMP(n))":    {schema.BigInt, "f_extract(%[1]s, 11, 13)"},
	"EXTRACT(MINUTE FROM TIMESTAMP(n))":  {schema.BigInt, "f_extract(%[1]s, 14, 16)"},
	"EXTRACT(SECOND FROM TIMESTAMP(n))":  {schema.BigInt, "f_extract(%[1]s, 17, 19)"},
	"FLOOR(TIMESTAMP(n) TO DAY)":         {schema.Timestamp, "f_begin(%[1]s, 10)"},
	"FLOOR(TIMESTAMP(n) TO HOUR)":        {schema.Timestamp, "f_begin(%[1]s, 13)"},
	"FLOOR(TIMESTAMP(n) TO MINUTE)":      {schema.Timestamp, "f_begin(%[1]s, 16)"},
	"FLOOR(TIMESTAMP(n) TO SECOND)":      {schema.Timestamp, "f_begin(%[1]s, 19)"},
	"DATE_FORMAT(TIMESTAMP(n), pattern)": {text, "f_format(%[1]s, %[2]s)"},
	"FLOOR(TIMESTAMP TO YEAR)":           {schema.Timestamp, "f_begin(%[1]s, 4)"},
	"FLOOR(TIMESTAMP TO MONTH)":          {schema.Timestamp, "f_begin(%[1]s, 7)"},
	"FLOOR(TIMESTAMP TO DAY)":            {schema.Timestamp, "f_begin(%[1]s, 10)"},
	"FLOOR(TIMESTAMP TO HOUR)":           {schema.Timestamp, "f_begin(%[1]s, 13)"},
	"FLOOR(TIMESTAMP TO MINUTE)":         {schema.Timestamp, "f_begin(%[1]s, 16)"},
	"FLOOR(TIMESTAMP TO SECOND)":         {schema.Timestamp, "f_begin(%[1]s, 19)"},
	"TIMESTAMPDIFF(SECOND)":              {schema.Integer, "f_difference(%[1]s, %[2]s, 1)"},
	"TIMESTAMPDIFF(MINUTE)":              {schema.Integer, "f_difference(%[1]s, %[2]s, 60)"},
	"TIMESTAMPDIFF(HOUR)":                {schema.Integer, "f_difference(%[1]s, %[2]s, 3600)"},
	"TIMESTAMPDIFF(DAY)":                 {schema.Integer, "f_difference(%[1]s, %[2]s, 86400)"},
	"TIMESTAMPADD(SECOND)":               {schema.Timestamp, "f_later(%[2]s, %[1]s, 1)"},
	"TIMESTAMPADD(MINUTE)":               {schema.Timestamp, "f_later(%[2]s, %[1]s, 60)"},
	"TIMESTAMPADD(HOUR)":                 {schema.Timestamp, "f_later(%[2]s, %[1]s, 3600)"},
	"TIMESTAMPADD(DAY)":                  {schema.Timestamp, "f_later(%[2]s, %[1]s, 86400)"},
	"TIMESTAMP + INTERVAL":               {schema.Timestamp, "f_later(%[1]s, 1, %[2]s)"},
	"TIMESTAMP - INTERVAL":               {schema.Timestamp, "f_later(%[1]s, -1, %[2]s)"},
	"DATE_FORMAT(TIMESTAMP, pattern)":    {text, "f_format(%[1]s, %[2]s)"},
})

// Forms returns the names of all forms.
func Forms() []string {
	return slices.Sorted(maps.Keys(forms))
}

// withComparisons adds a form for each pair of operands that both engines compare alike, for equality and for order.
func withComparisons(all map[string]form) map[string]form {
	for _, pair := range []string{
		"INTEGER with INTEGER",
		"BIGINT with INTEGER",
		"BIGINT with BIGINT",
		"REAL with REAL",
		"DOUBLE with DOUBLE",
		"INTEGER with a DECIMAL literal",
		"REAL with an INTEGER literal",
		"REAL with a DECIMAL literal",
		"DOUBLE with an INTEGER literal",
		"DOUBLE with a DECIMAL literal",
		"TEXT with TEXT",
		"TIMESTAMP with a TEXT literal",
		"TIMESTAMP with TIMESTAMP",
		"DATE with DATE",
		"DATE with a TEXT literal",
		"TIMESTAMP(n) with TIMESTAMP(n)",
		"TIMESTAMP with TIMESTAMP(n)",
		"TIMESTAMP(n) with a TEXT literal",
		"DECIMAL(p,s) with DECIMAL(p,s)",
		"DECIMAL(p,s) with an INTEGER literal",
		"DECIMAL(p,s) with a DECIMAL literal",
	} {
		all["equal "+pair], all["order "+pair] = form{}, form{}
	}
	all["equal BOOLEAN with BOOLEAN"] = form{}
	return all
}
