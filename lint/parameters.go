package lint

import (
	_ "embed" // of parameters.yaml
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed parameters.yaml
var parametersYAML []byte

//go:embed audit-parameters.yaml
var auditParametersYAML []byte

// AuditParameters returns the sets of parameters in audit-parameters.yaml by name.
func AuditParameters() (map[string]map[string]string, error) {
	var sets map[string]map[string]string
	if err := yaml.Unmarshal(auditParametersYAML, &sets); err != nil {
		return nil, fmt.Errorf("parse lint/audit-parameters.yaml: %w", err)
	}
	return sets, nil
}

// Parameters returns the sets of parameters in parameters.yaml by name. Root is the project's directory.
func Parameters(root string) (map[string]map[string]string, error) {
	var sets map[string]map[string]string
	if err := yaml.Unmarshal(parametersYAML, &sets); err != nil {
		return nil, fmt.Errorf("parse lint/parameters.yaml: %w", err)
	}
	for name, set := range sets {
		environment, ok := set["samconfig"]
		if !ok {
			continue
		}
		delete(set, "samconfig")
		merged, err := samconfig(filepath.Join(root, "samconfig.toml"), environment)
		if err != nil {
			return nil, err
		}
		maps.Copy(merged, set)
		sets[name] = merged
	}
	return sets, nil
}

var override = regexp.MustCompile(`"([A-Z]\w+)=([^"]*)"`)

// samconfig returns the parameters with which an environment of samconfig.toml is deployed.
func samconfig(file, environment string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, section, _ := strings.Cut(string(text), "["+environment+".deploy.parameters]")
	section, _, _ = strings.Cut(section, "\n[")
	parameters := map[string]string{}
	for _, match := range override.FindAllStringSubmatch(section, -1) {
		parameters[match[1]] = match[2]
	}
	if len(parameters) == 0 {
		return nil, fmt.Errorf("%s has no parameters for %s", file, environment)
	}
	return parameters, nil
}
