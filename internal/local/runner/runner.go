package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/cenkalti/backoff/v5"

	"streamproof/internal/application"
	"streamproof/internal/local/flink"
	"streamproof/internal/local/jsonfile"
)

const (
	callTimeout = 10 * time.Second
	lookEvery   = 500 * time.Millisecond
	endGrace    = 10 * time.Second
	// runsAfter is how long every task must run before the job counts as running: its first calls to AWS are over by then.
	runsAfter = 2 * time.Second
	// steadyAfter is how long a job must have run for its end not to lengthen the back-off.
	steadyAfter = time.Minute
)

// Config says which application to follow, and with what.
type Config struct {
	Application string
	AWS         aws.Config // the emulator's, with credentials that may assume the application's role
	// KinesisEndpoint and FirehoseEndpoint are where the job finds the two services.
	KinesisEndpoint, FirehoseEndpoint string
	Dir                               string // of the runner's files
	Java                              string // path of the program
	Libraries                         string // directory of the cluster's JARs
	MaxHeap                           string // as 1g
	// Gone reports whether the emulator has ended, and the runner's work with it.
	Gone func() bool
	Log  *slog.Logger
}

// A Runner follows one application.
type Runner struct {
	Config
	applications describer
	sts          *sts.Client
	s3           *s3.Client

	last    *Last
	jvm     *jvm       // nil for none
	job     *flink.Job // as last seen; nil if none was submitted or it was stopped
	started time.Time  // of the job
	deaths  int        // how often this version's job ended by itself since it was asked for
	backOff *backoff.ExponentialBackOff
	retryAt time.Time
	status  Status

	restarts float64   // of the job, by Flink, as last seen
	askUntil time.Time // a failure may have happened that Flink has not told of yet
}

// PIDFile has the JVM's process.
func PIDFile(dir string) string { return filepath.Join(dir, "jvm.pid") }

// LogFile is the log of the JVMs, one after the other.
func LogFile(dir string) string { return filepath.Join(dir, "jvm.log") }

