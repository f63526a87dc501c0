package sam

import (
	"archive/zip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const packTemplate = `AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Work:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Work}
  Stream:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: {Ref: ShardCount}}
`

func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := Config{BuildDir: dir}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pack := func() string {
		t.Helper()
		file, err := c.pack()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			AWSTemplateFormatVersion string
			Resources                struct {
				Work   struct{ Properties struct{ CodeUri string } }
				Stream struct {
					Properties struct{ ShardCount map[string]string }
				}
			}
		}
		if err := json.Unmarshal(data, &template); err != nil {
			t.Fatal(err)
		}
		if got := template.Resources.Stream.Properties.ShardCount["Ref"]; got != "ShardCount" {
			t.Errorf("got a reference to %q, want ShardCount", got)
		}
		if got := template.AWSTemplateFormatVersion; got != "2010-09-09" {
			t.Errorf("got the format version %q, want 2010-09-09", got)
		}
		return template.Resources.Work.Properties.CodeUri
	}
	write("template.yaml", packTemplate)
	write("Work/bootstrap", "a program")
	write("Work/job.jar", "a JAR")

	first := pack()
	in, err := zip.OpenReader(filepath.Join(dir, first))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var names []string
	for _, file := range in.File {
		names = append(names, file.Name)
		if file.Mode() != 0o755 {
			t.Errorf("%s has the mode %s, want it readable and executable by Lambda", file.Name, file.Mode())
		}
	}
	if want := []string{"bootstrap", "job.jar"}; !slices.Equal(names, want) {
		t.Errorf("got files %q, want %q", names, want)
	}

	write("Work/bootstrap", "a program") // with another modification time
	if again := pack(); again != first {
		t.Errorf("the same content: got %s, want %s", again, first)
	}
	write("Work/job.jar", "b JAR")
	changed := pack()
	if changed == first {
		t.Errorf("another JAR: got the archive of before, %s", changed)
	}
	if err := os.Remove(filepath.Join(dir, "Work", "job.jar")); err != nil {
		t.Fatal(err)
	}
	if without := pack(); without == first || without == changed {
		t.Errorf("no JAR: got the archive of before, %s", without)
	}
}

func TestPackWithoutFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(packTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	if file, err := (Config{BuildDir: dir}).pack(); err == nil {
		t.Errorf("got %s, want an error: there is no folder Work", file)
	}
}
