package flink

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	callTimeout      = 10 * time.Second
	savepointTimeout = 2 * time.Minute
)

// A Client calls the REST interface of a JVM that runs one job.
type Client struct {
	Address string // as http://127.0.0.1:8081
}

// A Job is what Flink says of its job.
type Job struct {
	ID    string `json:"jid"`
	State string `json:"state"` // Flink's own word: RUNNING, RESTARTING, FAILED, …
	Tasks struct {
		Total   int `json:"total"`
		Running int `json:"running"`
	} `json:"tasks"`
}

// Running tells whether every task of the job runs.
func (j *Job) Running() bool {
	return j.State == "RUNNING" && j.Tasks.Total > 0 && j.Tasks.Running == j.Tasks.Total
}

// Job returns the job, nil where the JVM has none yet.
func (c *Client) Job(ctx context.Context) (*Job, error) {
	var overview struct {
		Jobs []Job `json:"jobs"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/overview", nil, &overview); err != nil {
		return nil, err
	}
	if len(overview.Jobs) == 0 {
		return nil, nil
	}
	return &overview.Jobs[0], nil
}

// Failure returns the first line of what last made the job fail, empty where nothing did.
func (c *Client) Failure(ctx context.Context, job string) (string, error) {
	var exceptions struct {
		Root string `json:"root-exception"`
	}
	if err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job)+"/exceptions", nil, &exceptions); err != nil {
		return "", err
	}
	return rootCause(exceptions.Root), nil
}

// rootCause is the innermost cause of a Java stack trace.
func rootCause(trace string) string {
	cause, _, _ := strings.Cut(trace, "\n")
	for line := range strings.Lines(trace) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Caused by: "); ok {
			cause = text
		}
	}
	return cause
}

// StopWithSavepoint stops the job and returns its savepoint below dir, which must be empty. The JVM ends with its job,
// and may do so before it has answered: what counts is the savepoint on disk.
func (c *Client) StopWithSavepoint(ctx context.Context, job, dir string, ended <-chan struct{}) (string, error) {
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
				FailureCause struct {
					StackTrace string `json:"stack-trace"`
				} `json:"failure-cause"`
			} `json:"operation"`
		}
		err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job)+"/savepoints/"+url.PathEscape(trigger.ID), nil, &answer)
		if trace := answer.Operation.FailureCause.StackTrace; err == nil && trace != "" {
			return "", fmt.Errorf("take a savepoint: %s", rootCause(trace))
		}
		select {
		case <-ended:
			found, err := fs.Glob(os.DirFS(dir), "*/_metadata")
			if err != nil || len(found) != 1 {
				return "", fmt.Errorf("the job ended and left no savepoint in %s (%w)", dir, os.ErrNotExist)
			}
			return filepath.Join(dir, filepath.Dir(found[0])), nil
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the savepoint: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
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
