// Package flink runs Flink jobs on this machine as the service runs them: a cluster in a JVM of its own, to whose REST
// interface a job's JAR is submitted. It knows the files that they start with and the states (checkpoints and savepoints)
// that they leave behind.
package flink

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A PropertyGroup is one of an application's, in the service's own JSON form.
type PropertyGroup struct {
	ID         string            `json:"PropertyGroupId"`
	Properties map[string]string `json:"PropertyMap"`
}

// Conf is what a cluster is started with.
type Conf struct {
	// CheckpointInterval is 0 for no checkpoints.
	CheckpointInterval, CheckpointMinPause time.Duration
	Parallelism                            int
	RESTPort                               int
	CheckpointDir, SavepointDir            string
	// UploadDir is where the cluster looks for JARs; it is removed when the cluster ends.
	UploadDir string
}

// The main classes of the JARs in the libraries' directory.
const (
	clusterClass = "streamproof.cluster.Cluster"
	planClass    = "streamproof.cluster.Plan"
)

// addOpens is of Flink's own scripts: what looks into the fields of a job's functions, and its checkpoints, need it.
const addOpens = "--add-opens=java.base/java.util=ALL-UNNAMED"

// confFile is the name that Flink gives to its configuration.
const confFile = "config.yaml"

// Command returns the command that runs a cluster, whose libraries are the JARs in that directory. Its configuration is
// written to dir.
func (c Conf) Command(java, libraries, dir string, options ...string) (*exec.Cmd, error) {
	if err := os.WriteFile(filepath.Join(dir, confFile), []byte(c.yaml()), 0o600); err != nil {
		return nil, err
	}
	args := append([]string{addOpens}, options...)
	return exec.Command(java, append(args, "-cp", classPath(libraries), clusterClass, dir)...), nil
}

// classPath is that of a cluster: no class of a job is on it.
func classPath(libraries string) string {
	return filepath.Join(libraries, "*") + string(os.PathListSeparator) + libraries
}

// WriteProperties writes the property groups into a file of the form in which the service gives them to a job.
func WriteProperties(file string, groups []PropertyGroup) error {
	if groups == nil {
		groups = []PropertyGroup{}
	}
	data, err := json.MarshalIndent(groups, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

func (c Conf) yaml() string {
	options := map[string]string{
		"parallelism.default":           fmt.Sprint(c.Parallelism),
		"taskmanager.numberOfTaskSlots": fmt.Sprint(c.Parallelism),
		"jobmanager.bind-host":          "127.0.0.1", // of the BLOB server
		"taskmanager.bind-host":         "127.0.0.1",
		"rest.address":                  "127.0.0.1",
		"rest.bind-address":             "127.0.0.1",
		"rest.port":                     fmt.Sprint(c.RESTPort),
		"rest.bind-port":                fmt.Sprint(c.RESTPort),
		"web.submit.enable":             "true",
		"web.cancel.enable":             "false",
		"web.upload.dir":                c.UploadDir,
		// What its REST interface says of metrics is 10 s old else.
		"metrics.fetcher.update-interval": "500 ms",
		// Flink takes a path as it is, and a % in it as a %.
		"execution.checkpointing.dir":                               "file://" + c.CheckpointDir,
		"execution.checkpointing.savepoint-dir":                     "file://" + c.SavepointDir,
		"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
	}
	if c.CheckpointInterval > 0 {
		options["execution.checkpointing.interval"] = duration(c.CheckpointInterval)
		options["execution.checkpointing.min-pause"] = duration(c.CheckpointMinPause)
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(options)) {
		value, _ := json.Marshal(options[key]) // a JSON string is a YAML string
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	return b.String()
}

// duration writes a duration as Flink itself does, in the largest unit that it is a multiple of: Flink compares a job's
// configuration with its cluster's by the text, and would take "5000 ms" for changed to "5 s" by the program.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}} {
		if d%unit.length == 0 {
			return fmt.Sprintf("%d %s", d/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// LatestState returns the newest complete checkpoint or savepoint below the directories that was completed at the
// given time or after it, empty where there is none. Flink puts _metadata in place last, and at once.
func LatestState(since time.Time, dirs ...string) (string, error) {
	var latest string
	var newest time.Time
	for _, dir := range dirs {
		// Checkpoints stand in <job id>/chk-<n>, savepoints in <stop>/savepoint-<id>.
		files, err := fs.Glob(os.DirFS(dir), "*/*/_metadata") // not filepath.Glob, to which a [ in dir means something
		if err != nil {
			return "", err
		}
		for _, file := range files {
			file = filepath.Join(dir, file)
			info, err := os.Stat(file)
			if os.IsNotExist(err) {
				continue // a newer checkpoint has replaced it since
			}
			if err != nil {
				return "", err
			}
			if at := info.ModTime(); !at.Before(since) && at.After(newest) {
				latest, newest = filepath.Dir(file), at
			}
		}
	}
	return latest, nil
}
