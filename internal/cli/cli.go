// Package cli is the command line: it parses commands, calls other packages, and prints what they return.
//
// The exit status is 0 for done or PROVEN, 1 for NOT PROVEN only, 2 for wrong usage or configuration, and 3 for
// UNDECIDED and everything that could not be done. Results go to stdout, progress and errors to stderr.
package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/mattn/go-isatty"

	"streamproof/internal/bucket"
	"streamproof/internal/local"
	"streamproof/internal/operate"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

// The exit statuses that are not a verdict's.
const (
	exitDone  = 0
	exitUsage = 2
	exitFault = 3
)

type grammar struct {
	Project string `help:"The project's directory, from which local stacks are built (default: this directory, or the nearest above it)." type:"existingdir" placeholder:"DIR"`

	Up         upCmd         `cmd:"" help:"Start a local stack, or update a running one to the current template."`
	Demo       demoCmd       `cmd:"" help:"Run everything once on a local stack of its own: start, produce, deliver, prove, stop."`
	Produce    produceCmd    `cmd:"" help:"Have the producer send a tick."`
	Verify     verifyCmd     `cmd:"" help:"Have the verifier judge what was delivered."`
	Audit      auditCmd      `cmd:"" help:"Audit a pipeline that you already have: compare what its stream holds with what is in S3."`
	Discover   discoverCmd   `cmd:"" help:"Sample a stream or files, and propose a schema for their records."`
	Explain    explainCmd    `cmd:"" help:"Find out where missing and failed rows were last seen."`
	Accept     acceptCmd     `cmd:"" help:"Record that a person accepts a finding, so that it no longer fails the verdict."`
	Repair     repairCmd     `cmd:"" help:"Put right what a verdict names: make missing and failed rows again, or take surplus copies and broken lines out of their objects."`
	Logs       logsCmd       `cmd:"" help:"Show what the parts of the stack log, together and in order."`
	Status     statusCmd     `cmd:"" help:"Show the state of all parts of the stack."`
	Console    consoleCmd    `cmd:"" help:"Serve a page on this machine that shows the stack and its verdict, live."`
	Tail       tailCmd       `cmd:"" help:"Show the records of the stream as they arrive."`
	Objects    objectsCmd    `cmd:"" help:"List what was delivered, and show an object as a table."`
	Pause      pauseCmd      `cmd:"" help:"Stop producing, wait until nothing is in flight, and stop the application, as before a change of the pipeline."`
	Resume     resumeCmd     `cmd:"" help:"Start the application and the schedule again."`
	SQL        sqlCmd        `cmd:"" name:"sql" help:"Run, show or translate a pipeline's SQL."`
	Doctor     doctorCmd     `cmd:"" help:"Check whether this machine, or an AWS account (--region), is ready for a stack, and what it costs there."`
	Down       downCmd       `cmd:"" help:"Stop the local stack."`
	Completion completionCmd `cmd:"" help:"Print the code that completes streamproof's command lines in a shell."`
	Complete   completeCmd   `cmd:"" help:"Print what the last word of a command line may become." hidden:""`
	Follow     followCmd     `cmd:"" help:"Run the Flink job of a local stack." hidden:""`
}

type env struct {
	// stdout and stderr are for people: they accept only text whose data is escaped.
	stdout, stderr *terminal.Writer
	// programs is stdout for other programs, which read JSON or SQL from it unescaped.
	programs io.Writer
	// display is stderr if that is a terminal, for a moving display; else nil.
	display *os.File
	// screen is stdout if that is a terminal, for a text that is redrawn; else nil.
	screen  io.Writer
	grammar *grammar
	// loadAWS reads the AWS configuration. Tests replace it.
	loadAWS func(ctx context.Context, region string) (aws.Config, error)
}

func newEnv(stdout, stderr io.Writer) *env {
	e := &env{stdout: terminal.NewWriter(stdout), stderr: terminal.NewWriter(stderr), programs: stdout, grammar: &grammar{}, loadAWS: loadAWS}
	if isTerminal(stderr) {
		e.display = stderr.(*os.File)
	}
	if isTerminal(stdout) {
		e.screen = stdout
	}
	return e
}

func loadAWS(ctx context.Context, region string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(bucket.HTTPClient()))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// verdict ends a command with the exit status of a verdict.
type verdict int

func (v verdict) Error() string { return fmt.Sprintf("exit status %d", int(v)) }

// usageError is a fault in what the user typed.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// Run runs the command line and returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return newEnv(stdout, stderr).run(ctx, args)
}

