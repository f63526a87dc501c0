package sam

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CheckParameters checks values for the template's parameters as AWS does before it changes anything: the emulator takes
// what it is given. It knows names and AllowedValues; the error names every fault.
func CheckParameters(root string, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(root, templateFile))
	if err != nil {
		return err
	}
	var template struct {
		Parameters map[string]struct {
			AllowedValues []string `yaml:"AllowedValues"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		return fmt.Errorf("read %s: %w", templateFile, err)
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parameter, ok := template.Parameters[name]
		allowed := parameter.AllowedValues
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("%s is not a parameter of the template (%s)", name, strings.Join(slices.Sorted(maps.Keys(template.Parameters)), ", ")))
		case len(allowed) > 0 && !slices.Contains(allowed, values[name]):
			faults = append(faults, fmt.Sprintf("%s is %q, want one of %s", name, values[name], strings.Join(allowed, ", ")))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}
