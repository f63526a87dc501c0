//go:build e2e

package e2e_test

import (
	"archive/zip"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"streamproof/internal/local/flink"
	"streamproof/internal/local/process"
)

// TestTheJARStarts submits the job's JAR to a cluster as the service does. A JAR without a manifest does not start
// unless the request names its class.
func TestTheJARStarts(t *testing.T) {
	inTurn(t, 30*time.Second)
	jar, libraries := "../analytics/target/streamproof-analytics.jar", absolute("../analytics/target/local")
	cluster := startCluster(t, libraries)
	dir := t.TempDir()
	properties := filepath.Join(dir, "properties.json")
	err := flink.WriteProperties(properties, []flink.PropertyGroup{{ID: "streamproof", Properties: map[string]string{
		"stream.arn":              "arn:aws:kinesis:eu-west-1:000000000000:stream/none",
		"delivery.stream":         "none",
		"rejects.delivery.stream": "none",
		"output.format":           "CSV",
		"kinesis.endpoint":        "http://127.0.0.1:1",
		"firehose.endpoint":       "http://127.0.0.1:1",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	submit := func(jar string) (string, error) {
		return cluster.Submit(t.Context(), flink.Submission{JAR: jar, Args: []string{"--properties", properties}})
	}
	id, err := submit(jar)
	if err != nil {
		t.Fatal(err)
	}
	if job, err := cluster.Job(t.Context(), id); err != nil || job == nil || job.Ended() {
		t.Errorf("got job %+v, %v, want one that keeps running", job, err)
	}
	if _, err := submit(withoutManifest(t, jar, filepath.Join(dir, "without.jar"))); err == nil || !strings.Contains(err.Error(), "manifest") {
		t.Errorf("got %v of a JAR without a manifest, want that it has none", err)
	}
}

func startCluster(t *testing.T, libraries string) *flink.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := flink.Conf{
		CheckpointInterval: 5 * time.Second, CheckpointMinPause: time.Second,
		Parallelism: 1, RESTPort: port, CheckpointDir: dir, SavepointDir: dir, UploadDir: filepath.Join(dir, "upload"),
	}
	loaded := filepath.Join(dir, "loaded.log")
	cmd, err := conf.Command(java, libraries, dir, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+dir, "-Xlog:class+load:file="+loaded)
	if err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(cmd, filepath.Join(dir, "pid"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.End(context.WithoutCancel(t.Context()), 0); err != nil {
			t.Error(err)
		}
	})
	client := &flink.Client{Address: "http://127.0.0.1:" + strconv.Itoa(port), UploadDir: conf.UploadDir}
	if err := client.Ready(t.Context(), p.Done()); err != nil {
		t.Fatal(err)
	}
	classes, err := os.ReadFile(loaded)
	if err != nil {
		t.Fatal(err)
	}
	const archived = "org.apache.flink.runtime.minicluster.MiniCluster source: shared objects file"
	if !strings.Contains(string(classes), archived) {
		t.Error("the cluster does not take its classes from the archive of `make build`")
	}
	return client
}

// withoutManifest copies a JAR without its manifest.
func withoutManifest(t *testing.T, jar, copied string) string {
	t.Helper()
	return withoutEntry(t, jar, copied, "META-INF/MANIFEST.MF")
}

func withoutEntry(t *testing.T, jar, copied, name string) string {
	t.Helper()
	in, err := zip.OpenReader(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := os.Create(copied)
	if err != nil {
		t.Fatal(err)
	}
	out := zip.NewWriter(file)
	for _, entry := range in.File {
		if entry.Name == name || entry.FileInfo().IsDir() {
			continue
		}
		if err := copyEntry(out, entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return copied
}

func copyEntry(out *zip.Writer, entry *zip.File) error {
	r, err := entry.OpenRaw()
	if err != nil {
		return err
	}
	w, err := out.CreateRaw(&entry.FileHeader)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}
