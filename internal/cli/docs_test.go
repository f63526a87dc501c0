package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestDocumentedCommands: every command line of the README and the docs is one that the program takes.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile("bin/streamproof ([a-z][^#`|<&]*)")
	found := map[string]int{}
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, row := range strings.Split(string(text), "\n") {
			for _, m := range line.FindAllStringSubmatch(row, -1) {
				args := arguments(m[1])
				if err := parses(args); err != nil {
					t.Errorf("%s:%d: streamproof %s: %v", filepath.Base(file), n+1, strings.Join(args, " "), err)
				}
				found[args[0]]++
			}
		}
	}
	parser, err := newParser(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if !command.Hidden && found[command.Name] == 0 && command.Name != "demo" { // which is make's
			t.Errorf("streamproof %s is in no document", command.Name)
		}
	}
}

// documents lists the Markdown files of the project that people read.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"../../README.md", "../../CHANGELOG.md"}
	err := filepath.WalkDir("../../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// prose splits a document into lines, with blank ones in place of code blocks.
func prose(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	code := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if code = code != fence; code || fence {
			lines[i] = ""
		}
	}
	return lines
}

// TestDocumentLinks checks that each relative link leads to a file, and to a heading of it if it names one.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, file := range documents(t) {
		for n, line := range prose(t, file) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				target, anchor, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, ":") {
					continue
				}
				path := file
				if target != "" {
					path = filepath.Join(filepath.Dir(file), target)
				}
				checked++
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s:%d: link to %s: %v", file, n+1, m[1], err)
				} else if anchor != "" && !slices.Contains(anchors(t, path), anchor) {
					t.Errorf("%s:%d: link to %s: %s has no such heading", file, n+1, m[1], path)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("found %d relative links, want more: is the pattern still right?", checked)
	}
}

// anchors lists the fragments that GitHub gives to the headings of a document.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	var list []string
	for _, line := range prose(t, file) {
		heading := strings.TrimLeft(line, "#")
		if len(heading) == len(line) || !strings.HasPrefix(heading, " ") {
			continue
		}
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading)))
	}
	return list
}

// TestDocumentLines checks that prose has no line of more than 120 columns. Tables and lines with a URL may.
func TestDocumentLines(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		for n, line := range prose(t, file) {
			if columns := utf8.RuneCountInString(line); columns > 120 &&
				!strings.HasPrefix(strings.TrimSpace(line), "|") && !strings.Contains(line, "://") {
				t.Errorf("%s:%d: %d columns, want at most 120", file, n+1, columns)
			}
		}
	}
}

// arguments takes a line apart as a shell would, with something that is there for what a reader is to put in.
func arguments(line string) []string {
	var args []string
	for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		word = strings.Trim(word, `"`)
		switch strings.Trim(word, ".,;:)") {
		case "FILE", "copy", "visits.jsonl":
			word = "../../README.md"
			if args[len(args)-1] == "--dir" {
				word = "../../docs"
			}
		case "N", "RECORDS":
			word = "1"
		case "CLASS":
			word = "missing"
		case "…", `\`:
			continue
		default:
			word = strings.TrimRight(word, ".,;:)")
		}
		args = append(args, word)
	}
	return args
}

func parses(args []string) error {
	parser, err := newParser(&grammar{})
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	return err
}
