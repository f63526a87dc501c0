// Package completion completes command lines in bash, zsh and fish, by the grammar that the command line is parsed
// with.
//
// The shells' scripts ask the program itself what a word may become, so that names from a template or an account can be
// completed, too. Kong's own companions (kongplete, kong-completion) do so as well, but they do not know that bash
// breaks a word such as Transform=JSON at the equals sign, and give no help texts.
package completion

import (
	"embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"streamproof/internal/terminal"
)

// A Candidate is what a word may become. One that ends with an equals sign is not the complete word.
type Candidate struct{ Word, Help string }

// Files and Directories stand for what the shell itself completes.
var (
	Files       = []Candidate{{Word: ":files"}}
	Directories = []Candidate{{Word: ":directories"}}
)

// Values returns values of a flag or argument, given the flags so far. Those that do not begin with what was typed are
// left out.
type Values func(name, typed string, given map[string]string) []Candidate

// Complete returns what the last of the words that follow the program's name may become.
func Complete(root *kong.Node, words []string, values Values) []Candidate {
	c := &line{node: root, values: values, given: map[string]string{}}
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, word := range words[:len(words)-1] {
		c.take(word)
	}
	return c.complete(last)
}

// A line is a command line as far as it was read.
type line struct {
	node      *kong.Node
	flag      *kong.Flag // whose value comes next
	arguments int        // of the node
	onlyArgs  bool       // after --
	given     map[string]string
	values    Values
}

func (l *line) take(word string) {
	name, value, joined := strings.Cut(word, "=")
	switch {
	case l.flag != nil:
		l.given[l.flag.Name], l.flag = word, nil
	case l.onlyArgs:
		l.arguments++
	case word == "--":
		l.onlyArgs = true
	case strings.HasPrefix(word, "-"):
		flag := l.find(name)
		if flag == nil {
			return
		}
		l.given[flag.Name] = value
		if !joined && !flag.IsBool() {
			l.flag = flag
		}
	default:
		for _, child := range l.node.Children {
			if child.Name == word {
				l.node, l.arguments = child, 0
				return
			}
		}
		l.arguments++
	}
}

func (l *line) flags() []*kong.Flag { return slices.Concat(l.node.AllFlags(true)...) }

// find returns the flag of a name with its hyphens, nil for none.
func (l *line) find(name string) *kong.Flag {
	for _, flag := range l.flags() {
		if name == "--"+flag.Name || flag.Short != 0 && name == "-"+string(flag.Short) {
			return flag
		}
	}
	return nil
}

func (l *line) complete(word string) []Candidate {
	name, typed, joined := strings.Cut(word, "=")
	switch {
	case l.flag != nil:
		return l.of(l.flag.Value, word, "")
	case !l.onlyArgs && joined && strings.HasPrefix(word, "--"):
		if flag := l.find(name); flag != nil {
			return l.of(flag.Value, typed, name+"=")
		}
		return nil
	case !l.onlyArgs && strings.HasPrefix(word, "-"):
		var all []Candidate
		for _, flag := range l.flags() {
			if _, given := l.given[flag.Name]; !given || flag.IsCumulative() {
				all = append(all, Candidate{"--" + flag.Name, flag.Help})
			}
		}
		return starting(all, word, "")
	}
	var all []Candidate
	for _, child := range l.node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			all = append(all, Candidate{child.Name, child.Help})
		}
	}
	if arguments := l.node.Positional; len(arguments) > 0 {
		if at := min(l.arguments, len(arguments)-1); at == l.arguments || arguments[at].IsCumulative() {
			return l.of(arguments[at], word, "")
		}
	}
	return starting(all, word, "")
}

// of returns the values of a flag or argument, each behind a prefix.
func (l *line) of(v *kong.Value, typed, prefix string) []Candidate {
	if v.Enum != "" {
		var all []Candidate
		for _, value := range v.EnumSlice() {
			all = append(all, Candidate{Word: value})
		}
		return starting(all, typed, prefix)
	}
	switch v.Tag.Type {
	case "path", "existingfile":
		return Files
	case "existingdir":
		return Directories
	}
	all := l.values(v.Name, typed, l.given)
	if len(all) > 0 && (all[0] == Files[0] || all[0] == Directories[0]) {
		return all
	}
	return starting(all, typed, prefix)
}

// plain words mean themselves in every shell. No other is offered: it may come from an account or a file.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// starting returns the candidates that begin with what was typed, each behind a prefix.
func starting(all []Candidate, typed, prefix string) []Candidate {
	var found []Candidate
	for _, c := range all {
		if strings.HasPrefix(c.Word, typed) && plain.MatchString(c.Word) {
			found = append(found, Candidate{prefix + c.Word, c.Help})
		}
	}
	return found
}

// Write writes candidates for a script: a line each, with a tab before its help, if it has one.
func Write(w io.Writer, candidates []Candidate) error {
	for _, c := range candidates {
		if _, err := fmt.Fprintf(w, "%s\n", strings.TrimSuffix(c.Word+"\t"+terminal.Escape(c.Help), "\t")); err != nil {
			return err
		}
	}
	return nil
}

//go:embed scripts
var scripts embed.FS

// Script returns the code by which a shell completes streamproof.
func Script(shell string) (string, error) {
	code, err := scripts.ReadFile("scripts/streamproof." + shell)
	return string(code), err
}