// Forget drops what an earlier runner wrote about its job, so that it is not taken for the next runner's.
func Forget(dir string) error {
	if err := os.Remove(statusFile(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Discard drops what belonged to a deleted application, except the log.
func Discard(dir string) error {
	var errs []error
	for _, name := range []string{"last.json", "checkpoints", "savepoints", "jars"} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

func statusFile(dir string) string     { return filepath.Join(dir, "status.json") }
func (r *Runner) lastFile() string     { return r.path("last.json") }
func (r *Runner) path(n string) string { return filepath.Join(r.Dir, n) }

// New makes a runner that continues where another one ended in the same directory.
func New(c Config) (*Runner, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	r := &Runner{
		Config:       c,
		applications: kinesisanalyticsv2.NewFromConfig(c.AWS),
		sts:          sts.NewFromConfig(c.AWS),
		s3:           s3.NewFromConfig(c.AWS),
		backOff:      backoff.NewExponentialBackOff(),
	}
	r.backOff.InitialInterval, r.backOff.MaxInterval = time.Second, 30*time.Second
	last := &Last{}
	if found, err := jsonfile.Read(r.lastFile(), last); err != nil {
		return nil, err
	} else if found {
		r.last = last
	}
	return r, nil
}

// Run follows the application until the context or the emulator ends. The JVM ends with it, and with this process
// however that ends: without its runner it has no credentials.
func (r *Runner) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			if r.Gone() {
				r.Log.Info("the emulator has ended")
				return r.end(ctx)
			}
			r.fail(err)
		}
		if err := r.publish(ctx); err != nil {
			return errors.Join(err, r.end(ctx))
		}
		select {
		case <-ctx.Done():
			return r.end(ctx)
		case <-r.died():
		case <-look.C:
		}
	}
}

func (r *Runner) died() <-chan struct{} {
	if r.jvm == nil {
		return nil
	}
	return r.jvm.Done()
}

// look takes one step towards what the application says.
func (r *Runner) look(ctx context.Context) error {
	r.reap(ctx)
	want, savepoint, err := describe(ctx, r.applications, r.Application)
	if err != nil {
		return fmt.Errorf("describe application %s: %w", r.Application, err)
	}
	if want == nil && r.last != nil && !r.last.Stopped && r.job == nil {
		r.last.Stopped = true // while its job was down
		return jsonfile.Write(r.lastFile(), r.last)
	}
	switch Decide(want, r.last, r.job != nil, time.Now(), r.retryAt) {
	case Start:
		return r.start(ctx, *want)
	case Stop:
		return r.stop(ctx, want == nil, savepoint && !r.last.Spec.NoSnapshots)
	}
	if want == nil {
		r.status.State, r.status.Refused, r.status.Metrics = Stopped, "", nil
		return r.drop(ctx) // a JVM kept for a version that does not come
	}
	return nil
}

// reap records a job that ended by itself, or whose JVM did.
func (r *Runner) reap(ctx context.Context) {
	if r.jvm == nil {
		return
	}
	var ended error
	select {
	case <-r.jvm.Done():
		how := "with exit status 0"
		if err := r.jvm.Err(); err != nil {
			how = err.Error()
		}
		ended = fmt.Errorf("the JVM ended by itself (%s); the last line of its log: %s", how, lastLine(LogFile(r.Dir), ""))
	default:
		if r.job == nil || !r.job.Ended() {
			return
		}
		why, _, err := r.jvm.Failure(ctx, r.job.ID)
		if err != nil {
			why = err.Error()
		}
		ended = fmt.Errorf("the job ended by itself (%s): %s", r.job.State, why)
	}
	r.status.Failures++
	r.deaths++
	if time.Since(r.started) > steadyAfter {
		r.backOff.Reset()
	}
	r.fail(ended)
	r.retryLater()
	if err := r.drop(ctx); err != nil {
		r.fail(err)
	}
}

// lastLine is flink.LastLine of the end of a file.
func lastLine(file, prefix string) string {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	// A shorter log is read from its start.
	_, _ = f.Seek(-4096, io.SeekEnd)
	data, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return flink.LastLine(string(data), prefix)
}

func (r *Runner) retryLater() {
	wait := r.backOff.NextBackOff()
	r.retryAt = time.Now().Add(wait)
	r.status.State = Waiting
	r.Log.Info("waiting to start again", "for", wait.Round(time.Millisecond))
}

// drop ends the JVM and what runs in it, at once.
func (r *Runner) drop(ctx context.Context) error {
	j := r.jvm
	if j == nil {
		return nil
	}
	r.jvm = nil
	r.forgetJob()
	r.status.PID, r.status.Address = 0, ""
	j.vendor.close()
	return j.End(ctx, 0)
}

func (r *Runner) forgetJob() {
	r.job, r.status.RunsSince, r.status.JobState, r.status.Metrics = nil, nil, "", nil
}

// start starts the spec's job from the state that it should start from, in the previous version's JVM if that fits.
func (r *Runner) start(ctx context.Context, spec Spec) error {
	next := Last{Spec: spec, Lineage: time.Now()}
	if r.last == nil || r.last.Stopped || !reflect.DeepEqual(r.last.Spec, spec) {
		r.backOff.Reset()
		r.deaths = 0
	}
	from, err := r.stateFor(ctx, spec, &next)
	if err != nil {
		return err
	}
	r.status.State, r.status.Version, r.status.RestoredFrom = Starting, spec.Version, from
	job, err := r.startJob(ctx, spec, from)
	// Written down even on failure, so that the next attempt at the same version backs off.
	r.last = &next
	err = errors.Join(err, jsonfile.Write(r.lastFile(), r.last))
	if err != nil {
		r.status.Refused, r.status.RefusedAt = err.Error(), time.Now()
		err = errors.Join(err, r.drop(context.WithoutCancel(ctx)))
		r.retryLater()
		return fmt.Errorf("start version %d: %w", spec.Version, err)
	}
	r.status.Refused = ""
	r.job, r.started = &flink.Job{ID: job}, time.Now()
	r.status.Starts++
	r.Log.Info("started", "version", spec.Version, "pid", r.jvm.PID, "job", job, "from", from)
	return nil
}

func (r *Runner) startJob(ctx context.Context, spec Spec, from string) (id string, err error) {
	if r.jvm != nil && r.jvm.needs != needsOf(spec) {
		if err := r.drop(ctx); err != nil {
			return "", err
		}
	}
	if r.jvm == nil {
		if r.jvm, err = r.startJVM(ctx, spec); err != nil {
			return "", err
		}
		r.status.PID, r.status.Address = r.jvm.PID, r.jvm.Address
	}
	if err := r.publish(ctx); err != nil {
		return "", err
	}
	return r.submit(ctx, spec, from)
}

// stateFor returns the state that the spec starts from, empty for none, and sets the lineage that it belongs to.
func (r *Runner) stateFor(ctx context.Context, spec Spec, next *Last) (from string, err error) {
	switch originOf(spec, r.last) {
	case noState:
		return "", nil
	case namedSnapshot:
		next.Origin, err = r.savepointOf(ctx, spec.Snapshot)
		return next.Origin, err
	case latestSnapshot:
		next.Origin, err = r.savepointOf(ctx, "")
		return next.Origin, err
	}
	next.Lineage, next.Origin = r.last.Lineage, r.last.Origin
	from, err = flink.LatestState(next.Lineage, r.path("checkpoints"), r.path("savepoints"))
	if from == "" {
		from = next.Origin // it died before its first checkpoint
	}
	return from, err
}

// savepointOf finds the savepoint of a snapshot, which the emulator keeps by name and time only. For an empty name it
// is the newest snapshot that has a savepoint, or none.
func (r *Runner) savepointOf(ctx context.Context, snapshot string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pages := kinesisanalyticsv2.NewListApplicationSnapshotsPaginator(r.applications, &kinesisanalyticsv2.ListApplicationSnapshotsInput{ApplicationName: &r.Application})
	var snapshots []types.SnapshotDetails // the oldest first
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("list the snapshots of application %s: %w", r.Application, err)
		}
		snapshots = append(snapshots, page.SnapshotSummaries...)
	}
	savepoints, err := savepointsOf(r.path("savepoints"), snapshots)
	if err != nil {
		return "", err
	}
	newest := ""
	for _, s := range snapshots {
		savepoint := savepoints[aws.ToString(s.SnapshotName)]
		switch {
		case savepoint != "":
			newest = savepoint
		case aws.ToString(s.SnapshotName) == snapshot:
			return "", fmt.Errorf("there is no savepoint of snapshot %s in %s: start the application with %s",
				snapshot, r.path("savepoints"), types.ApplicationRestoreTypeRestoreFromLatestSnapshot)
		default:
			r.Log.Warn("a snapshot has no savepoint", "snapshot", aws.ToString(s.SnapshotName))
		}
	}
	if snapshot == "" {
		return newest, nil
	}
	if savepoints[snapshot] == "" {
		return "", fmt.Errorf("application %s has no snapshot %s", r.Application, snapshot)
	}
	return savepoints[snapshot], nil
}

