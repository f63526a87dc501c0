package sam

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A rule is one of the template's Rules, on parameters that do not go together.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
type rule struct {
	RuleCondition yaml.Node `yaml:"RuleCondition"`
	Assertions    []struct {
		Assert            yaml.Node `yaml:"Assert"`
		AssertDescription string    `yaml:"AssertDescription"`
	} `yaml:"Assertions"`
}

// broken returns the descriptions of the rules' assertions that these values of all parameters violate.
func broken(rules map[string]rule, values map[string]string) (descriptions []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		r := rules[name]
		if r.RuleCondition.Kind != 0 {
			applies, err := holds(&r.RuleCondition, values)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", name, err)
			}
			if !applies {
				continue
			}
		}
		for _, a := range r.Assertions {
			ok, err := holds(&a.Assert, values)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", name, err)
			}
			if !ok {
				descriptions = append(descriptions, strings.TrimSuffix(a.AssertDescription, "."))
			}
		}
	}
	return descriptions, nil
}

// holds evaluates a condition. Its functions are in the short form, as in the template.
func holds(n *yaml.Node, values map[string]string) (bool, error) {
	args := n.Content
	switch {
	case n.Tag == "!Equals" && len(args) == 2:
		a, err := text(args[0], values)
		if err != nil {
			return false, err
		}
		b, err := text(args[1], values)
		return a == b, err
	case n.Tag == "!Contains" && len(args) == 2:
		want, err := text(args[1], values)
		if err != nil {
			return false, err
		}
		for _, one := range args[0].Content {
			if got, err := text(one, values); err != nil || got == want {
				return err == nil, err
			}
		}
		return false, nil
	case n.Tag == "!Not" && len(args) == 1:
		ok, err := holds(args[0], values)
		return !ok, err
	case n.Tag == "!And", n.Tag == "!Or":
		for _, one := range args {
			if ok, err := holds(one, values); err != nil || ok == (n.Tag == "!Or") {
				return ok, err
			}
		}
		return n.Tag == "!And", nil
	default:
		return false, fmt.Errorf("line %d: %s with %d arguments is not supported", n.Line, n.Tag, len(args))
	}
}

// text is a scalar's value, or the value of the parameter that it refers to.
func text(n *yaml.Node, values map[string]string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("line %d: not text", n.Line)
	case n.Tag != "!Ref":
		return n.Value, nil
	}
	value, ok := values[n.Value]
	if !ok {
		return "", fmt.Errorf("line %d: %s is not a parameter", n.Line, n.Value)
	}
	return value, nil
}
