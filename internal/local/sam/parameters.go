package sam

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"go.yaml.in/yaml/v3"
)

// emulatorAccount is the emulator's account.
const emulatorAccount = "000000000000"

// A Parameter is the template's description of one. Values are text here, as on a command line.
type Parameter struct {
	Name                  string   `yaml:"-"`
	Description           string   `yaml:"Description"`
	Type                  string   `yaml:"Type"`
	Default               string   `yaml:"Default"`
	AllowedValues         []string `yaml:"AllowedValues"`
	AllowedPattern        string   `yaml:"AllowedPattern"`
	MinValue              *float64 `yaml:"MinValue"`
	MaxValue              *float64 `yaml:"MaxValue"`
	MinLength             *int     `yaml:"MinLength"`
	MaxLength             *int     `yaml:"MaxLength"`
	ConstraintDescription string   `yaml:"ConstraintDescription"`
}

// takes reports whether a value meets the template's constraints.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
func (p Parameter) takes(value string) (bool, error) {
	if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, value) {
		return false, nil
	}
	if p.Type == "Number" && !p.takesNumber(value) {
		return false, nil
	}
	length := utf8.RuneCountInString(value)
	if p.MinLength != nil && length < *p.MinLength || p.MaxLength != nil && length > *p.MaxLength {
		return false, nil
	}
	if p.AllowedPattern == "" {
		return true, nil
	}
	// CloudFormation has Java's regular expressions, which can look ahead. The complete value has to match.
	pattern, err := regexp2.Compile(`\A(?:`+p.AllowedPattern+`)\z`, regexp2.None)
	if err != nil {
		return false, err
	}
	return pattern.MatchString(value)
}

// takesNumber reports whether a value is a number in the parameter's range. All of the template's are integers.
func (p Parameter) takesNumber(value string) bool {
	n, err := strconv.ParseFloat(value, 64)
	return err == nil && !math.IsInf(n, 0) && n == math.Trunc(n) &&
		(p.MinValue == nil || n >= *p.MinValue) && (p.MaxValue == nil || n <= *p.MaxValue)
}

// parameterized is the part of the template that says which values it takes.
type parameterized struct {
	Parameters map[string]Parameter `yaml:"Parameters"`
	Rules      map[string]rule      `yaml:"Rules"`
}

func readParameters(root string) (*parameterized, error) {
	data, err := os.ReadFile(filepath.Join(root, templateFile))
	if err != nil {
		return nil, err
	}
	var t parameterized
	if err := yaml.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("read %s: %w", templateFile, err)
	}
	return &t, nil
}

// Parameters are the template's parameters, by name.
func Parameters(root string) ([]Parameter, error) {
	t, err := readParameters(root)
	if err != nil {
		return nil, err
	}
	var all []Parameter
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		p.Name = name
		all = append(all, p)
	}
	return all, nil
}

// CheckParameters checks values for the template's parameters as AWS does before it changes anything; the emulator does
// not. It goes by the template's constraints and Rules. The error names every fault.
func CheckParameters(root string, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	template, err := readParameters(root)
	if err != nil {
		return err
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p, known := template.Parameters[name]
		if !known {
			faults = append(faults, fmt.Sprintf("%s is not a parameter of the template (%s)", name, strings.Join(slices.Sorted(maps.Keys(template.Parameters)), ", ")))
			continue
		}
		ok, err := p.takes(values[name])
		switch {
		case err != nil:
			return fmt.Errorf("read the pattern of %s in %s: %w", name, templateFile, err)
		case !ok:
			faults = append(faults, fmt.Sprintf("%s is %q: it %s", name, values[name], strings.TrimSuffix(p.ConstraintDescription, ".")))
		}
	}
	if len(faults) == 0 { // the rules apply to valid values
		all, err := allParameters(root, template.Parameters, values)
		if err != nil {
			return err
		}
		if faults, err = broken(template.Rules, all); err != nil {
			return fmt.Errorf("read %s: %w", templateFile, err)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

// allParameters are the template's defaults, overridden by local.yaml, overridden by the values that are set.
func allParameters(root string, parameters map[string]Parameter, set map[string]string) (map[string]string, error) {
	all := map[string]string{"AWS::AccountId": emulatorAccount}
	for name, p := range parameters {
		all[name] = p.Default
	}
	data, err := os.ReadFile(filepath.Join(root, parametersFile))
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", parametersFile, err)
	}
	maps.Copy(all, set)
	return all, nil
}
