package deployer

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// longestWait bounds the wait that a template may ask for.
const longestWait = time.Minute

// roles answers for Custom::KnownRoles: it waits, because IAM does not make a new role known everywhere at once.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
//
// The roles themselves are not read. They are a property so that CloudFormation creates them first, and asks again
// when one is replaced.
func (d *Deployer) roles(ctx context.Context, event cfn.Event) (string, error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil
	}
	props, err := properties(event, "Seconds")
	if err != nil {
		return "", err
	}
	seconds, err := strconv.Atoi(props["Seconds"])
	wait := time.Duration(seconds) * time.Second
	if err != nil || wait < 0 || wait > longestWait {
		return "", fmt.Errorf("property Seconds is %q, want 0 to %.0f", props["Seconds"], longestWait.Seconds())
	}
	return event.StackID + "/" + event.LogicalResourceID, sleep(ctx, wait)
}
