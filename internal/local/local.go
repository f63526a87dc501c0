package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/firehose"
	"streamproof/internal/local/jsonfile"
	"streamproof/internal/local/managedflink"
	"streamproof/internal/local/process"
	"streamproof/internal/local/runner"
	"streamproof/internal/local/sam"
	"streamproof/internal/logs"
	"streamproof/internal/stack"
)

// Defaults of Start.
const (
	DefaultStack  = "streamproof"
	DefaultRegion = "eu-west-1"
	DefaultPort   = 4566
	StateDirName  = ".streamproof"
)

// AnyPort, as the Port of Options, picks a free one.
const AnyPort = -1

const (
	maxHeap       = "1g"
	deployTimeout = 10 * time.Minute
	jobTimeout    = 5 * time.Minute
	endGrace      = 20 * time.Second // longer than a follower takes for its JVM and its deliveries
	closeTimeout  = 5 * time.Second  // for writing what the delivery streams hold
	followTimeout = 10 * time.Second // for a follower to answer
)

// FiresWithin is how long after its schedule was disabled the producer may still claim a tick. The emulator calls it at
// once.
const FiresWithin = 3 * time.Second

// Options say which stack to start.
type Options struct {
	Root     string // the project's directory
	StateDir string // if empty, Root's .streamproof
	Port     int    // of the emulator; 0 takes the running one's, else DefaultPort
	// Parameters override the template parameters of local.yaml.
	Parameters map[string]string
	// Prebuilt deploys what an earlier Start has built, if there is anything.
	Prebuilt bool
	// Follower makes the command that calls Follow with the state directory. The stack then outlives this process. Without
	// it, the follower is part of this process, and the kernel ends the rest with it.
	Follower func(stateDir string) *exec.Cmd
	// JobEndpoint, if set, maps the endpoint of a service, "kinesis" or "firehose", to the one that the Flink job uses,
	// such as a proxy's. It needs a follower that is part of this process.
	JobEndpoint func(service, endpoint string) (string, error)
	// Step, if set, is called as each step starts; the function that it returns is called with the step's error.
	Step func(name string) func(error)
}

// A Stack is a running stack.
type Stack struct {
	*stack.Stack
	AWS aws.Config // root's, for the emulator

	dir    dir
	record record
	// A follower in this process, and how to end it.
	follower *follower
	stop     func() error
}

// record is stack.json.
type record struct {
	Stack  string `json:"stack"`
	Region string `json:"region"`
	Port   int    `json:"port"`
	// ManagedFlink is the port of the follower's stand-in for Managed Flink.
	ManagedFlink int    `json:"managedFlink"`
	Root         string `json:"root"`
	Deployed     bool   `json:"deployed,omitempty"`
}

// application is the name of the stack's application, as in the template: it is needed before there are outputs.
func (r record) application() string { return r.Stack + "-analytics" }

// A SetupError is one that the user can fix before trying again: something is not installed, not built or not running.
type SetupError struct{ Problem string }

func (e *SetupError) Error() string { return e.Problem }

// A LogError is the failure of a program whose log says more.
type LogError struct {
	Err error
	Log string // path of the log
}

func (e *LogError) Error() string { return fmt.Sprintf("%v; its log is %s", e.Err, e.Log) }
func (e *LogError) Unwrap() error { return e.Err }

// dir is a state directory.
type dir string

func (d dir) path(name string) string { return filepath.Join(string(d), name) }
func (d dir) stackFile() string       { return d.path("stack.json") }
func (d dir) emulatorPID() string     { return d.path("emulator.pid") }
func (d dir) emulatorLog() string     { return d.path("emulator.log") }
func (d dir) emulator() string        { return d.path("emulator") }
func (d dir) followerPID() string     { return d.path("follower.pid") }
func (d dir) followerLog() string     { return d.path("follower.log") }
func (d dir) samLog() string          { return d.path("sam.log") }
func (d dir) waitingFile() string     { return d.path("waiting.json") }
func (d dir) flink() string           { return d.path("flink") }

