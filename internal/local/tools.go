package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	t.java = "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		t.java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(t.java)
	if err != nil {
		missing = append(missing, t.java)
	}
	t.java = path
	if len(missing) > 0 {
		return t, &SetupError{fmt.Sprintf("missing: %s: run `make build`", strings.Join(missing, ", "))}
	}
	return t, nil
}

// checkLibraries finds the JARs that the service gives to a job and a plain JVM does not.
func (t tools) checkLibraries() error {
	if jars, err := filepath.Glob(filepath.Join(t.libraries, "*.jar")); err != nil || len(jars) == 0 {
		return &SetupError{fmt.Sprintf("missing: the JARs of Flink in %s: run `make build`", t.libraries)}
	}
	return nil
}
