package dialect_test

import (
	"os"
	"strings"
	"testing"

	"streamproof/internal/dialect"
	"streamproof/internal/golden"
	"streamproof/internal/schema"
)

const guide = "../../docs/legacy-sql.md"

// Each row of the guide's tables has an example and its translation, or why it is refused.
func TestGuide(t *testing.T) {
	data, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	schema := schemaOf(t, "taxi")
	lines := strings.Split(string(data), "\n")
	rows := 0
	for i, line := range lines {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), " | ")
		if len(cells) != 3 || !strings.HasPrefix(cells[1], "`") {
			continue
		}
		rows++
		example := strings.ReplaceAll(strings.Trim(cells[1], "`"), "\x00", "|")
		cells[2] = strings.ReplaceAll(result(example, schema), "|", "\x00") + " |"
		lines[i] = strings.ReplaceAll(strings.Join(cells, " | "), "\x00", `\|`)
	}
	if rows < 80 {
		t.Errorf("got %d rows with an example, want more than 80", rows)
	}
	got := strings.Join(lines, "\n")
	golden.Check(t, guide, got)
}

// result returns the last cell of a row.
func result(example string, schema schema.Schema) string {
	flink, err := translate(example, schema)
	switch {
	case err != nil:
		var problems []string
		for _, fault := range dialect.Faults(err) {
			problems = append(problems, fault.Problem)
		}
		return "**refused**: " + strings.Join(problems, "; ")
	case flink == example:
		return "the same"
	}
	if strings.Contains(flink, "`") {
		return "`` " + flink + " ``"
	}
	return "`" + flink + "`"
}

// translate translates a type, an expression, a SELECT or a complete program, and returns it on one line.
func translate(example string, schema schema.Schema) (string, error) {
	of, isType := strings.CutPrefix(example, "type ")
	var flink string
	var err error
	switch {
	case isType:
		flink, err = dialect.Translate("CREATE STREAM D (X "+of+"); CREATE PUMP P AS INSERT INTO D SELECT STREAM NULL FROM SOURCE_SQL_STREAM_001", schema)
		flink, _, _ = strings.Cut(strings.TrimPrefix(flink, "CREATE TABLE D (\n  X "), "\n)")
		flink = "type " + flink
	case strings.HasPrefix(example, "CREATE "), strings.HasPrefix(example, "ALTER "), strings.HasPrefix(example, "DROP "), strings.HasPrefix(example, "SET "):
		flink, err = dialect.Translate(example, schema)
	default:
		flink, err = dialect.Part(example, schema)
	}
	return strings.Join(strings.Fields(flink), " "), err
}
