package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"streamproof/internal/local"
)

type upCmd struct {
	StateDir string `help:"State directory of the stack (.streamproof in the project's directory)." placeholder:"DIR"`
	settings `embed:""`
	Port     uint16 `help:"Port of the emulator (that of the running stack, else 4566)." placeholder:"PORT"`
}

// settings are values for the template's parameters, over those of local.yaml.
type settings struct {
	Set map[string]string `help:"Set a parameter of the template, as --set Transform=JSON. It may be repeated." mapsep:"none" placeholder:"NAME=VALUE"`
}

func (c *upCmd) Run(ctx context.Context, e *env) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	dir, err := e.stateDir(c.StateDir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := newProgress(e.stderr)
	s, err := local.Start(ctx, local.Options{
		Root:       root,
		StateDir:   dir,
		Port:       int(c.Port),
		Parameters: c.Set,
		Follower:   func(stateDir string) *exec.Cmd { return exec.Command(self, "follow", stateDir) },
		Step:       p.step,
	})
	p.stop()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "Stack %s runs at %s. Next: streamproof produce, streamproof verify, streamproof status, streamproof down.\n", s.Name, s.Endpoint())
	return err
}

// followCmd is what the background process of `up` runs.
type followCmd struct {
	StateDir string `arg:"" type:"existingdir"`
}

func (c *followCmd) Run(ctx context.Context) error { return local.Follow(ctx, c.StateDir) }

type downCmd struct {
	StateDir string `help:"State directory of the stack (.streamproof in the project's directory)." placeholder:"DIR"`
}

func (c *downCmd) Run(ctx context.Context, e *env) error {
	dir, err := e.stateDir(c.StateDir)
	if err != nil {
		return err
	}
	found, err := local.Down(ctx, dir)
	if err != nil {
		return err
	}
	text := "No local stack runs in %s.\n"
	if found {
		text = "The local stack in %s is stopped.\n"
	}
	_, err = fmt.Fprintf(e.stdout, text, dir)
	return err
}