// The runner begins a savepoint when it sees that the application changes. The emulator shows that before it notes the
// snapshot, whose time is in whole seconds, and the runner may look late.
const (
	savepointBefore = 5 * time.Second
	savepointAfter  = 20 * time.Second
)

// savepointsOf returns the savepoints in a directory by the names of the snapshots that they were taken for. Snapshots
// are in the order of time; no two have the same savepoint.
func savepointsOf(dir string, snapshots []types.SnapshotDetails) (map[string]string, error) {
	files, err := fs.Glob(os.DirFS(dir), "*/*/_metadata")
	if err != nil {
		return nil, err
	}
	begun := map[time.Time]string{}
	for _, file := range files {
		if nanos, err := strconv.ParseInt(filepath.Base(filepath.Dir(filepath.Dir(file))), 10, 64); err == nil {
			begun[time.Unix(0, nanos)] = filepath.Join(dir, filepath.Dir(file))
		}
	}
	left := slices.SortedFunc(maps.Keys(begun), time.Time.Compare)
	found := map[string]string{}
	for _, s := range snapshots {
		at := aws.ToTime(s.SnapshotCreationTimestamp)
		for len(left) > 0 && left[0].Before(at.Add(-savepointBefore)) {
			left = left[1:]
		}
		if len(left) > 0 && left[0].Before(at.Add(savepointAfter)) {
			found[aws.ToString(s.SnapshotName)], left = begun[left[0]], left[1:]
		}
	}
	return found, nil
}

