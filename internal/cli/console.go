package cli

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cli/browser"

	"streamproof/internal/console"
	"streamproof/internal/explain"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

type consoleCmd struct {
	Port     uint16 `arg:"" optional:"" help:"Port on 127.0.0.1 (default: 4577, or another if that is taken)."`
	Open     bool   `help:"Open the console in the browser."`
	Write    bool   `help:"Let the page change the stack: produce, verify, accept, repair, change the query and the delivery, save a schema, pause and resume."`
	Stack    string `help:"Name of a stack on AWS." xor:"where" placeholder:"NAME"`
	Region   string `help:"Region of the stack on AWS (default: that of the AWS configuration)." placeholder:"REGION"`
	StateDir string `help:"State directory of the local stack (default: .streamproof in the project's directory)." xor:"where" placeholder:"DIR"`

	audited `embed:""`
}

func (c *consoleCmd) target() target {
	return target{Stack: c.Stack, Region: c.Region, StateDir: c.StateDir}
}

// Validate is called by kong.
func (c *consoleCmd) Validate() error {
	t := c.target()
	if !c.named() {
		return c.checkStack(&t)
	}
	if c.Write && c.Accepted == "" {
		return errors.New("--write of an audit goes with --accepted: findings are accepted there, and nothing else is written")
	}
	return c.check(&t)
}

func (c *consoleCmd) Run(ctx context.Context, e *env) error {
	server, err := c.serve(ctx, e)
	if err != nil {
		return err
	}
	if err := e.stdout.Printf("Console: %s\n", server.URL); err != nil {
		return errors.Join(err, server.Close())
	}
	how := "It is read-only: --write lets it change the stack. "
	if c.Write || c.named() {
		how = ""
	}
	_ = e.stderr.Printf("%sThe address holds a token: keep it to yourself. Ctrl-C ends the console.\n", how)
	if c.Open {
		if err := open(func() error { return browser.OpenURL(server.URL) }); err != nil {
			_ = e.stderr.Printf("No browser was opened (%v): open the address yourself.\n", err)
		}
	}
	<-ctx.Done()
	return server.Close()
}

func (c *consoleCmd) serve(ctx context.Context, e *env) (*console.Server, error) {
	o := console.Options{Port: int(c.Port), Write: c.Write}
	if !c.named() {
		subject, err := c.stack(ctx, e)
		if err != nil {
			return nil, err
		}
		return console.ServeStack(*subject, o)
	}
	t := c.target()
	config, err := t.config(ctx, e)
	if err != nil {
		return nil, err
	}
	find := c.subject
	shown := console.Audit{
		Name: c.DeliveryStream + c.Stream, Region: config.Region,
		Explain: func(ctx context.Context, step func(string) operate.Step) (*explain.Explanation, *report.Report, error) {
			s, err := c.subject(ctx, e, &t)
			if err != nil {
				return nil, nil, err
			}
			return s.explain(ctx, step)
		},
	}
	if c.Write {
		find = c.accepting
		shown.Accept = func(ctx context.Context, choice report.Choice, step func(string) operate.Step) (*report.Report, error) {
			s, err := c.accepting(ctx, e, &t)
			if err != nil {
				return nil, err
			}
			_, r, err := s.accept(ctx, c.Accepted, choice, step)
			return r, err
		}
	}
	shown.Run = func(ctx context.Context, step func(string) operate.Step) (*report.Report, error) {
		s, err := find(ctx, e, &t)
		if err != nil {
			return nil, err
		}
		return s.run(ctx, step)
	}
	return console.ServeAudit(shown, o)
}

// stack is the stack that the console shows. One on this machine may be started later.
func (c *consoleCmd) stack(ctx context.Context, e *env) (*console.Stack, error) {
	t := c.target()
	subject := &console.Stack{
		Name: c.Stack, Region: c.Region, Local: c.Stack == "",
		Open: func(ctx context.Context) (*stack.Stack, *local.Stack, error) { return t.open(ctx, e) },
		Plan: func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error) {
			return plan(ctx, e, schema, sql)
		},
	}
	if root, err := e.root(); err == nil {
		subject.Folder = filepath.Join(root, "pipeline")
	}
	if subject.Local {
		subject.Name, subject.Region = local.DefaultStack, local.DefaultRegion
		subject.Deploy = func(ctx context.Context, parameters map[string]string, step func(string) operate.Step) error {
			return c.deploy(ctx, e, parameters, step)
		}
		subject.Deployment = deployments("make build && bin/streamproof up", "--state-dir", c.StateDir)
		_, err := e.stateDir(c.StateDir)
		return subject, err
	}
	s, _, err := t.open(ctx, e)
	if err != nil {
		return nil, err
	}
	subject.Region = s.Region
	subject.Deployment = deployments("make deploy", "--stack", c.Stack, "--region", s.Region)
	return subject, nil
}

// deploy does what `up` with these parameters does. It builds nothing: only the parameters are to change.
func (c *consoleCmd) deploy(ctx context.Context, e *env, parameters map[string]string, step func(string) operate.Step) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	dir, err := e.stateDir(c.StateDir)
	if err != nil {
		return err
	}
	_, err = bringUp(ctx, local.Options{
		Root: root, StateDir: dir, Parameters: parameters, Prebuilt: true, Step: func(name string) func(error) { return step(name).End },
	})
	return err
}

// deployments are the commands that bring the project's pipeline to a stack, which is drained meanwhile. Those of the
// command line get the flags that have a value.
func deployments(deploy string, flags ...string) []string {
	suffix := ""
	for i := 0; i < len(flags); i += 2 {
		if value := flags[i+1]; value != "" {
			suffix += " " + flags[i] + " " + shellWord(value)
		}
	}
	if strings.HasSuffix(deploy, "streamproof up") {
		deploy += suffix
	}
	return []string{"bin/streamproof pause" + suffix, deploy, "bin/streamproof resume" + suffix}
}

var plainWord = regexp.MustCompile(`^[-_./:@%+=,0-9A-Za-z]+$`)

// shellWord is a text as a word of a shell.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
