package local_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"streamproof/internal/local"
)

// TestCheckTools runs the project's own tools/check, with stand-ins for the tools that it looks for.
func TestCheckTools(t *testing.T) {
	const jdk = "apt-get install openjdk-17-jdk-headless"
	for name, test := range map[string]struct {
		folder  string            // of the project
		env     map[string]string // {dir} is a directory of the test's own
		install map[string]string // scripts of programs; an empty one is not installed
		want    []string          // parts of what it says; none where it finds no fault
	}{
		"all is there":                        {},
		"a folder with an ñ, in the locale C": {folder: "Año 2026 – streamproof", env: map[string]string{"LC_ALL": "C"}},
		"marks in the folder":                 {folder: "-x 'q' #h %25 [b] & ; *? !x"},
		"a colon":                             {folder: "a:b", want: []string{"unfit: the folder's name, ", "a:b\n"}},
		"a dollar":                            {folder: "a$b", want: []string{"unfit: the folder's name, "}},
		"ends with !":                         {folder: "a!", want: []string{"unfit: the folder's name, "}},
		"a line break":                        {folder: "a\nb", want: []string{"unfit: the folder's name, ", "a?b\n"}},
		"JAVA_HOME nowhere":                   {env: map[string]string{"JAVA_HOME": "{dir}/nowhere"}, want: []string{"unfit: JAVA_HOME is ", "/nowhere, and there is no bin/javac in it"}},
		"no Java":                             {install: map[string]string{"java": "", "javac": ""}, want: []string{"missing: a JDK, 17 or newer (javac is not there", jdk}},
		"a JRE":                               {install: map[string]string{"javac": ""}, want: []string{"missing: a JDK, 17 or newer (javac is not there; a JRE", jdk}},
		"an old JDK":                          {install: map[string]string{"javac": "echo javac 11.0.2"}, want: []string{"missing: a JDK, 17 or newer; javac is 11.0.2", jdk}},
		"an old java first":                   {install: map[string]string{"java": `echo 'openjdk version "1.8.0_402"' >&2`}, want: []string{"missing: a JDK, 17 or newer; java is 1.8.0", jdk}},
		"no HOME":                             {env: map[string]string{"GOCACHE": "", "GOMODCACHE": ""}, want: []string{"unfit: Go has no GOCACHE", "set HOME"}},
		"a cache that cannot be":              {env: map[string]string{"GOCACHE": "{dir}/bin/go/cache"}, want: []string{"GOCACHE, ", "cannot be written"}},
		"TMPDIR nowhere":                      {env: map[string]string{"TMPDIR": "{dir}/nowhere"}, want: []string{"unfit: TMPDIR, "}},
		"no Maven":                            {install: map[string]string{"mvn": ""}, want: []string{"missing: Maven 3.6.3 or newer", "apt-get install maven"}},
		"a Maven that fails":                  {install: map[string]string{"mvn": "echo no luck; exit 1"}, want: []string{"unfit: mvn -v does not say which Maven this is: no luck"}},
		"no venv":                             {install: map[string]string{"python3": `case "$2" in *venv*) exit 1;; esac; echo 3.11.2`}, want: []string{"missing: Python's venv"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root := filepath.Join(dir, test.folder, "project")
			if test.folder != "" {
				root = filepath.Join(dir, test.folder)
			}
			bin := filepath.Join(dir, "bin")
			for _, d := range []string{bin, filepath.Join(root, "tools")} {
				if err := os.MkdirAll(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"tools/check", "go.mod"} {
				text, err := os.ReadFile(filepath.Join("../..", file))
				if err == nil {
					err = os.WriteFile(filepath.Join(root, file), text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			programs := map[string]string{
				"go":      `[ "$2" = GOVERSION ] && echo go1.99.0 || printenv "$2"`,
				"javac":   "echo javac 17.0.1",
				"java":    `echo 'openjdk version "17.0.1" 2021-10-19' >&2`,
				"mvn":     `case "$LC_ALL" in *UTF-8) echo Apache Maven 3.9.1;; *) exit 1;; esac`, // as in a folder with an ñ
				"python3": "echo 3.11.2",
			}
			for name, script := range test.install {
				programs[name] = script
			}
			for name, script := range programs {
				if script == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"sh", "sed", "sort", "head", "dirname", "tr", "printenv"} {
				path, err := exec.LookPath(name)
				if err == nil {
					err = os.Symlink(path, filepath.Join(bin, name))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"PATH": bin, "JAVA_HOME": "", "TMPDIR": dir, "GOCACHE": "{dir}/cache", "GOMODCACHE": "{dir}/modules"}
			for name, value := range test.env {
				env[name] = value
			}
			for name, value := range env {
				t.Setenv(name, strings.ReplaceAll(value, "{dir}", dir))
			}
			got, err := local.CheckTools(t.Context(), root)
			if err != nil || (got == "") != (len(test.want) == 0) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("got %q, want %q in it", got, part)
				}
			}
		})
	}
}
