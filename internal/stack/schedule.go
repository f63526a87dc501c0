package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// A Schedule is the state of the producer's schedule. The verifier has one of its own.
type Schedule struct {
	Name       string    `json:"name"`
	Expression string    `json:"expression"`
	State      string    `json:"state"`   // ENABLED or DISABLED
	Changed    time.Time `json:"changed"` // when it was last changed
}

// Enabled reports whether the schedule produces ticks.
func (s Schedule) Enabled() bool { return s.State == string(schedulertypes.ScheduleStateEnabled) }

// Interval returns the time from one tick to the next, if the schedule is a rate.
func (s Schedule) Interval() (interval time.Duration, ok bool) {
	var n int64
	var unit string
	if _, err := fmt.Sscanf(s.Expression, "rate(%d %s", &n, &unit); err != nil {
		return 0, false
	}
	for name, one := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour} {
		if unit == name+")" || unit == name+"s)" {
			return time.Duration(n) * one, n > 0
		}
	}
	return 0, false
}

// Schedule describes the producer's schedule. It is empty if the stack has no producer.
func (s *Stack) Schedule(ctx context.Context) (Schedule, error) {
	if !s.Outputs.Produces() {
		return Schedule{}, nil
	}
	got, err := s.getSchedule(ctx)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{
		Name: s.Outputs.ProducerSchedule, Expression: aws.ToString(got.ScheduleExpression), State: string(got.State),
		Changed: aws.ToTime(got.LastModificationDate).UTC(),
	}, nil
}

func (s *Stack) getSchedule(ctx context.Context) (*scheduler.GetScheduleOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &s.Outputs.ProducerSchedule})
	if err != nil {
		return nil, fmt.Errorf("describe schedule %s: %w", s.Outputs.ProducerSchedule, err)
	}
	return got, nil
}

// EnableSchedule enables or disables the producer's schedule, and reports whether that changed it. It needs
// scheduler:GetSchedule, scheduler:UpdateSchedule and iam:PassRole for the schedule's role. A stack without a producer
// has no schedule to change.
func (s *Stack) EnableSchedule(ctx context.Context, enable bool) (changed bool, err error) {
	if !s.Outputs.Produces() {
		return false, nil
	}
	got, err := s.getSchedule(ctx)
	if err != nil {
		return false, err
	}
	state := schedulertypes.ScheduleStateDisabled
	if enable {
		state = schedulertypes.ScheduleStateEnabled
	}
	if got.State == state {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// UpdateSchedule replaces everything: what is left out falls back to its default.
	// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
	_, err = s.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name:                       got.Name,
		GroupName:                  got.GroupName,
		Description:                got.Description,
		State:                      state,
		ScheduleExpression:         got.ScheduleExpression,
		ScheduleExpressionTimezone: got.ScheduleExpressionTimezone,
		StartDate:                  got.StartDate,
		EndDate:                    got.EndDate,
		FlexibleTimeWindow:         got.FlexibleTimeWindow,
		ActionAfterCompletion:      got.ActionAfterCompletion,
		KmsKeyArn:                  got.KmsKeyArn,
		Target:                     got.Target, // with its Input, RetryPolicy, DeadLetterConfig and RoleArn
	})
	if err != nil {
		return false, fmt.Errorf("set schedule %s to %s: %w", s.Outputs.ProducerSchedule, state, err)
	}
	return true, nil
}

// DeployedQuiet reports whether the stack was deployed with its schedules disabled (parameter ScheduleState).
func (s *Stack) DeployedQuiet() bool {
	return s.parameters["ScheduleState"] == string(schedulertypes.ScheduleStateDisabled)
}
