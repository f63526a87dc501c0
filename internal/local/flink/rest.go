package flink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	callTimeout      = 10 * time.Second
	readyTimeout     = 3 * time.Minute
	submitTimeout    = 3 * time.Minute // the program plans its job first
	savepointTimeout = 2 * time.Minute
)

// A Client calls the REST interface of a cluster.
type Client struct {
	Address   string // as http://127.0.0.1:8081
	UploadDir string // the cluster's, as in its Conf
}

// A Job is Flink's description of a job.
type Job struct {
	ID    string `json:"jid"`
	State string `json:"state"` // Flink's own: RUNNING, RESTARTING, FAILED, …
	Tasks struct {
		Total   int `json:"total"`
		Running int `json:"running"`
	} `json:"tasks"`
}

// Running reports whether every task of the job runs.
func (j *Job) Running() bool {
	return j.State == "RUNNING" && j.Tasks.Total > 0 && j.Tasks.Running == j.Tasks.Total
}

// Ended reports whether the job has ended for good: Flink does not restart it.
func (j *Job) Ended() bool {
	return slices.Contains([]string{"FAILED", "FINISHED", "CANCELED"}, j.State)
}

// ErrEnded reports that a JVM ended before its cluster took jobs.
var ErrEnded = errors.New("the JVM ended before its cluster took jobs")

// Ready returns when the cluster takes jobs, or ErrEnded if its JVM ends before.
func (c *Client) Ready(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		var overview struct {
			Slots int `json:"slots-total"`
		}
		err := c.call(ctx, http.MethodGet, "/overview", nil, &overview)
		if err == nil && overview.Slots > 0 {
			return nil
		}
		select {
		case <-ended:
			return ErrEnded
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for the cluster: %w", ctx.Err()), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A Submission is a job to be run.
type Submission struct {
	JAR  string // path of the file; its manifest names the main class
	Args []string
	// RestoreFrom is the checkpoint or savepoint to start from, empty to start without state.
	RestoreFrom string
	// AllowNonRestoredState drops state that no operator of the job claims.
	AllowNonRestoredState bool
}

// Submit runs the JAR on the cluster and returns the job's ID. After an error that is not the cluster's answer, the job
// may have been started all the same.
func (c *Client) Submit(ctx context.Context, s Submission) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	name, err := c.upload(s.JAR)
	if err != nil {
		return "", fmt.Errorf("hand over %s: %w", s.JAR, err)
	}
	body := map[string]any{"programArgsList": s.Args}
	if s.RestoreFrom != "" {
		body["savepointPath"], body["allowNonRestoredState"] = s.RestoreFrom, s.AllowNonRestoredState
	}
	var answer struct {
		ID string `json:"jobid"`
	}
	if err := c.call(ctx, http.MethodPost, "/jars/"+url.PathEscape(name)+"/run", body, &answer); err != nil {
		return "", fmt.Errorf("submit the job: %w", err)
	}
	return answer.ID, nil
}

// upload puts the file where the cluster looks for JARs. Both are on this machine, so a link will do.
func (c *Client) upload(jar string) (name string, err error) {
	dir := filepath.Join(c.UploadDir, "flink-web-upload")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if jar, err = filepath.Abs(jar); err != nil {
		return "", err
	}
	name = filepath.Base(jar)
	if err := os.Symlink(jar, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return name, nil
}

// Job returns the job with this ID, nil if the cluster has none.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var overview struct {
		Jobs []Job `json:"jobs"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/overview", nil, &overview); err != nil {
		return nil, err
	}
	for _, job := range overview.Jobs {
		if job.ID == id {
			return &job, nil
		}
	}
	return nil, nil
}

// FailureWithin is how old the view may be that Flink answers Failure from: its web.refresh-interval.
const FailureWithin = 3 * time.Second

// Failure returns the message of the innermost cause of the job's last failure, and when it failed. Both are zero if it
// has not failed, or less than FailureWithin ago.
func (c *Client) Failure(ctx context.Context, job string) (cause string, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var exceptions struct {
		History struct {
			Entries []struct {
				Trace string `json:"stacktrace"`
				At    int64  `json:"timestamp"` // milliseconds
			} `json:"entries"`
		} `json:"exceptionHistory"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job)+"/exceptions", nil, &exceptions); err != nil {
		return "", at, err
	}
	for _, e := range exceptions.History.Entries {
		if t := time.UnixMilli(e.At); t.After(at) {
			cause, at = rootCause(e.Trace), t
		}
	}
	return cause, at, nil
}

// jobMetrics are the metrics of the job itself that Managed Flink publishes.
const jobMetrics = "fullRestarts,uptime,downtime,lastCheckpointDuration,lastCheckpointSize,numberOfFailedCheckpoints"

// Metrics returns those of the job's metrics that have a value, by Flink's names.
func (c *Client) Metrics(ctx context.Context, job string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var all []struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job)+"/metrics?get="+jobMetrics, nil, &all); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, m := range all {
		if v, err := strconv.ParseFloat(m.Value, 64); err == nil {
			values[m.ID] = v
		}
	}
	return values, nil
}

