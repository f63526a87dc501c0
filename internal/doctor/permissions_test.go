package doctor

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestRequestsCoverTheTemplate fails if the template has a type of resource without requests, and the other way round.
func TestRequestsCoverTheTemplate(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type string `yaml:"Type"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"": true} // SAM's own
	for _, r := range template.Resources {
		if !strings.HasPrefix(r.Type, "Custom::") {
			used[r.Type] = true
		}
	}
	got, want := slices.Sorted(maps.Keys(requests)), slices.Sorted(maps.Keys(used))
	if !slices.Equal(got, want) {
		t.Errorf("got requests for %q, want %q", got, want)
	}
	if !strings.Contains(string(data), "ApplicationName: !Sub ${AWS::StackName}"+applicationSuffix+"\n") {
		t.Errorf("the template's application is not named %q after the stack", applicationSuffix)
	}
}
