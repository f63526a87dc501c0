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

// findTools finds the programs; the error names everything that is missing.
func findTools(root string) (tools, error) {
	t := tools{
		sam:       filepath.Join(root, ".venv", "bin", "sam"),
		ministack: filepath.Join(root, ".venv", "bin", "ministack"),
		libraries: filepath.Join(root, "analytics", "target", "local"),
	}
	if runtime.GOOS != "linux" {
		return t, &SetupError{fmt.Sprintf("the local stack runs on Linux only, for the functions are Linux programs; this is %s", runtime.GOOS)}
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

// checkPath refuses a directory in which a JVM cannot find its JARs: a colon divides a class path, and what follows "!/" in a
// URL is the name of a file within an archive.
func checkPath(dir string) error {
	for _, mark := range []string{string(os.PathListSeparator), "!/"} {
		if strings.Contains(dir+"/", mark) {
			return &SetupError{fmt.Sprintf("%q has %q in its path, and a JVM finds nothing there: use another directory", dir, mark)}
		}
	}
	return nil
}

// missing says what to do about files that are not there. The project's own check of its tools knows whether a tool is to be
// installed first, and how; where it finds all of them, the project is only to be built.
func missing(root, files string) error {
	out, err := CheckTools(context.Background(), root)
	if err == nil && out != "" {
		var lines []error // joined, each is shown in a line of its own
		for line := range strings.SplitSeq(out, "\n") {
			lines = append(lines, &SetupError{line})
		}
		return errors.Join(lines...)
	}
	return &SetupError{fmt.Sprintf("missing: %s: run `make build`", files)}
}

// CheckTools runs tools/check, the project's check of the tools that it is built with, which `make` begins with. It
// returns what the check says is missing and how to get it, empty where nothing is.
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

// findJava gives the program's path, or, with an error, what it was looked for as.
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

// Checker finds what it takes to have Flink plan a query, on this machine, as the project in this directory has built it: for
// a stack on AWS, too. A SetupError names what is missing.
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
		return nil, &SetupError{fmt.Sprintf("missing: %s, which has Flink check the query: run `make build`", jar)}
	}
	return &flink.Checker{Java: java, JAR: jar, Libraries: t.libraries}, nil
}

// checkLibraries finds the JARs that the service gives to a job and a plain JVM does not.
func (t tools) checkLibraries() error {
	if jars, err := fs.Glob(os.DirFS(t.libraries), "*.jar"); err != nil || len(jars) == 0 {
		return &SetupError{fmt.Sprintf("missing: the JARs of Flink in %s: run `make build`", t.libraries)}
	}
	return nil
}