// flinkOf is the directory of an application's job: flink for the stack's own, a directory beside it for an application
// of another stack on the emulator.
func (d dir) flinkOf(r record, application string) string {
	if application == r.application() {
		return d.flink()
	}
	return d.path("flink-" + application)
}

func (d dir) write(r record) error { return jsonfile.Write(d.stackFile(), r) }

// running reads what is running, nil for nothing.
func (d dir) running() (*record, error) {
	var r record
	if found, err := jsonfile.Read(d.stackFile(), &r); err != nil || !found {
		return nil, err
	}
	p, err := process.Find(d.emulatorPID())
	if err != nil || p == nil || !p.Alive() {
		return nil, err
	}
	return &r, nil
}

// lock keeps two commands from changing the same stack at the same time.
func (d dir) lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, &SetupError{fmt.Sprintf("another streamproof is changing the stack in %s: wait until it is done", d)}
	}
	return func() { _ = file.Close() }, nil
}

// Start brings a stack up, or updates a running one to what the template says now. If it fails, it ends what it
// started.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	var t tools
	if o.Step == nil {
		o.Step = func(string) func(error) { return func(error) {} }
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return nil, err
	}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(o.Root, StateDirName)
	}
	if o.StateDir, err = filepath.Abs(o.StateDir); err != nil {
		return nil, err
	}
	if err := errors.Join(checkPath(o.Root), checkPath(o.StateDir)); err != nil {
		return nil, err
	}
	if err := sam.CheckParameters(o.Root, o.Parameters); err != nil {
		return nil, &SetupError{err.Error()}
	}
	if t, err = findTools(o.Root); err != nil {
		return nil, err
	}
	s := &Stack{dir: dir(o.StateDir)}
	unlock, err := s.dir.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	started := false
	defer func() {
		if err != nil && started {
			err = errors.Join(err, s.end(ctx))
		}
	}()

	running, err := s.dir.running()
	if err != nil {
		return nil, err
	}
	if running == nil {
		if err := o.step("start the emulator", func() error { return s.startEmulator(ctx, o, t, &started) }); err != nil {
			return nil, err
		}
	} else {
		if running.ManagedFlink == 0 {
			return nil, &SetupError{fmt.Sprintf("the stack in %s was started by an older version: end it first (streamproof down)", s.dir)}
		}
		if o.Port > 0 && o.Port != running.Port {
			return nil, &SetupError{fmt.Sprintf("the stack in %s runs at port %d, not %d: leave the port out, or end it first (streamproof down)", s.dir, running.Port, o.Port)}
		}
		s.record = *running
	}
	s.AWS = s.record.behind()
	if running != nil && running.Deployed {
		if s.Stack, err = stack.Open(ctx, s.AWS, s.record.Stack); err != nil {
			return nil, err
		}
	}
	return s, s.deploy(ctx, o, t)
}

// Update deploys what was built to a stack that runs in this process. The parameters override those of local.yaml.
func (s *Stack) Update(ctx context.Context, parameters map[string]string) error {
	o := Options{Root: s.record.Root, Parameters: parameters, Prebuilt: true, Step: func(string) func(error) { return func(error) {} }}
	if err := sam.CheckParameters(o.Root, o.Parameters); err != nil {
		return &SetupError{err.Error()}
	}
	t, err := findTools(o.Root)
	if err != nil {
		return err
	}
	unlock, err := s.dir.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return s.deploy(ctx, o, t)
}

func (o Options) step(name string, do func() error) error {
	done := o.Step(name)
	err := do()
	done(err)
	return err
}