func (e *env) run(ctx context.Context, args []string) int {
	helped := false
	parser, err := newParser(e.grammar,
		kong.Writers(e.programs, io.Discard), // kong itself writes only the help
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)
	if err != nil {
		return e.report(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(joinAgo(args))
	if helped {
		return exitDone
	}
	if err == nil {
		err = checkEmpty(parsed)
	}
	if err != nil {
		return e.report(&usageError{fmt.Errorf("%w: see `streamproof --help`", err)})
	}
	return e.report(parsed.Run())
}

// joinAgo writes `--from -1h` as `--from=-1h`: kong takes what begins with a hyphen for a flag.
func joinAgo(args []string) []string {
	joined := slices.Clone(args)
	for i := 0; i+1 < len(joined); i++ {
		next := joined[i+1]
		if (joined[i] == "--from" || joined[i] == "--to") && len(next) > 1 && next[0] == '-' && next[1] >= '0' && next[1] <= '9' {
			joined = slices.Replace(joined, i, i+2, joined[i]+"="+next)
		}
	}
	return joined
}

// checkEmpty refuses an empty flag that says where to act, such as one from an unset shell variable: the command would
// act somewhere else.
func checkEmpty(parsed *kong.Context) error {
	for _, p := range parsed.Path {
		if p.Flag == nil {
			continue
		}
		switch name := p.Flag.Name; name {
		case "stack", "region", "state-dir":
			if parsed.FlagValue(p.Flag) == "" {
				return fmt.Errorf("--%s is empty: give it a value, or leave it out", name)
			}
		}
	}
	return nil
}

// nonEmpty makes kong's mapper of a type of path refuse the empty path, such as one from an unset shell variable. Kong
// takes it for the current directory.
func nonEmpty(name string) kong.Option {
	mapper := kong.NewRegistry().RegisterDefaults().ForNamedType(name, reflect.TypeFor[string]())
	return kong.NamedMapper(name, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		if ctx.Scan.Peek().Value == "" {
			return errors.New("the path is empty")
		}
		return mapper.Decode(ctx, target)
	}))
}

func newParser(g *grammar, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(g, append([]kong.Option{
		nonEmpty("path"), nonEmpty("existingfile"), nonEmpty("existingdir"),
		kong.Name("streamproof"),
		kong.Description("Produces, analyses and delivers a stream, and proves that every row arrived exactly as often as it is owed.\n\n" +
			"Without --stack, commands act on the local stack that `up` started; with it, on that stack on AWS.\n\n" +
			"Exit status: 0 done or PROVEN, 1 NOT PROVEN, 2 wrong usage or configuration, 3 UNDECIDED or not done."),
		kong.Vars{"defaultSchema": defaultSchema, "logParts": strings.Join(stack.LogParts, ",")},
	}, options...)...)
}

// report prints an error, with the end of its log if it has one, and returns the exit status.
func (e *env) report(err error) int {
	var judged verdict
	var usage *usageError
	var input *operate.InputError
	var setup *local.SetupError
	var log *local.LogError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &judged):
		return int(judged)
	case errors.Is(err, context.Canceled):
		_ = e.stderr.Printf("streamproof: interrupted\n")
		return exitFault
	case errors.As(err, &log):
		e.tail(log.Log)
	}
	_ = e.stderr.Printf("streamproof: %s\n", terminal.Error(err))
	if errors.As(err, &usage) || errors.As(err, &input) || errors.As(err, &setup) || errors.Is(err, stack.ErrNotUsable) {
		return exitUsage
	}
	return exitFault
}

const tailLines = 20

func (e *env) tail(file string) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	var lines []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if len(lines) > tailLines {
			lines = lines[1:]
		}
	}
	_ = e.stderr.Printf("The end of %s:\n", file)
	for _, line := range lines {
		_ = e.stderr.Printf("  | %s\n", line)
	}
}

func (e *env) root() (string, error) {
	if e.grammar.Project != "" {
		return e.grammar.Project, nil
	}
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "samconfig.toml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", &usageError{fmt.Errorf("%s is not inside the project's directory: change to it, or name it with --project", start)}
		}
	}
}

// stateDir returns the given directory, or the project's own.
func (e *env) stateDir(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	root, err := e.root()
	return filepath.Join(root, local.StateDirName), err
}

// show prints a result: as JSON for scripts, or else its text.
func (e *env) show(asJSON bool, value any, text terminal.Text) error {
	if asJSON {
		return e.printJSON(value)
	}
	return e.stdout.Println(text)
}

// printJSON prints a value, or JSON as it is, for a script.
func (e *env) printJSON(value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.programs, string(data))
	return err
}

// printSQL prints SQL: as it is for a program, and escaped if stdout is a terminal.
func (e *env) printSQL(text string) error {
	if isTerminal(e.programs) {
		return e.stdout.Print(terminal.Block(text))
	}
	_, err := io.WriteString(e.programs, text)
	return err
}
