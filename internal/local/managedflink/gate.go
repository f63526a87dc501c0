package managedflink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// knownAfter is how old a role has to be. IAM gives no number. The emulator's times are in seconds, and this is enough
// to tell a template that waits from one that does not.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
const knownAfter = time.Second

// A question is what CloudFormation is about to do, which the service might refuse.
type question struct {
	Operation     string
	Name          string // of the application
	Role          string // of the new application or delivery stream
	Configuration struct {
		ApplicationCodeConfiguration struct {
			CodeContent struct {
				S3ContentLocation struct {
					BucketARN, FileKey string
				}
			}
		}
	}
}

// gate returns an error if the service would refuse what CloudFormation is about to do.
func (s *Server) gate(ctx context.Context, body []byte) error {
	var q question
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch q.Operation {
	case "CreateDeliveryStream":
		young, err := s.young(ctx, q.Role)
		if err != nil || !young {
			return err
		}
		return refuse(invalidArgument, "Firehose is unable to assume role %s. Please check the role provided.", q.Role)
	case "CreateApplication":
		if err := s.reads(ctx, q); err != nil {
			return err
		}
		s.application(q.Name).Known = true
		return s.save()
	}
	a := s.application(q.Name)
	detail, err := s.detail(ctx, q.Name)
	if err != nil || detail == nil {
		return err
	}
	if err := s.rule(a, detail, q.Operation, false); err != nil {
		return err
	}
	switch q.Operation {
	case "DeleteApplication":
		delete(s.applications, q.Name)
	default: // an update, or a change of the logging options, which is one too
		a.beginUpdate(detail, a.status(detail.ApplicationStatus))
	}
	return s.save()
}

// young reports whether a role was created a moment ago.
func (s *Server) young(ctx context.Context, role string) (bool, error) {
	name := role[strings.LastIndexByte(role, '/')+1:]
	out, err := s.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return false, fmt.Errorf("get role %s: %w", name, err)
	}
	return time.Since(aws.ToTime(out.Role.CreateDate)) < knownAfter, nil
}

// reads refuses an application whose role cannot read its code.
func (s *Server) reads(ctx context.Context, q question) error {
	young, err := s.young(ctx, q.Role)
	if err != nil {
		return err
	}
	location := q.Configuration.ApplicationCodeConfiguration.CodeContent.S3ContentLocation
	bucket := location.BucketARN[strings.LastIndexByte(location.BucketARN, ':')+1:]
	if !young {
		_, err = s3.NewFromConfig(s.as(q.Role)).HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &location.FileKey})
	}
	if young || err != nil {
		s.Log.Info("an application was refused", "role", q.Role, "young", young, "error", err)
		return refuse(invalidArgument, "Please check the role provided or validity of S3 location you provided. We are unable to get the specified fileKey: %s in the specified bucket: %s", location.FileKey, bucket)
	}
	return nil
}

func (s *Server) as(role string) aws.Config {
	c := s.AWS.Copy()
	c.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(s.sts, role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "managed-flink" }))
	return c
}
