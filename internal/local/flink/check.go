package flink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"streamproof/internal/local/process"
)

// checkTimeout is for a JVM that starts and plans one query, which takes seconds.
const checkTimeout = 2 * time.Minute

// A Fault is a part of a SQL script that Flink refuses. Line and column count characters from 1.
type Fault struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// A Checker has the job's own JAR plan queries as a cluster would, without running them.
type Checker struct {
	Java      string // path of the program
	JAR       string
	Libraries string // directory of the cluster's JARs
}

// Check plans a script of Flink SQL over a resolved schema, and returns what Flink refuses.
func (c Checker) Check(ctx context.Context, schema []byte, sql string) ([]Fault, error) {
	dir, err := os.MkdirTemp("", "streamproof-check-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	schemaFile, sqlFile := filepath.Join(dir, "schema.resolved.json"), filepath.Join(dir, "pipeline.sql")
	for file, text := range map[string][]byte{schemaFile: schema, sqlFile: []byte(sql)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	args := append(shared(c.Libraries), addOpens,
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+dir, // too short-lived for a better compiler
		"-cp", classPath(c.Libraries), planClass, c.JAR, "--check", schemaFile, sqlFile)
	cmd := exec.CommandContext(ctx, c.Java, args...)
	cmd.Env = process.Environ(os.Environ())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("have Flink plan the query: %w: %s", err, LastLine(stderr.String(), ""))
	}
	return parseFaults(stdout.Bytes())
}

// parseFaults reads what the job prints, among the lines that Flink logs.
func parseFaults(out []byte) (faults []Fault, err error) {
	for line := range bytes.Lines(out) {
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		fault := Fault{}
		if err := json.Unmarshal(line, &fault); err != nil || fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
			return nil, errors.Join(fmt.Errorf("have Flink plan the query: it answers %s", bytes.TrimSpace(line)), err)
		}
		faults = append(faults, fault)
	}
	return faults, nil
}

// CausedBy begins the lines of a log that say why an exception was thrown.
const CausedBy = "Caused by: "

// LastLine is the last line of a log that has a prefix, or else the last line.
func LastLine(log, prefix string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return lines[len(lines)-1]
}
