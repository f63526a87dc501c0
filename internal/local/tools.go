package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"streamproof/internal/deployer"
	"streamproof/internal/local/flink"
)

// tools are the programs that a local stack needs.
type tools struct {
	sam, ministack, java string
	libraries            string
}

// findTools finds the programs. The error names everything that is missing.
func findTools(root string) (tools, error) {
	t := tools{
		sam:       filepath.Join(root, ".venv", "bin", "sam"),
		ministack: filepath.Join(root, ".venv", "bin", "ministack"),
		libraries: filepath.Join(root, "analytics", "target", "local"),
	}
	if runtime.GOOS != "linux" {
		return t, &SetupError{fmt.Sprintf("the local stack runs on Linux only, since the functions are Linux programs; this is %s", runtime.GOOS)}
	}
	var absent []string
	for _, program := range []string{t.sam, t.ministack} {
		if info, err := os.Stat(program); err != nil || info.Mode()&0o111 == 0 {
			absent = append(absent, program)
		}
	}
	java, err := findJava()
	if err != nil {
		absent = append(absent, java)
	}
	t.java = java
	if len(absent) > 0 {
		return t, missing(root, strings.Join(absent, ", "))
	}
	return t, nil
}

// checkPath refuses a directory in which a JVM cannot find its JARs: a colon splits a class path, and "!/" in a URL is
// followed by a file's name within an archive.
func checkPath(dir string) error {
	for _, mark := range []string{string(os.PathListSeparator), "!/"} {
		if strings.Contains(dir+"/", mark) {
			return &SetupError{fmt.Sprintf("the path %q contains %q, and a JVM finds no files there: use another directory", dir, mark)}
		}
	}
	return nil
}

// missing says how to get files that are not there. If tools are missing, the project's own check says which and how to
// install them; otherwise the project only has to be built.
func missing(root, files string) error {
	out, err := CheckTools(context.Background(), root)
	if err == nil && out != "" {
		var lines []error // each is shown on its own line
		for line := range strings.SplitSeq(out, "\n") {
			lines = append(lines, &SetupError{line})
		}
		return errors.Join(lines...)
	}
	return &SetupError{fmt.Sprintf("missing: %s: run `make build`", files)}
}

// CheckTools runs tools/check, the check of the build tools that `make` starts with. It returns what is missing and how
// to get it, empty if nothing is.
func CheckTools(ctx context.Context, root string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", filepath.Join(root, "tools", "check")).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && text != "" {
		return text, nil
	}
	if err != nil {
		return "", fmt.Errorf("run tools/check in %s: %w: %s", root, err, text)
	}
	return "", nil
}

// findJava returns the program's path, or an error and the name that was looked up.
func findJava() (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(java)
	if err != nil {
		return java, err
	}
	return path, nil
}

// Checker returns a checker that has Flink plan a query on this machine, as the project in this directory has built it.
// It serves stacks on AWS too. A SetupError names what is missing.
func Checker(root string) (*flink.Checker, error) {
	java, err := findJava()
	if err != nil {
		return nil, missing(root, java)
	}
	t := tools{libraries: filepath.Join(root, "analytics", "target", "local")}
	if err := t.checkLibraries(); err != nil {
		return nil, err
	}
	jar := filepath.Join(root, "analytics", "target", deployer.JARName)
	if _, err := os.Stat(jar); err != nil {
		return nil, &SetupError{fmt.Sprintf("missing: %s, with which Flink checks the query: run `make build`", jar)}
	}
	return &flink.Checker{Java: java, JAR: jar, Libraries: t.libraries}, nil
}

// checkLibraries looks for the JARs that the service provides to a job and a plain JVM does not.
func (t tools) checkLibraries() error {
	if jars, err := fs.Glob(os.DirFS(t.libraries), "*.jar"); err != nil || len(jars) == 0 {
		return &SetupError{fmt.Sprintf("missing: the JARs of Flink in %s: run `make build`", t.libraries)}
	}
	return nil
}
