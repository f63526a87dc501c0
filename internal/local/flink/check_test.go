package flink

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFaults(t *testing.T) {
	t.Parallel()
	got, err := parseFaults([]byte("2026-11-28T07:20:53.301Z INFO  FlinkKinesisConsumer says something\n" +
		`{"line":4,"column":14,"message":"Column 'COLX' not found in any table"}` + "\n" + `{"line":5,"column":1,"message":"x"}` + "\n"))
	want := []Fault{{4, 14, "Column 'COLX' not found in any table"}, {5, 1, "x"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got %v, (-want +got)\n%s", err, diff)
	}
	if got, err := parseFaults(nil); got != nil || err != nil {
		t.Errorf("got %v, %v of nothing", got, err)
	}
	for _, out := range []string{`{"line":0,"column":1,"message":"x"}`, `{"line":1,"column":1}`, `{"line":`} {
		if _, err := parseFaults([]byte(out)); err == nil || !strings.Contains(err.Error(), "it answers "+out) {
			t.Errorf("%s: got error %v", out, err)
		}
	}
}

// TestCheckSaysWhyItCannot: without --check in the JAR, or without Java, a query does not pass.
func TestCheckSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	_, err := Checker{Java: "/bin/false", JAR: "a.jar", Libraries: "l"}.Check(t.Context(), []byte("{}"), "SELECT 1")
	if err == nil || !strings.Contains(err.Error(), "have Flink plan the query: exit status 1") {
		t.Errorf("got error %v", err)
	}
}
