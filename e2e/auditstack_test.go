//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/internal/explain"
	"streamproof/internal/local/sam"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/lint"
)

// TestAuditStack deploys audit.yaml beside a pipeline in Python that drops and doubles records. Its verifier may only
// read. It names what was dropped, even in later verifications, and what a person accepts stays accepted.
func TestAuditStack(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	did := f.lossy(t, "watched")
	slices.Sort(did.Dropped)
	f.deployAudit(t)
	time.Sleep(12 * time.Second) // until the deadline is over

	for range 2 {
		var r report.Report
		f.ask(t, &r, "verify")
		var missing []string
		for _, found := range r.LastSeen {
			for _, record := range found.Records {
				missing = append(missing, record.Places[0].SequenceNumber)
			}
		}
		slices.Sort(missing)
		want := proof.Counts{Owed: foreignRecords, Delivered: foreignRecords - int64(len(did.Dropped)), Missing: int64(len(did.Dropped)), Duplicated: did.Doubled}
		if r.Verdict != proof.NotProven || r.Counts != want || !slices.Equal(missing, did.Dropped) {
			t.Fatalf("%s: %s, missing are %s; dropped were %s", r.LastLine(), r.Reasons, missing, did.Dropped)
		}
	}
	var why explain.Explanation
	if f.ask(t, &why, "explain"); len(why.Findings) != len(did.Dropped) {
		t.Errorf("%d findings are explained, want %d", len(why.Findings), len(did.Dropped))
	}
	var r report.Report
	f.ask(t, &r, "accept", "missing", fmt.Sprint(len(did.Dropped)), "--reason", "a test", "--who", "somebody")
	f.ask(t, &r, "accept", "duplicated", fmt.Sprint(did.Doubled), "--reason", "a test", "--who", "somebody")
	if f.ask(t, &r, "verify"); r.Verdict != proof.Proven {
		t.Errorf("%s %s, want PROVEN of what is accepted", r.LastLine(), r.Reasons)
	}
	var status stack.Status
	if f.ask(t, &status, "status"); status.Outputs.Audits != "s3://lake/watched/" || status.Last == nil || status.Last.Verdict != proof.Proven {
		t.Errorf("status %+v", status)
	}
	pause := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), "pause", "--stack", auditStack)
	pause.Env = f.environment()
	if out, err := pause.CombinedOutput(); err == nil || !strings.Contains(string(out), "has no application") {
		t.Errorf("pause: %v %s", err, out)
	}
}

const auditStack = "streamproof-audit"

// deployAudit builds and deploys audit.yaml as its documentation says.
func (f *foreign) deployAudit(t *testing.T) {
	t.Helper()
	sets, err := lint.AuditParameters()
	if err != nil {
		t.Fatal(err)
	}
	parameters := maps.Clone(sets["local"])
	maps.Copy(parameters, map[string]string{"StreamName": "watched", "SourceBucket": f.bucket, "Prefix": "watched/", "Architecture": sam.Architecture()})
	build := t.TempDir()
	for _, args := range [][]string{
		{"build", "--template-file", "audit.yaml", "--build-dir", build},
		{"deploy", "--template-file", filepath.Join(build, "template.yaml"), "--no-confirm-changeset", "--stack-name", auditStack},
	} {
		args = append(args, "--config-file", absolute("../samconfig.toml"), "--config-env", "audit", "--parameter-overrides")
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			args = append(args, name+"="+parameters[name])
		}
		cmd := exec.CommandContext(t.Context(), absolute("../.venv/bin/sam"), args...)
		cmd.Dir, cmd.Env = "..", append(f.environment(), "SAM_CLI_TELEMETRY=0", "SAM_CLI_POLL_DELAY=0.5")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("sam %s: %v\n%s", args, err, out)
		}
	}
}

// ask runs a command on the stack.
func (f *foreign) ask(t *testing.T, answer any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), absolute("../bin/streamproof"), append(args, "--stack", auditStack, "--json")...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = f.environment(), &stderr
	out, _ := cmd.Output() // the exit status depends on the verdict
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, stderr.String())
	}
}
