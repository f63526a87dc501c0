//go:build lint

package lint

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// resource is one of a stack's, after the SAM transform, with every intrinsic function resolved.
type resource struct {
	Type       string
	Properties map[string]any
}

// A job is what template.py checks: a template, with each sample of parameters.
type job struct {
	Template string                       `json:"template"`
	Samples  map[string]map[string]string `json:"samples"`
}

// An answer is what template.py says of a job.
type answer struct {
	// Resources are by sample and logical id.
	Resources map[string]map[string]resource `json:"resources"`
	// Conditions say whether each holds, by sample.
	Conditions map[string]map[string]bool `json:"conditions"`
	Findings   []string                   `json:"findings"`
}

// check runs template.py.
func check(t *testing.T, jobs ...job) (answers []answer) {
	t.Helper()
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), "../.lint/bin/python", "template.py")
	python.Env = append(os.Environ(), "AWS_DEFAULT_REGION=eu-west-1") // which the SAM transform asks for
	python.Stdin = bytes.NewReader(in)
	var faults bytes.Buffer
	python.Stderr = &faults
	out, err := python.Output()
	if err != nil {
		t.Fatalf("%v (make lint installs what it needs)\n%s", err, faults.String())
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// template reads a template.
func template(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTemplate: nothing is found in the template, and each role may make each call that is made with it.
func TestTemplate(t *testing.T) {
	t.Parallel()
	all, err := Parameters("..")
	if err != nil {
		t.Fatal(err)
	}
	stacks := sound(t, "template.yaml", all)
	t.Run("permissions", func(t *testing.T) { permissions(t, stacks.Resources, all) })
	for _, sample := range []string{"production with a key", "existing stream with a key"} {
		t.Run("permissions are asked: "+sample, func(t *testing.T) {
			permissionsAreAsked(t, stacks.Resources[sample], needs(stacks.Resources[sample], all[sample]))
		})
	}
}

// TestAuditTemplate: the same of the template of an audit. Its verifier has the calls that it makes in an audit.
func TestAuditTemplate(t *testing.T) {
	t.Parallel()
	all, err := AuditParameters()
	if err != nil {
		t.Fatal(err)
	}
	stacks := sound(t, "audit.yaml", all)
	needed := map[string][]permission{}
	for sample, stack := range stacks.Resources {
		needed[sample] = auditNeeds(stack, all[sample])
	}
	allowed(t, stacks.Resources, needed)
	const sample = "with keys, as an account's rules ask"
	permissionsAreAsked(t, stacks.Resources[sample], needed[sample])
}

// sound checks a template with sets of parameters, which turn each of its conditions both ways.
func sound(t *testing.T, name string, sets map[string]map[string]string) answer {
	t.Helper()
	stacks := check(t, job{template(t, name), sets})[0]
	for _, finding := range stacks.Findings {
		t.Error(finding)
	}
	if len(stacks.Resources) != len(sets) {
		t.Errorf("%d of %d samples were checked", len(stacks.Resources), len(sets))
	}
	turned := map[string]map[bool]bool{}
	for _, conditions := range stacks.Conditions {
		for name, holds := range conditions {
			if turned[name] == nil {
				turned[name] = map[bool]bool{}
			}
			turned[name][holds] = true
		}
	}
	for name, ways := range turned {
		if len(ways) != 2 {
			t.Errorf("condition %s is %v in every sample: add one to parameters.yaml", name, ways)
		}
	}
	return stacks
}

// TestValidators: each of them finds a fault that the others do not, which is why it is one of them.
func TestValidators(t *testing.T) {
	t.Parallel()
	text := template(t, "template.yaml")
	faults := []struct{ by, fault, old, new string }{
		{"cfn-lint", "an action that AWS does not have", "Action: kinesis:PutRecords", "Action: kinesis:PutRecordz"},
		{"cfn-lint", "a period that CloudWatch does not take", "Period: 300\n", "Period: 45\n"},
		{"cfn-lint", "an operator that IAM does not have", `{StringEquals: {"sts:ExternalId"`, `{StringEqual: {"sts:ExternalId"`},
		{"cloudformation-validate", "a function that rules may not use", `- Assert: !Not [!Equals [!Ref ExpireAfterDays, "1"]]`, `- Assert: !Not [!Equals [!Sub "${ExpireAfterDays}", "1"]]`},
		{"cloudformation-validate", "a condition that nothing uses", "\nConditions:\n", "\nConditions:\n  Unused: !Equals [!Ref Emulator, none]\n"},
		{"botocore", "a log group that cannot be", "LoggingConfig: {LogGroup: !Ref VerifierLogs}", "LoggingConfig: {LogGroup: verifier logs}"},
	}
	var jobs []job
	for _, f := range faults {
		if !strings.Contains(text, f.old) {
			t.Fatalf("the template has no %q to break", f.old)
		}
		jobs = append(jobs, job{strings.ReplaceAll(text, f.old, f.new), map[string]map[string]string{"default": {}}})
	}
	for i, answer := range check(t, jobs...) {
		if len(answer.Findings) == 0 {
			t.Errorf("%s: nothing was found", faults[i].fault)
		}
		for _, finding := range answer.Findings {
			if !strings.HasPrefix(finding, faults[i].by+": ") {
				t.Errorf("%s: found by another than %s, too: %s", faults[i].fault, faults[i].by, finding)
			}
		}
	}
}
