package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"streamproof/internal/ledger"
)

// The values of the template's parameter DataOnDelete: what happens to the data when the stack is deleted.
const (
	retainData = "retain"
	deleteData = "delete"
)

const (
	// countTime is the part of the time that is reserved for counting what could not be deleted.
	countTime = 20 * time.Second
	// emptyPause is how long to wait if S3 says that a bucket is not empty although its listing was.
	emptyPause = 2 * time.Second
)

type stacks interface {
	DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, opts ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

var _ stacks = (*cloudformation.Client)(nil)

// contents answers for Custom::BucketContents. The physical id is the bucket's name, and the attribute Arn its ARN.
func (d *Deployer) contents(ctx context.Context, log *slog.Logger, event cfn.Event) (string, map[string]any, error) {
	props, err := properties(event, "Bucket", "StackName", "DataOnDelete", "Existing")
	if err != nil {
		return "", nil, err
	}
	id, err := arn.Parse(event.StackID)
	if err != nil {
		return "", nil, fmt.Errorf("the stack's id %q: %w", event.StackID, err)
	}
	c := contents{
		bucket:   props["Bucket"],
		stack:    ledger.Stack{Name: props["StackName"], Region: id.Region, Account: id.AccountID},
		existing: props["Existing"] == "true",
		calls:    d.Objects,
		ledger:   d.Ledger(props["Bucket"]),
		log:      log.With("bucket", props["Bucket"]),
	}
	// A deletion retains whatever is not clearly to be deleted.
	c.deleting = props["DataOnDelete"] == deleteData && props["Existing"] == "false"
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, d.deleteContents(ctx, &c, event)
	}
	switch {
	case props["DataOnDelete"] != retainData && props["DataOnDelete"] != deleteData:
		return c.bucket, nil, fmt.Errorf("property DataOnDelete is %q, want %s or %s", props["DataOnDelete"], retainData, deleteData)
	case props["Existing"] != "true" && props["Existing"] != "false":
		return c.bucket, nil, fmt.Errorf("property Existing is %q, want true or false", props["Existing"])
	case c.existing && props["DataOnDelete"] == deleteData:
		return c.bucket, nil, fmt.Errorf("bucket %s existed before the stack, so its data cannot be deleted with the stack: set DataOnDelete to %s, or leave ExistingBucket empty", c.bucket, retainData)
	}
	if c.existing {
		if err := c.reach(ctx); err != nil {
			return c.bucket, nil, err
		}
	}
	bucket := arn.ARN{Partition: id.Partition, Service: "s3", Resource: c.bucket}
	return c.bucket, map[string]any{"Arn": bucket.String()}, c.ledger.ClaimFor(ctx, c.stack)
}

// deleteContents deletes what is to be deleted with the stack.
//
// CloudFormation also asks for it in an update: to clean up a bucket that was replaced, with its former properties, or
// a resource that is no longer in the template. DataOnDelete does not cover these, so nothing is deleted unless the
// stack itself is.
func (d *Deployer) deleteContents(ctx context.Context, c *contents, event cfn.Event) error {
	const purpose = "find out whether the stack is being deleted: describe stack"
	out, err := d.Stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &event.StackID})
	if err != nil {
		return fmt.Errorf("%s %s: %w", purpose, event.StackID, err)
	}
	if len(out.Stacks) != 1 {
		return fmt.Errorf("%s %s: got %d stacks", purpose, event.StackID, len(out.Stacks))
	}
	switch status := out.Stacks[0].StackStatus; status {
	case cfntypes.StackStatusDeleteInProgress:
		return c.delete(ctx, c.deleting)
	case cfntypes.StackStatusRollbackInProgress:
		// The creation of the stack failed: CloudFormation deletes the bucket that it has made for it.
		return c.delete(ctx, false)
	default:
		c.log.InfoContext(ctx, "the contents are retained, since the stack stays", "status", status)
		return nil
	}
}

type contents struct {
	bucket   string
	stack    ledger.Stack
	existing bool // the bucket existed before the stack
	deleting bool // the data is deleted with the stack
	calls    objects
	ledger   Ledger
	log      *slog.Logger
}