// deploy builds, deploys, and returns when the deployed job runs.
func (s *Stack) deploy(ctx context.Context, o Options, t tools) (err error) {
	build := sam.Config{
		Program:    t.sam,
		Root:       o.Root,
		BuildDir:   filepath.Join(o.Root, ".aws-sam", "local"),
		LogFile:    s.dir.samLog(),
		Stack:      s.record.Stack,
		Region:     s.record.Region,
		Endpoint:   emulator.Endpoint(s.record.Port),
		Parameters: o.Parameters,
	}
	withLog := func(do func(context.Context) error) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(ctx, deployTimeout)
			defer cancel()
			if err := do(ctx); err != nil {
				return &LogError{err, s.dir.samLog()}
			}
			return nil
		}
	}
	if !o.Prebuilt || !build.Built() {
		if err := o.step("build the functions and the Flink job", withLog(build.Build)); err != nil {
			return err
		}
	}
	if err := t.checkLibraries(); err != nil {
		return err
	}
	deploy := func(ctx context.Context) error {
		began := time.Now().Add(-time.Second) // the job's times are in seconds
		err := build.Deploy(ctx)
		if err != nil && ctx.Err() == nil {
			if why := stack.Failure(ctx, s.AWS, s.record.Stack); why != "" {
				err = fmt.Errorf("%w: %s", err, why)
			}
			if job, _, jobErr := s.Job(); jobErr == nil && job.LastErrorAt != nil && job.LastErrorAt.After(began) {
				err = fmt.Errorf("%w; the job's last error: %s", err, job.LastError)
			}
		}
		return err
	}
	produceAgain := func(context.Context) error { return nil }
	created := s.Stack == nil
	if !created {
		if produceAgain, err = s.holdTicks(ctx); err != nil {
			return err
		}
	}
	if err := s.follow(o); err != nil {
		return errors.Join(err, produceAgain(context.WithoutCancel(ctx)))
	}
	if stream := o.Parameters["ExistingStreamArn"]; stream != "" {
		if err := makeStream(ctx, s.AWS, stream); err != nil {
			return err
		}
	}
	err = o.step("deploy the template", withLog(deploy))
	if err == nil {
		s.Stack, err = stack.Open(ctx, s.AWS, s.record.Stack)
	}
	if err == nil {
		s.record.Deployed = true
		err = s.dir.write(s.record)
	}
	if err == nil && created {
		err = s.beginSchedule(ctx)
	}
	if err = errors.Join(err, produceAgain(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return o.step("start the Flink job", func() error { return s.awaitJob(ctx) })
}

// makeStream makes the stream that the template is told to read, unless somebody has made it: an emulator that has just
// been started has none.
func makeStream(ctx context.Context, config aws.Config, arn string) error {
	_, name, _ := strings.Cut(arn, ":stream/")
	client := kinesis.NewFromConfig(config)
	_, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)})
	if errors.As(err, new(*kinesistypes.ResourceInUseException)) {
		return nil
	}
	if err == nil {
		err = kinesis.NewStreamExistsWaiter(client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute)
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", name, err)
	}
	return nil
}

// holdTicks disables the schedule and returns when no tick is being sent: unlike AWS, the emulator kills a function
// that is redeployed while it works. The function that it returns enables the schedule again.
func (s *Stack) holdTicks(ctx context.Context) (produceAgain func(context.Context) error, err error) {
	changed, err := s.EnableSchedule(ctx, false)
	if err != nil {
		return nil, err
	}
	produceAgain = func(ctx context.Context) error {
		if !changed || s.DeployedQuiet() {
			return nil
		}
		_, err := s.EnableSchedule(ctx, true)
		return err
	}
	quiet := time.Now()
	if changed {
		quiet = quiet.Add(FiresWithin)
	}
	for {
		looked := time.Now()
		open, err := s.OpenTicks(ctx)
		if err == nil && (open > 0 || looked.Before(quiet)) {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(200 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return nil, errors.Join(err, produceAgain(context.WithoutCancel(ctx)))
		}
		return produceAgain, nil
	}
}

func (s *Stack) startEmulator(ctx context.Context, o Options, t tools, started *bool) error {
	// If an earlier emulator died, its stream and bucket are gone, so the job's state is worthless.
	if err := s.end(ctx); err != nil {
		return err
	}
	for _, left := range []string{s.dir.emulator(), s.dir.flink()} {
		if err := os.RemoveAll(left); err != nil {
			return err
		}
	}
	switch o.Port {
	case 0:
		o.Port = DefaultPort
	case AnyPort:
		o.Port = 0
	}
	flinkPort, err := emulator.FreePort(0)
	if err != nil {
		return err
	}
	*started = true
	e, err := emulator.Start(ctx, emulator.Config{
		Program: t.ministack,
		Dir:     s.dir.emulator(),
		PIDFile: s.dir.emulatorPID(),
		LogFile: s.dir.emulatorLog(),
		Port:    o.Port,
		Region:  DefaultRegion,
		Tied:    o.Follower == nil,

		ManagedFlink: emulator.Endpoint(flinkPort),
	})
	switch {
	case errors.Is(err, emulator.ErrPortInUse):
		return &SetupError{fmt.Sprintf("%v on this machine: end the program that listens there, or choose another with --port", err)}
	case err != nil:
		return &LogError{err, s.dir.emulatorLog()}
	}
	s.record = record{Stack: DefaultStack, Region: DefaultRegion, Port: e.Port, ManagedFlink: flinkPort, Root: o.Root}
	return s.dir.write(s.record)
}

// config is root's configuration for the emulator.
func (r record) config() aws.Config {
	return aws.Config{
		Region:       r.Region,
		BaseEndpoint: aws.String(emulator.Endpoint(r.Port)),
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.AccessKeyID, emulator.SecretAccessKey, ""),
	}
}

