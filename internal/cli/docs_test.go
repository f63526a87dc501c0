package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCommands: every command line of the README and the docs is one that the program takes.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("bin/streamproof ([a-z][^#`|<&]*)")
	found := map[string]int{}
	for _, file := range append(files, "../../README.md") {
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
