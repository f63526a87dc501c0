package flink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// archiveFile holds the classes of a cluster and its job, parsed and verified. With it, a JVM needs half the processor
	// time to start its job, and two thirds of it to plan a query.
	// https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing1.html
	archiveFile = "classes.jsa"
	// archiveRuns is how long the job runs before its classes are archived.
	archiveRuns = 3 * time.Second
	// archiveTimeout is for all of it, on a machine that builds everything else beside it.
	archiveTimeout = 10 * time.Minute
)

// archive is the path of the archive for the libraries in a directory.
func archive(libraries string) string { return filepath.Join(filepath.Dir(libraries), archiveFile) }

// shared returns the options of a JVM that uses the archive. The JVM ignores an archive that is missing, or was made by
// another JVM or from other JARs.
func shared(libraries string) []string {
	return []string{"-XX:SharedArchiveFile=" + archive(libraries), "-Xlog:cds*=off"}
}

// Archive runs the JAR's job on a cluster that listens on the port, and archives the classes that both have loaded.
// Nothing answers at the job's endpoints.
func (c Checker) Archive(ctx context.Context, port int) (err error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "streamproof-archive-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	properties := filepath.Join(dir, "properties.json")
	const unreachable = "http://127.0.0.1:1"
	if err := WriteProperties(properties, []PropertyGroup{{ID: "streamproof", Properties: map[string]string{
		"stream.arn": "arn:aws:kinesis:eu-west-1:000000000000:stream/none", "delivery.stream": "none", "rejects.delivery.stream": "none",
		"output.format": "CSV", "kinesis.endpoint": unreachable, "firehose.endpoint": unreachable,
	}}}); err != nil {
		return err
	}
	conf := Conf{
		CheckpointInterval: time.Second, CheckpointMinPause: 500 * time.Millisecond, Parallelism: 1, RESTPort: port,
		CheckpointDir: filepath.Join(dir, "checkpoints"), SavepointDir: filepath.Join(dir, "savepoints"), UploadDir: filepath.Join(dir, "upload"),
	}
	if err := os.Remove(archive(c.Libraries)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd, err := conf.command(c.Java, c.Libraries, dir, "-XX:ArchiveClassesAtExit="+archive(c.Libraries), "-Xlog:cds*=off", "-XX:TieredStopAtLevel=1", "-Xmx1g", "-Djava.io.tmpdir="+dir)
	if err != nil {
		return err
	}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none", "AWS_CBOR_DISABLE=true")
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // after a signal, whatever it was
	}()
	client := &Client{Address: fmt.Sprintf("http://127.0.0.1:%d", port), UploadDir: conf.UploadDir}
	if err = client.Ready(ctx, ended); err == nil {
		_, err = client.Submit(ctx, Submission{JAR: c.JAR, Args: []string{"--properties", properties}})
	}
	if err == nil {
		time.Sleep(archiveRuns)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err(), cmd.Process.Kill())
		<-ended
	}
	if _, noArchive := os.Stat(archive(c.Libraries)); err == nil {
		err = noArchive
	}
	if err != nil {
		_ = os.Remove(archive(c.Libraries)) // one of fewer classes would be taken for the whole
		return fmt.Errorf("archive the classes of %s: %w: %s", c.JAR, err, LastLine(log.String(), CausedBy))
	}
	return nil
}
