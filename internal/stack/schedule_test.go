package stack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/stack"
)

// scheduled stands in for CloudFormation, EventBridge Scheduler and Managed Flink.
type scheduled struct {
	t          *testing.T
	schedule   map[string]any
	updates    []map[string]any
	statuses   []string // of the application, the last of them for good
	calls      []string
	parameters string // XML
	refuse     int    // so many calls that change the application
}

// Do answers in this process, so that time can stand still.
func (s *scheduled) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			s.t.Error(err)
		}
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/schedules/"):
		s.answer(w, s.schedule)
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/schedules/"):
		var update map[string]any
		if err := json.Unmarshal(body, &update); err != nil {
			s.t.Error(err)
		}
		s.updates = append(s.updates, update)
		s.schedule["State"] = update["State"]
		s.answer(w, map[string]any{"ScheduleArn": "arn"})
	case strings.HasSuffix(target, ".DescribeApplication"):
		status := s.statuses[0]
		if len(s.statuses) > 1 {
			s.statuses = s.statuses[1:]
		}
		s.answer(w, map[string]any{"ApplicationDetail": map[string]any{"ApplicationStatus": status, "ApplicationVersionId": 3}})
	case target != "":
		_, call, _ := strings.Cut(target, ".")
		s.calls = append(s.calls, call+" "+string(body))
		if s.refuse--; s.refuse >= 0 {
			w.WriteHeader(http.StatusBadRequest)
			s.answer(w, map[string]any{"__type": "ResourceInUseException", "message": "busy"})
			break
		}
		s.answer(w, map[string]any{})
	default:
		var members strings.Builder
		for _, o := range strings.Fields(outputs) {
			key, value, _ := strings.Cut(o, "=")
			fmt.Fprintf(&members, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
		}
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>streamproof</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>%s</Outputs><Parameters>%s</Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, members.String(), s.parameters)
	}
	return w.Result(), nil
}

func (s *scheduled) answer(w io.Writer, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.t.Error(err)
	}
}

func (s *scheduled) open() *stack.Stack {
	s.t.Helper()
	opened, err := stack.Open(s.t.Context(), aws.Config{
		Region: "eu-west-1", HTTPClient: s, BaseEndpoint: aws.String("http://127.0.0.1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}, "streamproof")
	if err != nil {
		s.t.Fatal(err)
	}
	return opened
}

func TestInterval(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour, "rate(36 hours)": 36 * time.Hour, "rate(2 days)": 48 * time.Hour,
		"rate(0 minutes)": 0, "rate(-1 hours)": 0, "rate(1 week)": 0, "rate(5)": 0, "rate(5 minutes": 0, "cron(0 * * * ? *)": 0, "at(2026-11-23T20:00:00)": 0, "": 0,
	} {
		got, ok := stack.Schedule{Expression: expression}.Interval()
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%s: got %s, %t, want %s", expression, got, ok, want)
		}
	}
}

// TestEnableSchedule: everything of the schedule but its state is given again, since what is not would be lost.
func TestEnableSchedule(t *testing.T) {
	t.Parallel()
	whole := map[string]any{
		"ActionAfterCompletion": "NONE", "Description": "ticks", "EndDate": 2e9, "StartDate": 1e9,
		"FlexibleTimeWindow": map[string]any{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5.0},
		"GroupName":          "default", "KmsKeyArn": "arn:key", "ScheduleExpression": "rate(1 minute)", "ScheduleExpressionTimezone": "UTC",
		"State": "ENABLED",
		"Target": map[string]any{
			"Arn": "arn:producer", "RoleArn": "arn:role", "Input": `{"scheduledTime": "<aws.scheduler.scheduled-time>"}`,
			"DeadLetterConfig": map[string]any{"Arn": "arn:queue"},
			"RetryPolicy":      map[string]any{"MaximumEventAgeInSeconds": 300.0, "MaximumRetryAttempts": 5.0},
		},
	}
	service := &scheduled{t: t, schedule: map[string]any{"Name": "t", "Arn": "arn:schedule", "LastModificationDate": 1.5e9}}
	for key, value := range whole {
		service.schedule[key] = value
	}
	s := service.open()
	for _, test := range []struct {
		enable, changed bool
		state           string
	}{{true, false, "ENABLED"}, {false, true, "DISABLED"}, {false, false, "DISABLED"}, {true, true, "ENABLED"}} {
		changed, err := s.EnableSchedule(t.Context(), test.enable)
		if err != nil || changed != test.changed {
			t.Errorf("enable %t: got %t, %v, want %t", test.enable, changed, err, test.changed)
		}
		got, err := s.Schedule(t.Context())
		want := stack.Schedule{Name: "t", Expression: "rate(1 minute)", State: test.state, Changed: time.Unix(1.5e9, 0).UTC()}
		if err != nil || got != want || got.Enabled() != test.enable {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if len(service.updates) != 2 {
		t.Fatalf("got %d updates, want 2", len(service.updates))
	}
	for i, state := range []string{"DISABLED", "ENABLED"} {
		got := service.updates[i]
		delete(got, "ClientToken")
		whole["State"] = state
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("update to %s (-want +got):\n%s", state, diff)
		}
	}
	if s.DeployedQuiet() {
		t.Error("a stack without ScheduleState is not a quiet one")
	}
	service.parameters = `<member><ParameterKey>ScheduleState</ParameterKey><ParameterValue>DISABLED</ParameterValue></member>`
	if !service.open().DeployedQuiet() {
		t.Error("want a quiet stack where ScheduleState is DISABLED")
	}
}
