// Package golden compares what a test gets with a golden file. The flag -update of `go test` writes the files instead.
package golden

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Update reports whether the test was started with -update.
var Update = flag.Bool("update", false, "write the golden files")

// Check fails the test unless the file has exactly what it got.
func Check[Text string | []byte](t testing.TB, file string, got Text) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s; -update writes it (-want +got):\n%s", file, diff)
	}
}
