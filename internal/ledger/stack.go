package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// StackKey is where the stack that a bucket is claimed for stands in the bucket.
const StackKey = "ledger/stack.json"

// A Stack names the CloudFormation stack that a bucket is claimed for. Two stacks in one bucket would owe and deliver
// each other's rows. A stack that was deleted and is created again under its old name is the same one and continues its
// data.
type Stack struct {
	Version int    `json:"version"`
	Name    string `json:"stack"`
	Region  string `json:"region"`
	Account string `json:"account"`
}

func (s Stack) String() string {
	return fmt.Sprintf("stack %s (region %s, account %s)", s.Name, s.Region, s.Account)
}

// Same reports whether the two are one stack, whatever version wrote them down.
func (s Stack) Same(other Stack) bool {
	return s.Name == other.Name && s.Region == other.Region && s.Account == other.Account
}

// Encode gives the object's bytes.
func (s *Stack) Encode() ([]byte, error) {
	s.Version = Version
	return json.Marshal(s)
}

// DecodeStack reads a stack's object. It refuses one of a newer version and one without a name.
func DecodeStack(data []byte) (*Stack, error) {
	var s Stack
	if err := decode(data, &s); err != nil {
		return nil, err
	}
	if s.Name == "" {
		return nil, errors.New("the stack has no name")
	}
	return &s, nil
}

// A TakenError says that a bucket is claimed for another stack.
type TakenError struct {
	Bucket string
	Asking Stack
	Stands Stack
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("bucket %s is claimed for %s and cannot be used by %s: use another bucket, or, if the first stack is gone and its data is to be judged on, delete s3://%s/%s",
		e.Bucket, e.Stands, e.Asking, e.Bucket, StackKey)
}

// ClaimFor claims the bucket for a stack. It succeeds if the bucket is already claimed for the same one. If it is
// claimed for another, the error is a *TakenError.
func (s *Store) ClaimFor(ctx context.Context, stack Stack) error {
	body, err := stack.Encode()
	if err != nil {
		return fmt.Errorf("encode the stack: %w", err)
	}
	_, err = s.write(ctx, StackKey, body, "", func() (etag string, done *written, err error) {
		stands, err := s.ClaimedFor(ctx)
		switch {
		case err != nil:
			return "", nil, err
		case stands == nil:
			// It has just been deleted: write again.
			return "", nil, nil
		case !stands.Same(stack):
			return "", nil, &TakenError{Bucket: s.bucket, Asking: stack, Stands: *stands}
		}
		return "", &written{}, nil
	})
	if taken := (*TakenError)(nil); errors.As(err, &taken) {
		return taken // it says everything
	}
	if err != nil {
		return fmt.Errorf("claim the bucket: %w", err)
	}
	return nil
}

// ClaimedFor returns the stack that the bucket is claimed for, nil for none.
func (s *Store) ClaimedFor(ctx context.Context) (*Stack, error) {
	data, _, _, err := s.get(ctx, StackKey)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "NoSuchKey" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stack, err := DecodeStack(data)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.bucket, StackKey, err)
	}
	return stack, nil
}
