package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/renameio/v2"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/flink"
	"streamproof/internal/local/process"
)

const (
	// propertyGroup is the application's property group that has the endpoints of AWS.
	propertyGroup   = "streamproof"
	downloadTimeout = 2 * time.Minute
	// quickStart leaves out the optimizing compiler. It takes almost half the processor time that a cluster needs to start
	// its job (15 s with it, 9 s without), and a local stack's few rows never earn that back.
	quickStart = "-XX:TieredStopAtLevel=1"
)

// A jvm is a JVM with a cluster in it.
type jvm struct {
	*process.Process
	flink.Client
	vendor *vendor
	needs  needs
}

// needs are the parts of a Spec that a JVM is started with. The rest goes with the job that is submitted to it.
type needs struct {
	role                                   string
	parallelism                            int
	checkpointInterval, checkpointMinPause time.Duration
}

func needsOf(spec Spec) needs {
	return needs{spec.Role, spec.Parallelism, spec.CheckpointInterval, spec.CheckpointMinPause}
}

func (r *Runner) startJVM(ctx context.Context, spec Spec) (*jvm, error) {
	port, err := emulator.FreePort(0)
	if err != nil {
		return nil, err
	}
	conf := flink.Conf{
		CheckpointInterval: spec.CheckpointInterval,
		CheckpointMinPause: spec.CheckpointMinPause,
		Parallelism:        spec.Parallelism,
		RESTPort:           port,
		CheckpointDir:      r.path("checkpoints"),
		SavepointDir:       r.path("savepoints"),
		UploadDir:          r.path("upload"),
	}
	for _, dir := range []string{"conf", "home", "tmp", "checkpoints", "savepoints"} {
		if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	cmd, err := conf.Command(r.Java, r.Libraries, r.path("conf"), quickStart,
		"-Xmx"+r.MaxHeap, "-Duser.home="+r.path("home"), "-Djava.io.tmpdir="+r.path("tmp"))
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(LogFile(r.Dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	v, err := newVendor(r.sts, spec.Role, r.Log)
	if err != nil {
		return nil, err
	}
	if _, err := v.retrieve(ctx); err != nil { // reported here, or it would be deep in a stack trace of the job
		v.close()
		return nil, fmt.Errorf("assume the application's role: %w", err)
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.Dir, log, log
	// Built from scratch, with no file of the user's to read credentials from: the role's are the only ones.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"JAVA_HOME=" + os.Getenv("JAVA_HOME"),
		"HOME=" + r.path("home"),
		process.UTF8,
		"AWS_REGION=" + r.AWS.Region,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + v.URL,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=" + v.Token,
		"AWS_EC2_METADATA_DISABLED=true",
		// The emulator does not support CBOR.
		"AWS_CBOR_DISABLE=true",
	}
	p, err := process.Start(cmd, PIDFile(r.Dir), true)
	if err != nil {
		v.close()
		return nil, err
	}
	client := flink.Client{Address: "http://127.0.0.1:" + strconv.Itoa(port), UploadDir: conf.UploadDir}
	return &jvm{Process: p, Client: client, vendor: v, needs: needsOf(spec)}, nil
}

// submit runs the spec's job from the given state, empty for none, and returns the job's ID.
func (r *Runner) submit(ctx context.Context, spec Spec, from string) (string, error) {
	jar, err := r.download(ctx, spec)
	if err != nil {
		return "", err
	}
	groups := withProperties(spec.Properties, propertyGroup, map[string]string{"kinesis.endpoint": r.KinesisEndpoint, "firehose.endpoint": r.FirehoseEndpoint})
	properties := r.path(filepath.Join("conf", "application_properties.json"))
	if err := flink.WriteProperties(properties, groups); err != nil {
		return "", err
	}
	if err := r.jvm.Ready(ctx, r.jvm.Done()); errors.Is(err, flink.ErrEnded) {
		return "", fmt.Errorf("%w: %s", err, lastLine(LogFile(r.Dir), flink.CausedBy))
	} else if err != nil {
		return "", err
	}
	return r.jvm.Submit(ctx, flink.Submission{
		JAR:                   jar,
		Args:                  []string{"--properties", properties},
		RestoreFrom:           from,
		AllowNonRestoredState: spec.AllowNonRestoredState,
	})
}

// download returns a copy of the application's JAR. As in the service, a new file under an old name goes unnoticed.
func (r *Runner) download(ctx context.Context, spec Spec) (_ string, err error) {
	if err := os.MkdirAll(r.path("jars"), 0o755); err != nil {
		return "", err
	}
	name := sha256.Sum256([]byte(spec.Bucket + "/" + spec.Key + "?" + spec.KeyVersion))
	file := filepath.Join(r.path("jars"), hex.EncodeToString(name[:8])+".jar")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("download s3://%s/%s: %w", spec.Bucket, spec.Key, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	in := &s3.GetObjectInput{Bucket: &spec.Bucket, Key: &spec.Key}
	if spec.KeyVersion != "" {
		in.VersionId = aws.String(spec.KeyVersion)
	}
	out, err := r.s3.GetObject(ctx, in)
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	part, err := renameio.NewPendingFile(file)
	if err != nil {
		return "", err
	}
	defer part.Cleanup() //nolint:errcheck // after a success there is nothing to clean up
	if _, err := io.Copy(part, out.Body); err != nil {
		return "", err
	}
	return file, part.CloseAtomicallyReplace()
}