// stop stops the job, with a savepoint if asked. Without one, a job that is to be stopped keeps running, and the next
// version of one that is updated starts from the last checkpoint. The JVM stays if its job stopped cleanly and another
// version follows.
func (r *Runner) stop(ctx context.Context, stopped, withSavepoint bool) error {
	before := r.status.State
	r.status.State = Stopping
	if err := r.publish(ctx); err != nil {
		return err
	}
	savepoint := ""
	if withSavepoint {
		var err error
		if savepoint, err = r.savepoint(ctx); ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && stopped {
			r.status.State = before
			r.status.StopFailed, r.status.StopFailedAt = err.Error(), time.Now()
			return fmt.Errorf("stop version %d: %w", r.last.Spec.Version, err)
		}
		if err != nil {
			r.fail(fmt.Errorf("no savepoint of version %d, so the next start is from its last checkpoint: %w", r.last.Spec.Version, err))
		}
	}
	r.Log.Info("stopped", "version", r.last.Spec.Version, "savepoint", savepoint)
	r.last.Stopped = stopped || !withSavepoint // the next start is from a snapshot
	r.retryAt = time.Time{}
	r.forgetJob()
	if err := jsonfile.Write(r.lastFile(), r.last); err != nil {
		return errors.Join(err, r.drop(ctx))
	}
	if stopped || savepoint == "" {
		return r.drop(ctx)
	}
	return nil
}

func (r *Runner) savepoint(ctx context.Context) (string, error) {
	job, err := r.jvm.Job(ctx, r.job.ID)
	if err != nil {
		return "", err
	}
	if job == nil || job.State != "RUNNING" {
		return "", errors.New("the job does not run")
	}
	dir := r.path(filepath.Join("savepoints", strconv.FormatInt(time.Now().UnixNano(), 10)))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return r.jvm.StopWithSavepoint(ctx, job.ID, dir)
}

// end ends the JVM with the runner. The next start reads again what is not in a checkpoint yet.
func (r *Runner) end(ctx context.Context) error {
	if r.jvm == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	j := r.jvm
	j.vendor.close()
	err := j.End(ctx, endGrace)
	r.status = Status{State: Stopped, Starts: r.status.Starts, Failures: r.status.Failures}
	if _, serr := os.Stat(r.Dir); errors.Is(serr, fs.ErrNotExist) {
		return err
	}
	return errors.Join(err, jsonfile.Write(statusFile(r.Dir), r.status))
}

func (r *Runner) fail(err error) {
	now := time.Now().UTC().Truncate(time.Second)
	r.Log.Error(err.Error())
	r.status.LastError, r.status.LastErrorAt = err.Error(), &now
}

// publish asks the job for its state and writes the status down.
func (r *Runner) publish(ctx context.Context) error {
	if r.job != nil && r.status.State != Stopping {
		if job, err := r.jvm.Job(ctx, r.job.ID); err == nil && job != nil {
			r.job = job
			r.watch(job)
			if r.status.Metrics, err = r.jvm.Metrics(ctx, job.ID); err != nil {
				r.Log.Warn("read the job's metrics", "error", err)
			} else {
				r.explain(ctx, job)
				r.status.Metrics[application.MetricRestarts] += float64(r.deaths)
			}
		}
	}
	if r.job == nil && r.status.State == Waiting && r.status.Refused == "" {
		down := time.Since(*r.status.LastErrorAt).Milliseconds() + 1
		r.status.Metrics = map[string]float64{
			application.MetricRestarts: float64(r.deaths), application.MetricUptime: 0, application.MetricDowntime: float64(down),
		}
	}
	return jsonfile.Write(statusFile(r.Dir), r.status)
}

// watch records the job's state.
func (r *Runner) watch(job *flink.Job) {
	r.status.JobState, r.status.State = job.State, Starting
	if !job.Running() {
		r.status.RunsSince = nil
		return
	}
	if r.status.RunsSince == nil {
		now := time.Now()
		r.status.RunsSince = &now
	}
	if time.Since(*r.status.RunsSince) >= runsAfter {
		r.status.State = Running
	}
}

// explain records why the job has failed, once for each failure that it is down for or has restarted after. A restart
// may be over between two looks, and Flink says late why it was.
func (r *Runner) explain(ctx context.Context, job *flink.Job) {
	restarts := r.status.Metrics[application.MetricRestarts]
	if job.State != "RUNNING" || restarts != r.restarts {
		r.restarts, r.askUntil = restarts, time.Now().Add(flink.FailureWithin+lookEvery)
	}
	if time.Now().After(r.askUntil) {
		return
	}
	failure, at, err := r.jvm.Failure(ctx, job.ID)
	if err != nil || !at.After(r.status.JobFailureAt) {
		return
	}
	r.status.JobFailure, r.status.JobFailureAt = failure, at
	if !job.Ended() { // see reap
		r.fail(fmt.Errorf("the job is RESTARTING: %s", failure))
	}
}
