//go:build e2e

package e2e_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/analytics"
	"streamproof/internal/cli"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
)

// TestSickJob operates an application whose job keeps failing. To the service it is RUNNING, but every stop with a
// snapshot and every update is refused. It is updated, rolled back, paused, resumed and deleted all the same, and
// nothing is lost.
func TestSickJob(t *testing.T) {
	inTurn(t, 240*time.Second)
	const set = "no schedule, warnings"
	s := startWith(t, set)
	built := filepath.Join("..", ".aws-sam", "local")
	produce(t, s, time.Now(), 300)
	provenSoFar(t, s)

	t.Run("code that does not start", func(t *testing.T) {
		dir := copied(t, built)
		jar := filepath.Join(dir, "DeployerFunction", "streamproof-analytics.jar")
		withoutManifest(t, filepath.Join(built, "DeployerFunction", "streamproof-analytics.jar"), jar)
		rolledBack(t, s, dir, set, "did not start", "manifest")
	})
	t.Run("code that keeps failing", func(t *testing.T) {
		dir := copied(t, built)
		jar := filepath.Join(dir, "DeployerFunction", "streamproof-analytics.jar")
		withoutEntry(t, filepath.Join(built, "DeployerFunction", "streamproof-analytics.jar"), jar, asyncClient)
		rolledBack(t, s, dir, set, "its job keeps failing", "DefaultFirehoseAsyncClient", "stopped by force", "goes back to its last snapshot")
	})
	t.Run("paused and resumed", func(t *testing.T) {
		fallSick(t, s)
		refuses(t, s)
		operateWith(t, s, []string{"pause", "--force"}, "DISABLED", "READY", "without a snapshot", "Failed to take snapshot", "what was delivered since then is delivered twice")
		var stderr bytes.Buffer
		status := cli.Run(t.Context(), []string{"resume", "--state-dir", s.StateDir()}, &bytes.Buffer{}, &stderr)
		t.Logf("resumed:\n%s", stderr.String())
		if status == 0 || !strings.Contains(stderr.String(), "its job keeps failing") || !strings.Contains(stderr.String(), "not authorized to perform: kinesis:") {
			t.Errorf("resumed with exit status %d, want it to fail and to say why", status)
		}
	})
	t.Run("updated", func(t *testing.T) {
		refuses(t, s)
		update(t, s, "no schedule, warnings, packed longer") // CloudFormation's update removes what was set by hand
		await(t, "the job runs", func() bool { return job(t, s).State == runner.Running })
		operateWith(t, s, []string{"pause"}, "DISABLED", "READY", "with a snapshot")
		operateWith(t, s, []string{"resume"}, "DISABLED", "RUNNING", "runs, from its latest snapshot")
	})
	t.Run("nothing is lost", func(t *testing.T) {
		r := settle(t, s)
		t.Log(r.LastLine())
		if c := r.Counts; c.Owed == 0 || !c.AllFound() || c.Missing+c.Corrupt+c.Leaked+c.Unexpected > 0 {
			t.Errorf("want everything delivered and at most duplicates, got %s %v", r.LastLine(), r.Reasons)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		fallSick(t, s)
		if err := samOf(s, built, s.Name, nil).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := named(t, s, s.Name); len(left) != 1 || left[0] != "bucket "+s.Outputs.BucketName {
			t.Errorf("want the bucket left and nothing else, got %s", left)
		}
	})
}

// rolledBack deploys a build that must fail and say why, and checks that the previous version runs again.
func rolledBack(t *testing.T, s *local.Stack, built, set string, reasons ...string) {
	t.Helper()
	began := time.Now()
	err := tryDeploy(t, s, built, s.Name, set)
	if err == nil {
		t.Fatal("it was deployed")
	}
	t.Logf("%s: %v", time.Since(began).Round(time.Second), err)
	for _, reason := range reasons {
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %q in it", err, reason)
		}
	}
	if state := stateOf(t, s, s.Name); state != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("the stack is %s", state)
	}
	if status := application(t, s); status != "RUNNING" {
		t.Errorf("the application is %s", status)
	}
	await(t, "the job runs", func() bool { return job(t, s).State == runner.Running })
	if job(t, s).RestoredFrom == "" {
		t.Error("the job runs without the state of the version before")
	}
}

func application(t *testing.T, s *local.Stack) string {
	t.Helper()
	app, err := s.Application(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return app.Status
}

// refuses checks that the service refuses a stop with a snapshot of a job that is down. It does so at any moment: such
// a job fails again before all its tasks run.
func refuses(t *testing.T, s *local.Stack) {
	t.Helper()
	_, err := kinesisanalyticsv2.NewFromConfig(s.AWS).StopApplication(t.Context(), &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &s.Outputs.ApplicationName})
	if err == nil || !strings.Contains(err.Error(), "InvalidApplicationConfigurationException: Failed to take snapshot") {
		t.Errorf("stop with a snapshot: got %v, want it refused", err)
	}
}

// asyncClient is a class that planning the job does not need, and every delivering task needs to start.
const asyncClient = "software/amazon/awssdk/services/firehose/DefaultFirehoseAsyncClient.class"

// fallSick gives the application, by hand, a stream that its role may not read, so its job restarts again and again.
func fallSick(t *testing.T, s *local.Stack) {
	t.Helper()
	client := kinesisanalyticsv2.NewFromConfig(s.AWS)
	out, err := client.DescribeApplication(t.Context(), &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &s.Outputs.ApplicationName})
	if err != nil {
		t.Fatal(err)
	}
	app := out.ApplicationDetail
	groups := analytics.Described(app)
	for _, g := range groups {
		if arn, ok := g.PropertyMap["stream.arn"]; ok {
			g.PropertyMap["stream.arn"] = arn + "-of-somebody-else"
		}
	}
	if _, err := client.UpdateApplication(t.Context(), &kinesisanalyticsv2.UpdateApplicationInput{
		ApplicationName: app.ApplicationName, CurrentApplicationVersionId: app.ApplicationVersionId,
		ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{EnvironmentPropertyUpdates: &types.EnvironmentPropertyUpdates{PropertyGroups: groups}},
	}); err != nil {
		t.Fatal(err)
	}
	produce(t, s, time.Now(), 300)
	await(t, "the job is down", func() bool {
		now := job(t, s)
		return now.Version > *app.ApplicationVersionId && now.Metrics["fullRestarts"] >= 3 && now.RunsSince == nil
	})
	if status := application(t, s); status != "RUNNING" {
		t.Errorf("the application is %s, want RUNNING: that says nothing of its job", status)
	}
}

// operateWith is operate with arguments.
func operateWith(t *testing.T, s *local.Stack, args []string, schedule, application string, did ...string) (o operation) {
	t.Helper()
	commandWith(t, s, args, &o)
	t.Logf("%s", strings.Join(o.Did, "\n"))
	if o.Schedule.State != schedule || o.Application.Status != application {
		t.Errorf("%s: the schedule is %s and the application %s, want %s and %s", args, o.Schedule.State, o.Application.Status, schedule, application)
	}
	for _, want := range did {
		if !strings.Contains(strings.Join(o.Did, "\n"), want) {
			t.Errorf("%s: got %q, want %q in it", args, o.Did, want)
		}
	}
	return o
}
