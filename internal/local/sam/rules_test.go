package sam_test

import (
	"strings"
	"testing"

	"streamproof/internal/local/sam"
)

// TestCheckRules checks the template's own rules, which the emulator ignores.
func TestCheckRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  string
		want []string
	}{
		{"Transform=JSON PackKiB=500", []string{"PackKiB must be auto or at most 100"}},
		{"Transform=CSV PackKiB=100", nil},
		{"Transform=JSON", nil},
		{"PackKiB=500", nil},
		{"ExpireAfterDays=1", []string{"at least 2"}},
		{"ExpireAfterDays=2", nil},
		{"ExistingBucket=my-bucket", nil},
		{"ExistingBucket=my-bucket DataOnDelete=delete", []string{"DataOnDelete must be retain"}},
		{"ExistingBucket=my-bucket DataOnDelete=delete ExpireAfterDays=3", []string{"DataOnDelete must be retain", "ExpireAfterDays must be 0"}},
		{"AutoScalingState=ENABLED SnapshotState=DISABLED", []string{"requires SnapshotState ENABLED"}},
		{"Emulator=true", nil}, // this is one
	} {
		values := map[string]string{}
		for _, one := range strings.Fields(test.set) {
			name, value, _ := strings.Cut(one, "=")
			values[name] = value
		}
		err := sam.CheckParameters("../../..", values)
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %q", test.set, err, test.want)
		}
		for _, want := range test.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", test.set, err, want)
			}
		}
	}
}
