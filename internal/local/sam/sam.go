// Package sam runs the AWS SAM CLI against the emulator: the same template and the same two commands as on AWS.
package sam

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/process"
)

// ConfigEnv is the environment of samconfig.toml for the local stack.
const ConfigEnv = "local"

const (
	configFile   = "samconfig.toml"
	templateFile = "template.yaml"
	// parametersFile has the local stack's parameters.
	parametersFile = "local.yaml"
	endGrace       = 10 * time.Second
)

// Config says which SAM CLI to run, and where.
type Config struct {
	Program  string // path of the sam program
	Root     string // directory of the template
	BuildDir string // for what Build writes and Deploy reads
	LogFile  string // for the output of both
	Stack    string
	Region   string
	Endpoint string // of the emulator
	// Parameters override those of local.yaml.
	Parameters map[string]string
}

// Build builds the functions for this machine's processor.
func (c Config) Build(ctx context.Context) error {
	return c.run(ctx, "build", "--template-file", filepath.Join(c.Root, templateFile), "--build-dir", c.BuildDir)
}

// Deploy deploys what Build has built.
func (c Config) Deploy(ctx context.Context) error {
	packed, err := c.pack()
	if err != nil {
		return err
	}
	return c.run(ctx, "deploy", "--template-file", packed, "--stack-name", c.Stack)
}

// Delete deletes the stack and what Deploy uploaded for it.
func (c Config) Delete(ctx context.Context) error {
	return c.exec(ctx, "delete", "--no-prompts", "--stack-name", c.Stack)
}

// Built reports whether Build has run.
func (c Config) Built() bool {
	_, err := os.Stat(filepath.Join(c.BuildDir, templateFile))
	return err == nil
}

// run runs a command that takes parameters.
func (c Config) run(ctx context.Context, command string, args ...string) error {
	// These values replace samconfig.toml's list, which is the same file and the common architecture. SAM resolves the
	// path from the root and does not decode a URL: a relative path needs no encoding.
	args = append(args, "--parameter-overrides", "file://"+parametersFile, "Architecture="+Architecture())
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		args = append(args, name+"="+c.Parameters[name])
	}
	return c.exec(ctx, command, args...)
}

func (c Config) exec(ctx context.Context, command string, args ...string) error {
	log, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args = append([]string{command, "--config-file", filepath.Join(c.Root, configFile), "--config-env", ConfigEnv, "--region", c.Region}, args...)
	cmd := exec.CommandContext(ctx, c.Program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Root, log, log
	cmd.Env = append(process.Environ(withoutAWS(os.Environ())),
		"AWS_ENDPOINT_URL="+c.Endpoint,
		"AWS_ACCESS_KEY_ID="+emulator.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+emulator.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED=true",
		"SAM_CLI_TELEMETRY=0",
		"SAM_CLI_POLL_DELAY=0.5",
	)
	// It runs compilers, which all end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endGrace
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("sam %s: %w", command, err)
	}
	return nil
}

// Architecture is this machine's processor, by Lambda's name.
func Architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// withoutAWS drops the variables that would lead to an AWS account.
func withoutAWS(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "SAM_CLI_")
	})
}