// behind is config with the stand-in for Managed Flink in front of the emulator, as for the functions.
func (r record) behind() aws.Config {
	c := r.config()
	c.ServiceOptions = []func(string, any){func(_ string, options any) {
		if o, ok := options.(*kinesisanalyticsv2.Options); ok {
			o.BaseEndpoint = aws.String(emulator.Endpoint(r.ManagedFlink))
		}
	}}
	return c
}

// follow makes sure that a follower is running.
func (s *Stack) follow(o Options) error {
	_, following, err := s.Job()
	if err != nil || following {
		return err
	}
	if o.Follower == nil {
		return s.followHere(o.JobEndpoint)
	}
	if err := s.followThere(o.Follower(string(s.dir))); err != nil {
		return err
	}
	for deadline := time.Now().Add(followTimeout); !s.record.flinkAnswers(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return &LogError{errors.New("the follower does not answer"), s.dir.followerLog()}
		}
	}
	return nil
}

// flinkAnswers reports whether there is a follower that stands in for Managed Flink.
func (r record) flinkAnswers() bool {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(emulator.Endpoint(r.ManagedFlink), "http://"), time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// awaitJob returns when the application's job is running.
func (s *Stack) awaitJob(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	application, err := s.Application(ctx)
	if err != nil {
		return err
	}
	if application.Status == "READY" {
		return nil // paused: a deploy starts it only if it changes it
	}
	if err := runner.AwaitRunning(ctx, s.dir.flink(), application.Version); err != nil {
		return &LogError{err, runner.LogFile(s.dir.flink())}
	}
	return nil
}

// followThere starts a follower in a process of its own.
func (s *Stack) followThere(cmd *exec.Cmd) error {
	log, err := os.OpenFile(s.dir.followerLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	_, err = process.Start(cmd, s.dir.followerPID(), false)
	return err
}

// followHere runs a follower in this process.
func (s *Stack) followHere(jobEndpoint func(service, endpoint string) (string, error)) error {
	log, err := os.OpenFile(s.dir.followerLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	f, err := s.dir.newFollower(s.record, jobEndpoint, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		return errors.Join(err, log.Close())
	}
	s.follower = f
	s.stop = background(func(ctx context.Context) error { return errors.Join(f.run(ctx), log.Close()) })
	return nil
}

// background runs something until the function that it returns ends it. Its context is not a caller's: a stack runs
// until it is stopped, and a runner ends its JVM when its own context ends.
func background(run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// A follower does what AWS does behind a deployed stack and the emulator does not. It is Managed Flink and runs the
// applications' jobs, and it is the delivery streams that the jobs write to.
type follower struct {
	dir        dir
	record     record
	jobs       runner.Config // common to all jobs
	flink      *managedflink.Server
	deliveries *firehose.Server
	log        *slog.Logger

	running map[string]func() error // by application; each function ends a runner
	waiting map[string]firehose.Waiting
}

// followEvery is how often the follower looks for applications.
const followEvery = 200 * time.Millisecond

// run follows the stack until the context or the emulator ends. Then it writes what the delivery streams hold.
func (f *follower) run(ctx context.Context) error {
	var errs []error
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for len(errs) == 0 && ctx.Err() == nil && !f.jobs.Gone() {
		if err := errors.Join(f.look(), f.noteWaiting()); err != nil {
			errs = append(errs, err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	for _, end := range f.running {
		errs = append(errs, end())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	errs = append(errs, f.flink.Close(), f.deliveries.Close(ctx))
	return errors.Join(errs...)
}

// noteWaiting writes down what the delivery streams hold, for other processes.
func (f *follower) noteWaiting() error {
	now := f.deliveries.Waiting()
	if f.waiting != nil && maps.Equal(now, f.waiting) {
		return nil
	}
	f.waiting = now
	return jsonfile.Write(f.dir.waitingFile(), now)
}

// look starts a runner for each new application, and ends the runners of deleted ones.
func (f *follower) look() error {
	applications := f.flink.Applications()
	for name, end := range f.running {
		if slices.Contains(applications, name) {
			continue
		}
		delete(f.running, name)
		if err := errors.Join(end(), runner.Discard(f.dir.flinkOf(f.record, name))); err != nil {
			return err
		}
	}
	for _, name := range applications {
		if f.running[name] != nil {
			continue
		}
		end, err := f.start(name)
		if err != nil {
			return err
		}
		f.running[name] = end
	}
	return nil
}

// start starts an application's runner, and returns how to end it.
func (f *follower) start(name string) (end func() error, err error) {
	c := f.jobs
	c.Application, c.Dir = name, f.dir.flinkOf(f.record, name)
	if err := runner.Forget(c.Dir); err != nil {
		return nil, err
	}
	r, err := runner.New(c)
	if err != nil {
		return nil, err
	}
	return background(r.Run), nil
}

// job returns what the runner of an application last wrote down.
func (f *follower) job(name string) (runner.Status, error) {
	return runner.ReadStatus(f.dir.flinkOf(f.record, name))
}

func (d dir) newFollower(r record, jobEndpoint func(service, endpoint string) (string, error), log *slog.Logger) (_ *follower, err error) {
	t, err := findTools(r.Root)
	if err != nil {
		return nil, err
	}
	if err := t.checkLibraries(); err != nil {
		return nil, err
	}
	root := r.config()
	f := &follower{dir: d, record: r, log: log, running: map[string]func() error{}}
	if f.deliveries, err = firehose.Start(firehose.Config{AWS: root, Log: log.With("part", deliveryPart)}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.deliveries.Close(context.Background()))
		}
	}()
	endpoints := map[string]string{"kinesis": emulator.Endpoint(r.Port), "firehose": f.deliveries.URL()}
	if jobEndpoint != nil {
		for service, endpoint := range endpoints {
			if endpoints[service], err = jobEndpoint(service, endpoint); err != nil {
				return nil, err
			}
		}
	}
	f.jobs = runner.Config{
		AWS:              r.behind(),
		KinesisEndpoint:  endpoints["kinesis"],
		FirehoseEndpoint: endpoints["firehose"],
		Java:             t.java,
		Libraries:        t.libraries,
		MaxHeap:          maxHeap,
		Gone: func() bool {
			running, err := d.running()
			return err == nil && running == nil
		},
		Log: log,
	}
	f.flink, err = managedflink.Start(managedflink.Config{
		AWS: root, Listen: strings.TrimPrefix(emulator.Endpoint(r.ManagedFlink), "http://"), Dir: string(d), Job: f.job, Log: log,
	})
	return f, err
}

// Follow follows the stack in the state directory until the context or the stack ends. The command that
// Options.Follower makes has to call it.
func Follow(ctx context.Context, stateDir string) error {
	d := dir(stateDir)
	running, err := d.running()
	if err != nil {
		return err
	}
	if running == nil {
		return notRunning(d)
	}
	f, err := d.newFollower(*running, nil, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return f.run(ctx)
}

// Open returns the stack that is running in the state directory.
func Open(ctx context.Context, stateDir string) (*Stack, error) {
	d := dir(stateDir)
	running, err := d.running()
	if err != nil {
		return nil, err
	}
	if running == nil {
		return nil, notRunning(d)
	}
	s := &Stack{dir: d, record: *running, AWS: running.config()}
	if running.flinkAnswers() { // otherwise the emulator answers
		s.AWS = running.behind()
	}
	s.Stack, err = stack.Open(ctx, s.AWS, running.Stack)
	return s, err
}

func notRunning(d dir) error {
	return &SetupError{fmt.Sprintf("no local stack runs in %s: start one with `streamproof up`, or name one on AWS with --stack", d)}
}

// Endpoint is the address of every AWS service of the stack.
func (s *Stack) Endpoint() string { return emulator.Endpoint(s.record.Port) }

// Deliveries is the data plane of the delivery streams, nil unless the stack's follower is in this process.
func (s *Stack) Deliveries() *firehose.Server {
	if s.follower == nil {
		return nil
	}
	return s.follower.deliveries
}

// Waiting is what the delivery streams hold, by name, as the follower last wrote it down.
func (s *Stack) Waiting() (waiting map[string]firehose.Waiting, err error) {
	_, err = jsonfile.Read(s.dir.waitingFile(), &waiting)
	return waiting, err
}

// StateDir is the stack's state directory.
func (s *Stack) StateDir() string { return string(s.dir) }

// Job returns the state of the Flink job, with the JVM's PID. following reports whether a follower is running.
func (s *Stack) Job() (job runner.Status, following bool, err error) {
	job, err = runner.ReadStatus(s.dir.flink())
	if err != nil || s.stop != nil {
		return job, s.stop != nil, err
	}
	p, err := process.Find(s.dir.followerPID())
	return job, p != nil && p.Alive(), err
}

// JobLog is the path of the JVM's log.
func (s *Stack) JobLog() string { return runner.LogFile(s.dir.flink()) }

// deliveryPart marks the delivery streams' lines in the follower's log.
const deliveryPart = "delivery"

// Logs are the logs, from a moment on, of what runs beside the emulator: the Flink job with what starts it, and the
// delivery streams. They stay when the stack in the state directory is stopped.
func Logs(stateDir string, since time.Time) []logs.Source {
	d := dir(stateDir)
	ofDelivery := func(line string) bool { return strings.Contains(line, " part="+deliveryPart) }
	return []logs.Source{
		logs.NewFile("flink", runner.LogFile(d.flink()), since, nil),
		logs.NewFile("flink", d.followerLog(), since, func(line string) bool { return !ofDelivery(line) }),
		logs.NewFile(deliveryPart, d.followerLog(), since, ofDelivery),
	}
}

// Stop ends everything that belongs to the stack. The logs stay.
func (s *Stack) Stop(ctx context.Context) error {
	unlock, err := s.dir.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return s.end(ctx)
}

// Down ends everything that belongs to the stack in the state directory. It reports whether there was anything.
func Down(ctx context.Context, stateDir string) (bool, error) {
	s := &Stack{dir: dir(stateDir)}
	if _, err := os.Stat(stateDir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	found := false
	for _, file := range s.pidFiles() {
		p, err := process.Find(file)
		if err != nil {
			return false, err
		}
		found = found || p != nil
	}
	return found, s.Stop(ctx)
}

// pidFiles are the files of a stack's processes, in the order in which these end.
func (s *Stack) pidFiles() []string {
	return []string{s.dir.followerPID(), runner.PIDFile(s.dir.flink()), s.dir.emulatorPID()}
}

// end ends the processes, even if the context has ended.
func (s *Stack) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	if s.stop != nil {
		errs = append(errs, s.stop())
		s.stop = nil
	}
	for _, file := range s.pidFiles() {
		p, err := process.Find(file)
		if err == nil && p != nil {
			err = p.End(ctx, endGrace)
		}
		errs = append(errs, err)
	}
	if err := os.Remove(s.dir.stackFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
