package cli

import (
	"context"
	"os"
	"os/exec"

	"streamproof/internal/ledger"
	"streamproof/internal/local"
)

type upCmd struct {
	StateDir string `help:"State directory of the stack (default: .streamproof in the project's directory)." placeholder:"DIR"`
	settings `embed:""`
	Port     uint16 `help:"Port of the emulator (default: that of the running stack, or 4566)." placeholder:"PORT"`
}

// settings are values for the template's parameters. They override local.yaml.
type settings struct {
	Set map[string]string `help:"Set a parameter of the template, such as --set Transform=JSON. It may be repeated." mapsep:"none" placeholder:"NAME=VALUE"`
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
	before := setByHand(ctx, dir)
	p := newProgress(e)
	s, err := bringUp(ctx, local.Options{Root: root, StateDir: dir, Port: int(c.Port), Parameters: c.Set, Step: p.step})
	p.stop()
	if err != nil {
		return err
	}
	if before != nil {
		now, err := s.Book().Current(ctx)
		if err != nil {
			return err
		}
		if now != nil && now.Pipeline != before.Pipeline {
			_ = e.stdout.Printf("The application runs %s.\n", s.Outputs.Query)
		}
	}
	return e.stdout.Printf("Stack %s runs at %s. See it: streamproof console --open --write. Next: streamproof produce, streamproof verify, streamproof status, streamproof down.\n", s.Name, s.Endpoint())
}

// bringUp starts or updates a local stack that outlives this process.
func bringUp(ctx context.Context, o local.Options) (*local.Stack, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o.Follower = func(stateDir string) *exec.Cmd { return exec.Command(self, "follow", stateDir) }
	return local.Start(ctx, o)
}

// setByHand returns the query that the local stack runs if a person has set it. It returns nil if that is unknown: the
// deploy that follows says more.
func setByHand(ctx context.Context, dir string) *ledger.Current {
	s, err := local.Open(ctx, dir)
	if err != nil {
		return nil
	}
	if current, err := s.Book().Current(ctx); err == nil && current != nil && current.By == ledger.BySQLRun {
		return current
	}
	return nil
}

// followCmd is the background process of `up`.
type followCmd struct {
	StateDir string `arg:"" type:"existingdir"`
}

func (c *followCmd) Run(ctx context.Context) error { return local.Follow(ctx, c.StateDir) }

type downCmd struct {
	StateDir string `help:"State directory of the stack (default: .streamproof in the project's directory)." placeholder:"DIR"`
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
	if !found {
		return e.stdout.Printf("No local stack runs in %s.\n", dir)
	}
	return e.stdout.Printf("The local stack in %s is stopped.\n", dir)
}
