package metricstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/metrics/metricstest"
)

// example is the one of the specification, with an array of values and two sets of dimensions more.
const example = `{"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"lambda-function-metrics","Dimensions":[["functionVersion"],[]],` +
	`"Metrics":[{"Name":"time","Unit":"Milliseconds","StorageResolution":60}]}]},"functionVersion":"$LATEST","time":[100,7],"requestId":"989ffbf8"}` + "\n"

func TestRead(t *testing.T) {
	t.Parallel()
	data, about, err := metricstest.Read([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	var want []metricstest.Datum
	for _, dimensions := range []map[string]string{{"functionVersion": "$LATEST"}, {}} {
		for _, value := range []float64{100, 7} {
			want = append(want, metricstest.Datum{
				Namespace: "lambda-function-metrics", Dimensions: dimensions, Name: "time", Unit: "Milliseconds", Value: value,
				At: time.Date(2019, 11, 18, 20, 42, 12, 4e6, time.UTC),
			})
		}
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"requestId": "989ffbf8"}, about); diff != "" {
		t.Errorf("about (-want +got):\n%s", diff)
	}
}

// TestRefused: one change to the example for each rule, and the error that it is.
func TestRefused(t *testing.T) {
	t.Parallel()
	var keys, metrics, members, values []string
	for i := range 101 {
		name := fmt.Sprintf("m%d", i)
		keys, values = append(keys, `"functionVersion"`), append(values, "1")
		metrics, members = append(metrics, fmt.Sprintf(`{"Name":%q}`, name)), append(members, fmt.Sprintf(`%q:1`, name))
	}
	join := func(list []string) string { return strings.Join(list, ",") }
	definition := `{"Name":"time","Unit":"Milliseconds","StorageResolution":60}`
	for _, tc := range []struct{ from, to, want string }{
		{"\n", "", "want one line"},
		{"\n", "\n\n", "want one line"},
		{`"requestId"`, "\n" + `"requestId"`, "want one line"},
		{`989ffbf8`, strings.Repeat("9", 256<<10), "want one line"},
		{`{"_aws"`, `x{"_aws"`, "not a JSON object"},
		{`"Timestamp":1574109732004,`, ``, "no Timestamp"},
		{`1574109732004`, `1574109732`, "of 1970, want milliseconds"},
		{`1574109732004`, `"1574109732004"`, "_aws: "},
		{`"Timestamp"`, `"Stamp"`, `unknown field "Stamp"`},
		{`"Unit"`, `"Value":1,"Unit"`, `unknown field "Value"`},
		{`lambda-function-metrics`, ``, `Namespace ""`},
		{`[["functionVersion"],[]]`, `[]`, "no DimensionSet"},
		{`[["functionVersion"],[]]`, `[[` + join(keys[:31]) + `]]`, "31 dimensions"},
		{`["functionVersion"]`, `["requestID"]`, "dimension requestID is"},
		{`"$LATEST"`, `""`, "dimension functionVersion is"},
		{`"$LATEST"`, `7`, "dimension functionVersion is 7"},
		{`$LATEST`, strings.Repeat("v", 1025), "1 to 1,024"},
		{definition, ``, "0 metrics"},
		{definition, definition + "," + definition, "time is defined twice"},
		{definition + `]}]}`, join(metrics) + `]}]},` + join(members), "101 metrics"},
		{`Milliseconds`, `Minutes`, `Unit "Minutes"`},
		{`Milliseconds`, `count`, `Unit "count"`},
		{`"StorageResolution":60`, `"StorageResolution":5`, "StorageResolution 5"},
		{`[100,7]`, `"100"`, "time is 100, want a number"},
		{`[100,7]`, `{"time":1}`, "want a number"},
		{`[100,7]`, `[1,"2"]`, "time has the value 2"},
		{`[100,7]`, `[` + join(values) + `]`, "time has 101 values"},
	} {
		changed := strings.Replace(example, tc.from, tc.to, 1)
		if changed == example {
			t.Errorf("%s does not stand in the example", tc.from)
		}
		if _, _, err := metricstest.Read([]byte(changed)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.50s for %s: got error %v, want %q", tc.to, tc.from, err, tc.want)
		}
	}
}