// reach checks that a bucket of the user's own can be used.
func (c *contents) reach(ctx context.Context) error {
	out, err := c.calls.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &c.bucket, ExpectedBucketOwner: &c.stack.Account})
	var region string
	var status int
	if err == nil {
		region = aws.ToString(out.BucketRegion)
	}
	if answer := (*smithyhttp.ResponseError)(nil); errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
		region = answer.Response.Header.Get("X-Amz-Bucket-Region") // S3 also sets it when it denies access
	}
	switch {
	case region != "" && region != c.stack.Region:
		return fmt.Errorf("bucket %s is in region %s and the stack in %s: use a bucket of the stack's region", c.bucket, region, c.stack.Region)
	case status == http.StatusNotFound:
		return fmt.Errorf("there is no bucket %s: create it, or leave ExistingBucket empty for a new one", c.bucket)
	case status == http.StatusForbidden:
		return fmt.Errorf("bucket %s is not this account's (%s), or its policy denies the deployer's role: use another bucket, or allow it: %w", c.bucket, c.stack.Account, err)
	case err != nil:
		return fmt.Errorf("head bucket %s: %w", c.bucket, err)
	}
	return nil
}

// delete deletes everything, or only what is not data. It succeeds if the bucket is gone.
func (c *contents) delete(ctx context.Context, bucketToo bool) error {
	claimed, err := c.ledger.ClaimedFor(ctx)
	switch {
	case isCode(err, "NoSuchBucket"):
		return nil
	case err != nil:
		return err
	case claimed != nil && !claimed.Same(c.stack):
		// The claim failed: nothing here belongs to the stack.
		c.log.WarnContext(ctx, "nothing is deleted: the bucket is claimed for another stack", "stack", claimed.String())
		return nil
	case claimed == nil && c.existing:
		c.log.WarnContext(ctx, "nothing is deleted: the bucket is not claimed for the stack")
		return nil
	}
	if c.deleting {
		err = c.deleteAll(ctx, bucketToo)
	} else {
		err = c.retain(ctx)
	}
	if isCode(err, "NoSuchBucket") {
		return nil
	}
	return err
}

// retain keeps the data. It deletes the JARs, because each is also in the package that it came from. It empties a
// bucket of the stack's own that has no data, because CloudFormation cannot delete the bucket of a stack whose
// creation failed while it has a version or a delete marker.
func (c *contents) retain(ctx context.Context) error {
	if err := c.purge(ctx, CodePrefix, codeKey.MatchString); err != nil || c.existing {
		return err
	}
	var data string
	bookkeeping := func(key string) bool {
		return key == ledger.StackKey || key == ledger.CurrentKey || strings.HasPrefix(key, ledger.PipelinesPrefix)
	}
	err := c.versions(ctx, "", func(page []version) (more bool, err error) {
		for _, v := range page {
			if !bookkeeping(v.key) {
				data = v.key
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if data != "" {
		c.log.InfoContext(ctx, "the data is retained", "first", data)
		return nil
	}
	// The claim is deleted last, so that a deletion that broke off can be told from another stack's bucket.
	for _, key := range []string{ledger.CurrentKey, ledger.PipelinesPrefix} {
		if err := c.purge(ctx, key, bookkeeping); err != nil {
			return err
		}
	}
	return c.purge(ctx, ledger.StackKey, bookkeeping)
}

// deleteAll deletes everything. If it breaks off, the next request resumes from there.
func (c *contents) deleteAll(ctx context.Context, bucketToo bool) error {
	work, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, deadline.Add(-countTime))
	}
	defer cancel()
	err := c.tryDeleteAll(work, bucketToo)
	if err == nil || work.Err() == nil {
		return err
	}
	c.log.WarnContext(ctx, "the time is over", "error", err)
	left, atLeast := 0, ""
	if c.versions(ctx, "", func(page []version) (bool, error) { left += len(page); return true, nil }) != nil {
		atLeast = "at least "
	}
	return fmt.Errorf("the function's time is over, and %s%d object versions are left in s3://%s: delete the stack again, which resumes from here",
		atLeast, left, c.bucket)
}

func (c *contents) tryDeleteAll(ctx context.Context, bucketToo bool) error {
	for {
		// The claim is deleted last, as in retain.
		for _, claim := range []bool{false, true} {
			prefix := ""
			if claim {
				prefix = ledger.StackKey
			}
			if err := c.purge(ctx, prefix, func(key string) bool { return (key == ledger.StackKey) == claim }); err != nil {
				return err
			}
		}
		if !bucketToo {
			return nil
		}
		_, err := c.calls.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &c.bucket})
		if err == nil {
			return nil
		}
		// Something was written since the listing: a delivery stream delivers what it held when it was deleted.
		if !isCode(err, "BucketNotEmpty") {
			return fmt.Errorf("delete bucket %s: %w", c.bucket, err)
		}
		c.log.InfoContext(ctx, "not empty yet", "error", err)
		if err := sleep(ctx, emptyPause); err != nil {
			return err
		}
	}
}

// isCode reports whether an error is an answer of AWS with this code.
func isCode(err error, code string) bool {
	api := smithy.APIError(nil)
	return errors.As(err, &api) && api.ErrorCode() == code
}
