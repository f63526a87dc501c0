// Package emulator runs MiniStack, the AWS emulator, as a process that listens on 127.0.0.1 only and enforces IAM. Its
// environment, which its Lambda functions inherit, is built from scratch, so it has nothing of the user's AWS account.
package emulator

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"streamproof/internal/local/process"
)

// The root credentials of the emulator, which may do everything.
const (
	AccessKeyID     = "test"
	SecretAccessKey = "test"
)

const (
	startTimeout = 3 * time.Minute
	endGrace     = 5 * time.Second
)

// Config says which emulator to run.
type Config struct {
	Program string // path of the ministack program
	Dir     string // where its files go
	PIDFile string
	LogFile string
	Port    int // 0 for a free one
	Region  string
	Tied    bool // ends with this process, in whatever way that ends
	// ManagedFlink is the endpoint of the stand-in for Managed Flink, empty for none. The functions call it instead of the
	// emulator, and CloudFormation asks it at GatePath before it changes an application.
	ManagedFlink string
}

// GatePath is where CloudFormation asks the stand-in whether the service would accept a call.
const GatePath = "/gate"

//go:embed gated.py
var gated []byte

// An Emulator is a running emulator.
type Emulator struct {
	*process.Process
	Port int
}

// Endpoint is the address of all the emulator's AWS services, at this port.
func Endpoint(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// Start starts an emulator and returns when it answers. If the port is in use, the error wraps ErrPortInUse.
func Start(ctx context.Context, c Config) (*Emulator, error) {
	port, err := FreePort(c.Port)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for _, name := range []string{"home", "tmp", "state", "s3"} {
		dirs[name] = filepath.Join(c.Dir, name)
		if err := os.MkdirAll(dirs[name], 0o755); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(c.LogFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	script := filepath.Join(c.Dir, "gated.py")
	if err := os.WriteFile(script, gated, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(c.Program), "python"), script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dirs["home"],
		"TMPDIR=" + dirs["tmp"],
		"STATE_DIR=" + dirs["state"],
		"S3_DATA_DIR=" + dirs["s3"],
		process.UTF8,
		"BIND_HOST=127.0.0.1",
		"GATEWAY_PORT=" + strconv.Itoa(port),
		"AUTH=true",
		"MINISTACK_REGION=" + c.Region,
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretAccessKey,
		// Without it, functions would call AWS.
		"AWS_ENDPOINT_URL=" + Endpoint(port),
		"LAMBDA_EXECUTOR=local",
		// Unreachable, so that the emulator does not run the Flink job as well.
		"DOCKER_HOST=tcp://127.0.0.1:1",
		// These two would listen on every interface.
		"SFTP_ENABLED=0",
		"IOT_MTLS_ENABLED=0",
	}
	if c.ManagedFlink != "" {
		cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL_KINESIS_ANALYTICS_V2="+c.ManagedFlink, "STREAMPROOF_GATE="+c.ManagedFlink+GatePath)
	}
	p, err := process.Start(cmd, c.PIDFile, c.Tied)
	if err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	e := &Emulator{Process: p, Port: port}
	if err := e.await(ctx); err != nil {
		return nil, errors.Join(err, e.End(ctx))
	}
	return e, nil
}

// await returns when the emulator is ready.
func (e *Emulator) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if Healthy(ctx, e.Port) {
			return nil
		}
		select {
		case <-e.Done():
			return fmt.Errorf("the emulator ended while starting: %w", cause(e.Err()))
		case <-ctx.Done():
			return fmt.Errorf("the emulator does not answer at %s: %w", Endpoint(e.Port), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func cause(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Healthy reports whether an emulator answers at the port.
func Healthy(ctx context.Context, port int) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, Endpoint(port)+"/_ministack/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var health struct {
		Auth string `json:"auth"`
	}
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&health) == nil && health.Auth == "enabled"
}

// End ends the emulator and the functions' processes.
func (e *Emulator) End(ctx context.Context) error { return e.Process.End(ctx, endGrace) }
