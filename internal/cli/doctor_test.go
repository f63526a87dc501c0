package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"streamproof/internal/golden"
)

// runDoctor runs the command over the project's own template, without credentials.
func runDoctor(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := newEnv(&out, &errs)
	e.loadAWS = func(context.Context, string) (aws.Config, error) {
		return aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no \x1b[2Jprofile")
		})}, nil
	}
	status = e.run(t.Context(), append([]string{"doctor", "--project", "../.."}, args...))
	return status, out.String(), errs.String()
}

func TestDoctorAccount(t *testing.T) {
	status, out, _ := runDoctor(t, "--region", "eu-west-1")
	if status != exitUsage { // there are no credentials
		t.Errorf("got exit status %d, want %d", status, exitUsage)
	}
	golden.Check(t, "testdata/doctor.txt", out)

	_, out, _ = runDoctor(t, "--region", "eu-west-1", "--json", "--set", "Parallelism=4")
	var d diagnosis
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if d.Result != "fault" || len(d.Checks) != 1 || d.Cost == nil || d.Cost.Month < 490 || len(d.Cost.Parts) < 10 {
		t.Errorf("got %+v, want a fault, and the cost of five processing units", d)
	}
}

func TestDoctorUsage(t *testing.T) {
	status, _, errs := runDoctor(t, "--region", "eu-west-1", "--set", "Transform=XML")
	if status != exitUsage || !strings.Contains(errs, "Transform") {
		t.Errorf("got %d %q, want the wrong parameter", status, errs)
	}
}

func TestDoctorMachine(t *testing.T) {
	_, out, errs := runDoctor(t, "--state-dir", t.TempDir())
	for _, want := range []string{"system: linux", " tools: ", " ports: ", " memory: ", " disk: "} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q %q, want %q in it", out, errs, want)
		}
	}
	if strings.Contains(out, "US dollars") {
		t.Errorf("got a cost, of a stack that costs nothing: %q", out)
	}
}
