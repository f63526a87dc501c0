package stack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"streamproof/internal/application"
	"streamproof/internal/proof"
	"streamproof/internal/stack"
)

const outputs = `BucketName=b StreamName=s DeliveryStreamName=d ApplicationName=a ProducerFunction=p ProducerSchedule=t VerifierFunction=v DataPrefix=data/ ErrorsPrefix=errors/ FailedPrefix=failed/ DeliveryDeadlineSeconds=60`

// service stands in for CloudFormation and Lambda.
func service(t *testing.T, outputs string, invoke http.HandlerFunc) aws.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/invocations") {
			invoke(w, r)
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		switch {
		case r.Form.Get("Action") == "DescribeStackEvents":
			event := func(id, status, reason string) string {
				return fmt.Sprintf(`<member><StackId>S</StackId><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason></member>`, id, id, status, reason)
			}
			fmt.Fprintf(w, `<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents>%s</StackEvents></DescribeStackEventsResult></DescribeStackEventsResponse>`,
				event("S", "ROLLBACK_COMPLETE", "")+event("Second", "CREATE_FAILED", "cancelled")+event("First", "CREATE_FAILED", "no permission")+
					event("S", "CREATE_IN_PROGRESS", "")+event("Old", "CREATE_FAILED", "of an earlier operation"))
		case r.Form.Get("StackName") != "streamproof":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id %s does not exist.</Message></Error></ErrorResponse>`, r.Form.Get("StackName"))
		default:
			var members strings.Builder
			for _, o := range strings.Fields(outputs) {
				key, value, _ := strings.Cut(o, "=")
				fmt.Fprintf(&members, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
			}
			fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>streamproof</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, members.String())
		}
	}))
	t.Cleanup(server.Close)
	return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	s, err := stack.Open(t.Context(), service(t, outputs, nil), "streamproof")
	if err != nil {
		t.Fatal(err)
	}
	want := stack.Outputs{
		BucketName: "b", StreamName: "s", DeliveryStreamName: "d", ApplicationName: "a", ProducerFunction: "p", ProducerSchedule: "t", VerifierFunction: "v",
		DataPrefix: "data/", ErrorsPrefix: "errors/", FailedPrefix: "failed/", DeliveryDeadline: time.Minute,
	}
	if s.Outputs != want || s.State != "CREATE_COMPLETE" {
		t.Errorf("got %+v, %s, want %+v", s.Outputs, s.State, want)
	}
	for name, test := range map[string]struct{ stack, outputs, want string }{
		"no such stack": {"other", outputs, "Stack with id other does not exist: deploy it first"},
		"other outputs": {"streamproof", "BucketName=b StreamName=s", "lacks the outputs VerifierFunction, DeliveryDeadlineSeconds, DeliveryStreamName, ApplicationName, DataPrefix, ErrorsPrefix, FailedPrefix, ProducerFunction, ProducerSchedule"},
		"no number":     {"streamproof", strings.Replace(outputs, "=60", "=soon", 1), `DeliveryDeadlineSeconds is "soon"`},
	} {
		_, err := stack.Open(t.Context(), service(t, test.outputs, nil), test.stack)
		if !errors.Is(err, stack.ErrNotUsable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// TestOpenOthers: a stack that reads an existing stream has no producer, and one that only watches has a verifier
// alone.
func TestOpenOthers(t *testing.T) {
	t.Parallel()
	existing := strings.NewReplacer("ProducerFunction=p", "StartPosition=TRIM_HORIZON", "ProducerSchedule=t", "").Replace(outputs)
	s, err := stack.Open(t.Context(), service(t, existing, nil), "streamproof")
	if err != nil || s.Outputs.Produces() || s.Outputs.StartPosition != "TRIM_HORIZON" {
		t.Fatalf("got %+v, %v", s, err)
	}
	if _, _, err := s.Produce(t.Context(), time.Now(), 1, 0); !errors.Is(err, stack.ErrNotUsable) {
		t.Errorf("produce: got %v", err)
	}
	if schedule, err := s.Schedule(t.Context()); err != nil || schedule != (stack.Schedule{}) {
		t.Errorf("got %+v, %v, want no schedule", schedule, err)
	}
	const watching = "BucketName=b StreamName=s VerifierFunction=v DeliveryDeadlineSeconds=60 Audits=s3://lake/orders/"
	if s, err = stack.Open(t.Context(), service(t, watching, nil), "streamproof"); err != nil || s.Outputs.Produces() {
		t.Fatalf("got %+v, %v", s, err)
	}
	if _, err := s.StopApplication(t.Context(), false); !errors.Is(err, stack.ErrNotUsable) {
		t.Errorf("stop: got %v", err)
	}
	if _, err := s.StartApplication(t.Context(), application.From{}); !errors.Is(err, stack.ErrNotUsable) {
		t.Errorf("start: got %v", err)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	var event map[string]any
	answer, failure := "", ""
	s, err := stack.Open(t.Context(), service(t, outputs, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		event = nil
		if err := json.Unmarshal(body, &event); err != nil {
			t.Error(err)
		}
		if failure != "" {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			answer = failure
		}
		_, _ = io.WriteString(w, answer)
	}), "streamproof")
	if err != nil {
		t.Fatal(err)
	}
	tick := time.Date(2026, 1, 2, 4, 4, 5, 6e6, time.FixedZone("", 3600))
	answer = `{"tick":"2026-01-02T03:04:05.006Z","state":"complete","records":5,"acknowledged":5}`
	got, raw, err := s.Produce(t.Context(), tick, 5, 2)
	if err != nil || got.Acknowledged != 5 || !got.Tick.Equal(tick) || string(raw) != answer {
		t.Errorf("got %+v, %s, %v", got, raw, err)
	}
	if len(event) != 3 || event["records"] != 5.0 || event["poison"] != 2.0 || event["tick"] != "2026-01-02T03:04:05.006Z" {
		t.Errorf("the producer was given %v", event)
	}
	answer = `{"state":"complete"}`
	if _, _, err := s.ProduceBy(t.Context(), tick, 5, 0, "VendorID"); err != nil || event["partitionKey"] != "VendorID" {
		t.Errorf("the producer was given %v, %v, want the partition key", event, err)
	}
	answer = `{"version":1,"verdict":"NOT PROVEN","counts":{"missing":1}}`
	r, _, err := s.Verify(t.Context())
	if err != nil || r.Verdict != proof.NotProven || r.Counts.Missing != 1 || len(event) != 0 {
		t.Errorf("got %+v, %v for %v", r, err, event)
	}
	answer = `nonsense`
	if _, _, err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "read the answer of v") {
		t.Errorf("got %v, want an error: an answer that cannot be read is no verdict", err)
	}
	failure = `{"errorMessage":"no bucket","errorType":"x"}`
	if _, _, err := s.Verify(t.Context()); err == nil || err.Error() != "v failed: no bucket" {
		t.Errorf("got %v, want the function's own message", err)
	}
	failure = `killed`
	if _, _, err := s.Verify(t.Context()); err == nil || err.Error() != "v failed: killed" {
		t.Errorf("got %v, want what the function said", err)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	if got, want := stack.Failure(t.Context(), service(t, outputs, nil), "streamproof"), "First: no permission"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
