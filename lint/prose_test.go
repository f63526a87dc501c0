//go:build lint

package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// proseWidth is the most columns that a line of prose may have.
const proseWidth = 120

// A comment is a line that holds nothing else, by the file's extension. What stands behind code is measured with the
// code.
var comment = map[string]*regexp.Regexp{
	".go":   regexp.MustCompile(`^\s*//`),
	".java": regexp.MustCompile(`^\s*(//|/?\*)`),
	".js":   regexp.MustCompile(`^\s*(//|/?\*)`),
	".mjs":  regexp.MustCompile(`^\s*(//|/?\*)`),
	".mk":   regexp.MustCompile(`^\s*#`),
	".py":   regexp.MustCompile(`^\s*#`),
	".sh":   regexp.MustCompile(`^\s*#`),
	".toml": regexp.MustCompile(`^\s*#`),
	".xml":  regexp.MustCompile(`<!--`),
	".yaml": regexp.MustCompile(`^\s*#`),
	".yml":  regexp.MustCompile(`^\s*#`),
	"":      regexp.MustCompile(`^\s*#`), // Makefile and shell scripts
}

// longLines returns the numbers of the lines of prose in a file that are too long. URLs count nothing, since they
// cannot be broken; neither do tables and code blocks of Markdown.
func longLines(name, text string) (lines []int) {
	prose := comment[filepath.Ext(name)]
	markdown := filepath.Ext(name) == ".md"
	block := false
	for i, line := range strings.Split(text, "\n") {
		if markdown && strings.HasPrefix(strings.TrimSpace(line), "```") {
			block = !block
		}
		isProse := prose != nil && prose.MatchString(line) ||
			markdown && !block && !strings.HasPrefix(strings.TrimSpace(line), "|")
		if isProse && utf8.RuneCountInString(line) > proseWidth && !strings.Contains(line, "://") && !strings.Contains(line, "checkov:skip") {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func TestProseIsNarrow(t *testing.T) {
	t.Parallel()
	files, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		if strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range longLines(name, string(text)) {
			t.Errorf("%s:%d has more than %d columns", name, line, proseWidth)
		}
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", proseWidth/5+1)
	for name, tc := range map[string]struct {
		file, text string
		want       int
	}{
		"a comment":              {"a.go", "// " + long, 1},
		"code":                   {"a.go", "x := `" + long + "`", 0},
		"a comment with a URL":   {"a.go", "// https://example.com " + long, 0},
		"letters, not bytes":     {"a.go", "// " + strings.Repeat("é", proseWidth-3), 0},
		"a Javadoc":              {"A.java", "   * " + long, 1},
		"a Makefile's comment":   {"Makefile", "# " + long, 1},
		"a YAML comment":         {"a.yaml", "  # " + long, 1},
		"a paragraph":            {"a.md", long, 1},
		"a table":                {"a.md", "| " + long, 0},
		"a code block":           {"a.md", "```\n" + long + "\n```", 0},
		"a paragraph after that": {"a.md", "```\n```\n" + long, 1},
	} {
		if got := len(longLines(tc.file, tc.text)); got != tc.want {
			t.Errorf("%s: got %d lines, want %d", name, got, tc.want)
		}
	}
}
