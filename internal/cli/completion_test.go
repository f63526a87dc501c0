package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"streamproof/internal/stack/stacktest"
)

// asProgram makes the test's binary run the command line in place of its tests.
const asProgram = "STREAMPROOF_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// complete returns the words that the last word of a line may become.
func complete(t *testing.T, e *env, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	e.programs = &out
	if status := e.run(t.Context(), append([]string{"complete", "--"}, words...)); status != exitDone {
		t.Errorf("complete %q: got status %d, want %d", words, status, exitDone)
	}
	var all []string
	for line := range strings.Lines(out.String()) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

func TestComplete(t *testing.T) {
	w, _ := stacktest.New(t)
	loadAWS := func(_ context.Context, region string) (aws.Config, error) { return hostileAWS(w, "", region), nil }
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"sta"}, "status"},
		{[]string{"status", "--js"}, "--json"},
		{[]string{"status", "--json", "--js"}, ""},
		{[]string{"fo"}, ""}, // hidden
		{[]string{"sql", ""}, "run show versions check translate"},
		{[]string{"sql", "run", ""}, ":files"},
		{[]string{"sql", "run", "x", ""}, ""},
		{[]string{"up", "--set", "TransformD"}, "TransformDelimiter="},
		{[]string{"up", "--set", "Transform="}, "Transform=none Transform=JSON Transform=CSV"},
		{[]string{"up", "--set=Transform=J"}, "--set=Transform=JSON"},
		{[]string{"up", "--set", "a=b", "--se"}, "--set"},
		{[]string{"logs", "-f", "producer", "ver"}, "verifier"},
		{[]string{"logs", "--since", "1h", "f"}, "flink"},
		{[]string{"accept", "m"}, "missing"},
		{[]string{"accept", "missing", ""}, ""},
		{[]string{"verify", "--dir", ""}, ":directories"},
		{[]string{"verify", "--", "--ht"}, ""},
		{[]string{"discover", "--from", ""}, "start latest"},
		{[]string{"status", "--stack", ""}, ""},
		{[]string{"status", "--region", "eu-west-1", "--stack", "stream"}, "streamproof"},
		{[]string{"nonsense", "--nonsense", ""}, "up"},
	} {
		e := newEnv(nil, os.Stderr)
		e.loadAWS = loadAWS
		if got := complete(t, e, test.words...); got != test.want && (test.want != "up" || !strings.HasPrefix(got, "up ")) {
			t.Errorf("%q: got %q, want %q", test.words, got, test.want)
		}
	}
}

// TestBashCompletes types lines into a real bash. Tab is \t, and \001 goes to the line's beginning.
func TestBashCompletes(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "streamproof")); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"streamproof sta\t--js\t":                                  "streamproof status --json",
		"streamproof up --set Transform=J\t--se\t":                 "streamproof up --set Transform=JSON --set",
		"streamproof up --set=Compression=\tG\t":                   "streamproof up --set=Compression=GZIP",
		"streamproof up --set TransformDe\tx":                      "streamproof up --set TransformDelimiter=x",
		"streamproof --project \"" + root + "\" up --set Compre\t": "streamproof --project " + root + " up --set Compression=",
		"streamproof verify --html READ\t":                         "streamproof verify --html README.md",
		filepath.Join(bin, "streamproof") + " logs -f prod\t":      filepath.Join(bin, "streamproof") + " logs -f producer",
	} {
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "-i")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "INPUTRC=/dev/null", "HISTFILE=")
		cmd.Stdin = strings.NewReader("PS1=; bind 'set bell-style none'; eval \"$(streamproof completion bash)\"\n" + typed + "\001echo \nexit\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if got := strings.TrimSpace(lines[len(lines)-1]); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

// TestCompletionOffersOnlyPlainWords: what an account calls things is never typed into a shell unless it is harmless.
func TestCompletionOffersOnlyPlainWords(t *testing.T) {
	root := t.TempDir()
	template := "Parameters:\n  \"$(touch x)\": {Type: String}\n  \"a\\e[2J\": {Type: String}\n  A: {Type: String, Description: \"x\\ny\\tz\\e[2J\", AllowedValues: [\"`id`\", good]}\n"
	if err := os.WriteFile(filepath.Join(root, "template.yaml"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEnv(nil, os.Stderr)
	if got, want := complete(t, e, "--project", root, "up", "--set", ""), "A="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := complete(t, e, "--project", root, "up", "--set", "A="), "A=good"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