// rootCause returns the innermost cause in a Java stack trace, with its message on one line.
func rootCause(trace string) string {
	var cause []string
	begins := true
	for line := range strings.Lines(trace) {
		text, isCause := strings.CutPrefix(strings.TrimSpace(line), CausedBy)
		switch {
		case isCause || begins && cause == nil:
			cause, begins = []string{text}, true
		case strings.HasPrefix(line, "\tat ") || strings.HasPrefix(line, "\t... "):
			begins = false
		case begins && text != "":
			cause = append(cause, text)
		}
	}
	return strings.Join(cause, " ")
}

// StopWithSavepoint stops the job and returns the savepoint that it wrote below dir.
func (c *Client) StopWithSavepoint(ctx context.Context, job, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, savepointTimeout)
	defer cancel()
	var trigger struct {
		ID string `json:"request-id"`
	}
	body := map[string]any{"targetDirectory": "file://" + dir, "drain": false}
	if err := c.call(ctx, http.MethodPost, "/jobs/"+url.PathEscape(job)+"/stop", body, &trigger); err != nil {
		return "", fmt.Errorf("ask for a savepoint: %w", err)
	}
	for {
		var answer struct {
			Operation struct {
				Location     string `json:"location"`
				FailureCause struct {
					StackTrace string `json:"stack-trace"`
				} `json:"failure-cause"`
			} `json:"operation"`
		}
		err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job)+"/savepoints/"+url.PathEscape(trigger.ID), nil, &answer)
		if err != nil {
			return "", fmt.Errorf("wait for the savepoint: %w", err)
		}
		if trace := answer.Operation.FailureCause.StackTrace; trace != "" {
			return "", fmt.Errorf("take a savepoint: %s", rootCause(trace))
		}
		if location := answer.Operation.Location; location != "" {
			return filepath.Join(dir, filepath.Base(location)), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the savepoint: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// call makes a call. Only the context limits its time.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body := &bytes.Buffer{}
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Address+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		var failure struct {
			Errors []string `json:"errors"`
		}
		if json.Unmarshal(data, &failure) != nil || len(failure.Errors) == 0 {
			failure.Errors = []string{string(data)}
		}
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, rootCause(failure.Errors[len(failure.Errors)-1]))
	}
	return json.Unmarshal(data, out)
}

// Work is what a job has done since it was started.
type Work struct {
	Read int64 // records of the stream
	Rows int64 // rows for delivery
	// Behind is how far the reading of the shard that is furthest behind is behind its tip; negative if unknown.
	Behind time.Duration
	// Checkpointed is when the last checkpoint was completed, zero if none was.
	Checkpointed time.Time
}

// Names of metrics in the job, by the names of its operators.
const (
	metricRead   = "Source__source.numRecordsOut"
	metricRows   = "lines.numRecordsOut"
	metricBehind = ".millisBehindLatest"
)

// Work returns what the job that runs on the cluster has done, nil if none runs.
func (c *Client) Work(ctx context.Context) (*Work, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var overview struct {
		Jobs []Job `json:"jobs"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/overview", nil, &overview); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(overview.Jobs, func(j Job) bool { return !j.Ended() })
	if i < 0 {
		return nil, nil
	}
	job := "/jobs/" + url.PathEscape(overview.Jobs[i].ID)
	var checkpoints struct {
		Latest struct {
			Completed struct {
				AckedAt int64 `json:"latest_ack_timestamp"`
			} `json:"completed"`
		} `json:"latest"`
	}
	if err := c.call(ctx, http.MethodGet, job+"/checkpoints", nil, &checkpoints); err != nil {
		return nil, err
	}
	w := &Work{Behind: -1}
	if at := checkpoints.Latest.Completed.AckedAt; at > 0 {
		w.Checkpointed = time.UnixMilli(at).UTC()
	}
	var tasks struct {
		Vertices []struct {
			ID string `json:"id"`
		} `json:"vertices"`
	}
	if err := c.call(ctx, http.MethodGet, job, nil, &tasks); err != nil {
		return nil, err
	}
	for _, task := range tasks.Vertices {
		if err := c.addWork(ctx, job+"/vertices/"+url.PathEscape(task.ID)+"/subtasks/metrics", w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// addWork adds what a task of the job has done.
func (c *Client) addWork(ctx context.Context, path string, w *Work) error {
	var known []struct {
		ID string `json:"id"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, &known); err != nil {
		return err
	}
	var names []string
	for _, metric := range known {
		if metric.ID == metricRead || metric.ID == metricRows || strings.HasSuffix(metric.ID, metricBehind) {
			names = append(names, metric.ID)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var values []struct {
		ID  string  `json:"id"`
		Sum float64 `json:"sum"`
		Max float64 `json:"max"`
	}
	if err := c.call(ctx, http.MethodGet, path+"?agg=sum,max&get="+url.QueryEscape(strings.Join(names, ",")), nil, &values); err != nil {
		return err
	}
	for _, metric := range values {
		switch metric.ID {
		case metricRead:
			w.Read += int64(metric.Sum)
		case metricRows:
			w.Rows += int64(metric.Sum)
		default:
			// It is below 0 for a shard that has not been read.
			w.Behind = max(w.Behind, time.Duration(metric.Max)*time.Millisecond)
		}
	}
	return nil
}
