package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"streamproof/internal/completion"
	"streamproof/internal/local/sam"
	"streamproof/internal/proof"
	"streamproof/internal/stack"
)

// completeTimeout is how long a person waits for the names of stacks.
const completeTimeout = 3 * time.Second

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

func (c *completionCmd) Run(e *env) error {
	code, err := completion.Script(c.Shell)
	if err == nil {
		_, err = io.WriteString(e.programs, code)
	}
	return err
}

// completeCmd is what the shell's script calls.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words after the program's name, up to the cursor."`
}

func (c *completeCmd) Run(ctx context.Context, e *env) error {
	parser, err := newParser(&grammar{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	return completion.Write(e.programs, completion.Complete(parser.Model.Node, words, func(name, typed string, given map[string]string) []completion.Candidate {
		return e.valuesOf(ctx, name, typed, given)
	}))
}

// valuesOf returns the values of a flag or argument that its type does not tell.
func (e *env) valuesOf(ctx context.Context, name, typed string, given map[string]string) []completion.Candidate {
	var all []completion.Candidate
	switch name {
	case "file", "schema":
		return completion.Files
	case "state-dir":
		return completion.Directories
	case "class":
		for _, class := range proof.Classes {
			all = append(all, completion.Candidate{Word: string(class)})
		}
	case "set":
		root := given["project"]
		if root == "" {
			root, _ = e.root()
		}
		parameters, _ := sam.Parameters(root) // there is nothing to complete without a template
		for _, p := range parameters {
			if !strings.HasPrefix(typed, p.Name+"=") {
				all = append(all, completion.Candidate{Word: p.Name + "=", Help: p.Description})
				continue
			}
			for _, value := range p.AllowedValues {
				all = append(all, completion.Candidate{Word: p.Name + "=" + value})
			}
		}
	case "stack":
		c, err := e.loadAWS(ctx, given["region"])
		if err != nil || c.Region == "" {
			return nil
		}
		names, _ := stack.Names(ctx, c) // a list that cannot be had is empty
		for _, name := range names {
			all = append(all, completion.Candidate{Word: name})
		}
	}
	return all
}
