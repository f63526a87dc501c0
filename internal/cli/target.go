package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"streamproof/internal/local"
	"streamproof/internal/stack"
)

// target says which stack a command acts on: the named one on AWS, or the local one.
type target struct {
	Stack    string `help:"Name of a stack on AWS." xor:"where" placeholder:"NAME"`
	Region   string `help:"Region of the stack on AWS (default: that of the AWS configuration)." placeholder:"REGION"`
	StateDir string `help:"State directory of the local stack (default: .streamproof in the project's directory)." xor:"where" placeholder:"DIR"`
	JSON     bool   `help:"Print JSON, for scripts." name:"json"`
}

// Validate is called by kong.
func (t *target) Validate() error {
	if t.Region != "" && t.Stack == "" {
		return errors.New("--region is for a stack on AWS: name the stack with --stack")
	}
	return nil
}

// open finds the stack. The second result is nil for a stack on AWS.
func (t *target) open(ctx context.Context, e *env) (*stack.Stack, *local.Stack, error) {
	if t.Stack == "" {
		s, err := t.local(ctx, e)
		if err != nil {
			return nil, nil, err
		}
		return s.Stack, s, nil
	}
	c, err := t.aws(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	s, err := stack.Open(ctx, c, t.Stack)
	return s, nil, err
}

func (t *target) local(ctx context.Context, e *env) (*local.Stack, error) {
	dir, err := e.stateDir(t.StateDir)
	if err != nil {
		return nil, err
	}
	return local.Open(ctx, dir)
}

func (t *target) aws(ctx context.Context, e *env) (aws.Config, error) {
	c, err := e.loadAWS(ctx, t.Region)
	if err != nil {
		return c, &usageError{fmt.Errorf("read the AWS configuration: %w", err)}
	}
	if c.Region == "" {
		return c, &usageError{errors.New("no region: name one with --region, or set AWS_REGION")}
	}
	if _, err := c.Credentials.Retrieve(ctx); err != nil {
		return c, &usageError{fmt.Errorf("no AWS credentials (%w): sign in, or set AWS_PROFILE", err)}
	}
	return c, nil
}

// config is the configuration of AWS, or of the local stack in --state-dir.
func (t *target) config(ctx context.Context, e *env) (aws.Config, error) {
	if t.StateDir == "" {
		return t.aws(ctx, e)
	}
	s, err := t.local(ctx, e)
	if err != nil {
		return aws.Config{}, err
	}
	return s.AWS, nil
}
