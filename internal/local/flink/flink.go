// Package flink runs Flink jobs on this machine as the service does: a cluster in its own JVM takes a job's JAR over
// REST. The package has the cluster's configuration, its REST client, and the states (checkpoints and savepoints) that
// it leaves.
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

// addOpens is from Flink's own scripts: it looks into the fields of a job's functions, and so do its checkpoints.
const addOpens = "--add-opens=java.base/java.util=ALL-UNNAMED"

// seldom has two threads of the cluster look every 50 ms whether something is due. With the 10 ms that they have
// otherwise, they take a quarter of what an idle job takes.
const seldom = "-Dpekko.scheduler.tick-duration=50ms"

// confFile is the name that Flink gives to its configuration.
const confFile = "config.yaml"

// Command returns the command that runs a cluster with the JARs in that directory. It writes the cluster's
// configuration to dir.
func (c Conf) Command(java, libraries, dir string, options ...string) (*exec.Cmd, error) {
	return c.command(java, libraries, dir, append(shared(libraries), options...)...)
}

func (c Conf) command(java, libraries, dir string, options ...string) (*exec.Cmd, error) {
	if err := os.WriteFile(filepath.Join(dir, confFile), []byte(c.yaml()), 0o600); err != nil {
		return nil, err
	}
	args := append([]string{addOpens, seldom}, options...)
	return exec.Command(java, append(args, "-cp", classPath(libraries), clusterClass, dir)...), nil
}

// classPath is the cluster's: no class of a job is on it.
func classPath(libraries string) string {
	return filepath.Join(libraries, "*") + string(os.PathListSeparator) + libraries
}

// WriteProperties writes the property groups to a file in the service's form.
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
		// Otherwise, metrics over REST would be 10 s old. Each time, all of them are fetched.
		"metrics.fetcher.update-interval": "1 s",
		// Flink takes a path literally, with any % in it.
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

// duration writes a duration as Flink does, in the largest unit that divides it. Flink compares a job's configuration
// with its cluster's as text, and would consider "5000 ms" a change of "5 s" by the program.
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

// LatestState returns the newest checkpoint or savepoint below the directories that was completed at the given time or
// later, empty for none. Flink puts _metadata in place last, in one step.
func LatestState(since time.Time, dirs ...string) (string, error) {
	var latest string
	var newest time.Time
	for _, dir := range dirs {
		// Checkpoints are in <job id>/chk-<n>, savepoints in <stop>/savepoint-<id>.
		files, err := fs.Glob(os.DirFS(dir), "*/*/_metadata") // not filepath.Glob, which would interpret a [ in dir
		if err != nil {
			return "", err
		}
		for _, file := range files {
			file = filepath.Join(dir, file)
			info, err := os.Stat(file)
			if os.IsNotExist(err) {
				continue // a newer checkpoint has replaced it
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
