package sam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/local/sam"
)

// TestCommands runs a stand-in that says how it was called.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "sam")
	script := "#!/bin/sh\necho \"$@\"\nenv | grep -E '^(AWS|SAM)_|^no_proxy|^LC_ALL' | LC_ALL=C sort\n[ \"$1\" = build ]\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_PROFILE", "somebody's")
	t.Setenv("AWS_SESSION_TOKEN", "secret")
	t.Setenv("LC_ALL", "C")
	t.Setenv("no_proxy", ".example.com")
	c := sam.Config{Program: program, Root: dir, BuildDir: filepath.Join(dir, "b"), LogFile: filepath.Join(dir, "log"), Stack: "s", Region: "eu-west-1", Endpoint: "http://127.0.0.1:1",
		Parameters: map[string]string{"Transform": "JSON", "Compression": "GZIP"}}
	if err := c.Build(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(c.BuildDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.BuildDir, "template.yaml"), []byte("Resources: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Deploy(t.Context()); err == nil || !strings.Contains(err.Error(), "sam deploy: exit status 1") {
		t.Errorf("got %v, want the exit status", err)
	}
	log, err := os.ReadFile(c.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	env := `AWS_ACCESS_KEY_ID=test
AWS_EC2_METADATA_DISABLED=true
AWS_ENDPOINT_URL=http://127.0.0.1:1
AWS_SECRET_ACCESS_KEY=test
LC_ALL=C.UTF-8
SAM_CLI_POLL_DELAY=0.5
SAM_CLI_TELEMETRY=0
no_proxy=.example.com,127.0.0.1,localhost
`
	common := " --config-file DIR/samconfig.toml --config-env local --region eu-west-1 --template-file "
	parameters := " --parameter-overrides file://local.yaml Architecture=ARCH Compression=GZIP Transform=JSON\n"
	want := "build" + common + "DIR/template.yaml --build-dir DIR/b" + parameters + env +
		"deploy" + common + "DIR/b/packed.json --stack-name s" + parameters + env
	got := strings.NewReplacer(dir, "DIR", sam.Architecture(), "ARCH").Replace(string(log))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCheckParameters(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	if err := sam.CheckParameters(root, map[string]string{"Transform": "JSON", "Prefix": "rows/", "RecordsPerTick": "5"}); err != nil {
		t.Error(err)
	}
	err := sam.CheckParameters(root, map[string]string{"Transform": "XML", "Color": "red"})
	if err == nil || !strings.Contains(err.Error(), "Color is not a parameter of the template (Aggregation, ") ||
		!strings.Contains(err.Error(), `Transform is "XML": it must be none, JSON or CSV`) {
		t.Errorf("got %v, want both faults", err)
	}
	for _, test := range []struct{ name, value, want string }{
		{"BufferSizeMB", "129", "must be 1 to 128"}, {"BufferSizeMB", "many", "must be 1 to 128"}, {"BufferSizeMB", "", "must be 1 to 128"}, {"BufferSizeMB", "1.5", "must be 1 to 128"},
		{"Seed", "-1", "0 or more"}, {"Seed", "NaN", "0 or more"}, {"Prefix", "ledger/x/", "must be folders"}, {"Prefix", "x-errors/", "must be folders"}, {"Prefix", "x", "must be folders"},
		{"Prefix", strings.Repeat("x", 200) + "/", "must be folders"}, {"Prefix", "x/\n", "must be folders"}, {"ScheduleExpression", "rate(100 minutes)", "must be a rate"}, {"AlarmEmail", "nobody", "must be an e-mail"},
		{"BufferSizeMB", "128", ""}, {"AlarmEmail", "", ""}, {"AlarmEmail", "a@b.example", ""}, {"Prefix", "a/b-c/", ""}, {"CheckpointIntervalSeconds", "5", ""}, {"ScheduleExpression", "rate(2 minutes)", ""},
	} {
		err := sam.CheckParameters(root, map[string]string{test.name: test.value})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%q: got %v, want %q", test.name, test.value, err, test.want)
		}
	}
}
