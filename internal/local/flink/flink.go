// Package flink speaks to one Flink job in a JVM of its own: the files that it is started with, its REST interface,
// and the states (checkpoints and savepoints) that it leaves behind.
package flink

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
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

// Conf is what a job is started with.
type Conf struct {
	Properties []PropertyGroup
	// CheckpointInterval is 0 to leave it to the job.
	CheckpointInterval, CheckpointMinPause time.Duration
	Parallelism                            int
	RESTPort                               int
	CheckpointDir, SavepointDir            string
	// RestoreFrom is the checkpoint or savepoint to start from, empty to start without state.
	RestoreFrom string
	// AllowNonRestoredState throws away state that no operator of the job claims.
	AllowNonRestoredState bool
}

// MainClass is the job's entry point.
const MainClass = "streamproof.analytics.Job"

// The files of a job's directory.
const (
	PropertiesFile = "application_properties.json"
	ConfFile       = "config.yaml"
)

// Write writes the files into dir.
func (c Conf) Write(dir string) error {
	groups := c.Properties
	if groups == nil {
		groups = []PropertyGroup{}
	}
	properties, err := json.MarshalIndent(groups, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, PropertiesFile), append(properties, '\n'), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ConfFile), []byte(c.yaml()), 0o600)
}

func (c Conf) yaml() string {
	options := map[string]string{
		"parallelism.default":                   fmt.Sprint(c.Parallelism),
		"taskmanager.numberOfTaskSlots":         fmt.Sprint(c.Parallelism),
		"jobmanager.bind-host":                  "127.0.0.1", // of the BLOB server
		"taskmanager.bind-host":                 "127.0.0.1",
		"rest.address":                          "127.0.0.1",
		"rest.bind-address":                     "127.0.0.1",
		"rest.port":                             fmt.Sprint(c.RESTPort),
		"rest.bind-port":                        fmt.Sprint(c.RESTPort),
		"web.submit.enable":                     "false",
		"web.cancel.enable":                     "false",
		// Flink takes a path as it is, and a % in it as a %.
		"execution.checkpointing.dir":           "file://" + c.CheckpointDir,
		"execution.checkpointing.savepoint-dir": "file://" + c.SavepointDir,
		"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
	}
	if c.CheckpointInterval > 0 {
		options["execution.checkpointing.interval"] = fmt.Sprintf("%d ms", c.CheckpointInterval.Milliseconds())
		options["execution.checkpointing.min-pause"] = fmt.Sprintf("%d ms", c.CheckpointMinPause.Milliseconds())
	}
	if c.RestoreFrom != "" {
		options["execution.state-recovery.path"] = c.RestoreFrom
		options["execution.state-recovery.ignore-unclaimed-state"] = fmt.Sprint(c.AllowNonRestoredState)
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(options)) {
		value, _ := json.Marshal(options[key]) // a JSON string is a YAML string
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	return b.String()
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
