package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/prometheus/procfs"

	"streamproof/internal/local"
	"streamproof/internal/local/process"
)

// Reconfigure adds variables to the environment of a function, such as AWS_ENDPOINT_URL_KINESIS, and sets its timeout
// in seconds unless that is 0.
func Reconfigure(ctx context.Context, s *local.Stack, function string, timeout int32, variables map[string]string) error {
	client := lambda.NewFromConfig(s.AWS)
	now, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return err
	}
	all := map[string]string{}
	if now.Environment != nil {
		maps.Copy(all, now.Environment.Variables)
	}
	maps.Copy(all, variables)
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: &function, Environment: &types.Environment{Variables: all}}
	if timeout > 0 {
		in.Timeout = &timeout
	}
	_, err = client.UpdateFunctionConfiguration(ctx, in)
	return err
}

// ErrNoProcess says that a function has no process.
var ErrNoProcess = errors.New("the function has no process")

// Kill ends the processes of a function with SIGKILL: those of the stack's own emulator, and no others.
func Kill(s *local.Stack, function string) error {
	pids, err := processes(s, function)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("%s: %w", function, ErrNoProcess)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// AwaitProcess returns when the function has a process.
func AwaitProcess(ctx context.Context, s *local.Stack, function string) error {
	for {
		pids, err := processes(s, function)
		if err != nil || len(pids) > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// processes returns the emulator's child processes that run a function.
func processes(s *local.Stack, function string) ([]int, error) {
	if i := strings.LastIndex(function, "function:"); i >= 0 { // an ARN
		function, _, _ = strings.Cut(function[i+len("function:"):], ":")
	}
	emulator, err := process.Find(filepath.Join(s.StateDir(), "emulator.pid"))
	if err != nil {
		return nil, err
	}
	if emulator == nil {
		return nil, errors.New("the emulator does not run")
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil || stat.PPID != emulator.PID || stat.State == "Z" {
			continue // it has ended meanwhile, or is not a child of this emulator
		}
		environment, err := p.Environ()
		if err != nil {
			continue
		}
		if slices.Contains(environment, "AWS_LAMBDA_FUNCTION_NAME="+function) {
			pids = append(pids, p.PID)
		}
	}
	return pids, nil
}
