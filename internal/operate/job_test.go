package operate

import (
	"strings"
	"testing"
	"time"

	"streamproof/internal/local/runner"
)

// TestJobFailsAgain: one failure is none, and an echo of it does not hide what has failed.
func TestJobFailsAgain(t *testing.T) {
	t.Parallel()
	const byZero, echoed = "the job is RESTARTING: java.lang.ArithmeticException: / by zero", "the job is RESTARTING: java.util.concurrent.RejectedExecutionException: Task x"
	for name, test := range map[string]struct {
		failures []string
		deaths   int
		want     string
	}{
		"none":                 {nil, 0, ""},
		"one":                  {[]string{byZero}, 0, ""},
		"twice":                {[]string{byZero, byZero}, 0, "keeps failing: java.lang.ArithmeticException: / by zero"},
		"the second is echoed": {[]string{byZero, echoed}, 0, "keeps failing: java.lang.ArithmeticException: / by zero"},
		"two echoes":           {[]string{echoed, echoed}, 0, ""},
		"the third says it":    {[]string{echoed, echoed, byZero}, 0, "keeps failing: java.lang.ArithmeticException: / by zero"},
		"nothing but echoes":   {[]string{echoed, echoed, echoed, echoed, echoed, echoed}, 0, "keeps failing: the job is RESTARTING: " + echo},
		"two causes":           {[]string{"a", "b"}, 0, "keeps failing: a; and: b"},
		"the JVM has died":     {[]string{"the JVM ended by itself"}, 2, "keeps failing: the JVM ended by itself"},
	} {
		w := &jobWatch{deaths: 3}
		var err error
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for i, failure := range append([]string{""}, test.failures...) {
			job := runner.Status{Failures: 3}
			if failure != "" {
				when := at.Add(time.Duration(i) * time.Second)
				job.LastError, job.LastErrorAt, job.Failures = failure, &when, 3+test.deaths
			}
			for range 2 { // it is looked at more often than it fails
				err = w.look(job)
			}
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
