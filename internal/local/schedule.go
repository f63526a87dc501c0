package local

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// beginSchedule sends the first tick of the producer's new schedule. EventBridge Scheduler begins a rate that has no
// StartDate at once (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based), whereas
// the emulator waits for the first interval to pass. Both invoke the function asynchronously.
func (s *Stack) beginSchedule(ctx context.Context) error {
	if !s.Outputs.Produces() {
		return nil
	}
	name := s.Outputs.ProducerSchedule
	schedule, err := scheduler.NewFromConfig(s.AWS).GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name})
	if err != nil {
		return fmt.Errorf("describe schedule %s: %w", name, err)
	}
	if schedule.State != schedulertypes.ScheduleStateEnabled || !strings.HasPrefix(aws.ToString(schedule.ScheduleExpression), "rate(") {
		return nil
	}
	input := strings.ReplaceAll(aws.ToString(schedule.Target.Input), "<aws.scheduler.scheduled-time>", time.Now().UTC().Format(time.RFC3339))
	_, err = lambda.NewFromConfig(s.AWS).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: schedule.Target.Arn, InvocationType: lambdatypes.InvocationTypeEvent, Payload: []byte(input),
	})
	if err != nil {
		return fmt.Errorf("invoke the target of schedule %s: %w", name, err)
	}
	return nil
}
