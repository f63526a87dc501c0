package deployer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// PositionType is the custom resource that fixes from where on an existing stream is read.
const PositionType = "Custom::StreamPosition"

// Positions of a stream, as the parameter StartPosition has them.
const (
	fromNow     = "NOW"
	fromHorizon = "TRIM_HORIZON"
)

// startAhead is by how much NOW is before the call: Kinesis' clock may be behind this machine's.
const startAhead = 5 * time.Second

// position answers for Custom::StreamPosition with where reading starts: TRIM_HORIZON or a time. NOW becomes the time
// of the request, once: later deploys with the same stream and the same position do not ask again, so that the
// application and the verifier keep it. The physical id is the answer.
func (d *Deployer) position(_ context.Context, event cfn.Event) (string, map[string]any, error) {
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, nil
	}
	props, err := properties(event, "StreamArn", "Start")
	if err != nil {
		return "", nil, err
	}
	if own, other := place(event.StackID), place(props["StreamArn"]); own != other {
		return "", nil, fmt.Errorf("stream %s is not in this stack's account and region (%s): a stream of another account or region cannot be read", props["StreamArn"], own)
	}
	start := props["Start"]
	switch start {
	case fromHorizon:
	case fromNow:
		start = time.Now().Add(-startAhead).UTC().Format(time.RFC3339)
	default:
		at, err := time.Parse(time.RFC3339, start)
		if err != nil || at.Location() != time.UTC {
			return "", nil, fmt.Errorf("StartPosition is %q, want %s, %s or a time in UTC such as 2026-11-29T10:00:00Z", start, fromNow, fromHorizon)
		}
		if at.After(time.Now()) {
			return "", nil, fmt.Errorf("StartPosition is %s, which is not over yet: want a time that the stream has records of", start)
		}
	}
	return start + " of " + props["StreamArn"], map[string]any{"Start": start}, nil
}

func place(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[3] + ":" + parts[4]
}
