package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

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
	var missing []string
	for _, program := range []string{t.sam, t.ministack} {
		if info, err := os.Stat(program); err != nil || info.Mode()&0o111 == 0 {
			missing = append(missing, program)
		}
	}
	java, err := findJava()
	if err != nil {
		missing = append(missing, java)
	}
	t.java = java
	if len(missing) > 0 {
		return t, &SetupError{fmt.Sprintf("missing: %s: run `make build`", strings.Join(missing, ", "))}
	}
	return t, nil
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
		return nil, &SetupError{fmt.Sprintf("missing: %s, which has Flink check the query: install a JDK 17", java)}
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
	if jars, err := filepath.Glob(filepath.Join(t.libraries, "*.jar")); err != nil || len(jars) == 0 {
		return &SetupError{fmt.Sprintf("missing: the JARs of Flink in %s: run `make build`", t.libraries)}
	}
	return nil
}
