package reshape

import (
	"fmt"
	"strings"

	"streamproof/internal/environment"
	"streamproof/internal/row"
)

// The formats of the rows that go out.
const (
	JSON = "JSON"
	CSV  = "CSV"
)

// Config is the function's environment.
type Config struct {
	// Output is JSON or CSV.
	Output string `env:"OUTPUT,required"`
	// Delimiter separates the columns of CSV: one of row.Delimiters, or the word tab. JSON ignores it.
	Delimiter string `env:"DELIMITER" envDefault:","`
	// StackName is the dimension of the metrics. If it is empty, none are written.
	StackName string `env:"STACK_NAME"`
}

// ReadConfig reads the environment, given as a map. The error names every fault.
func ReadConfig(variables map[string]string) (Config, error) {
	c, faults := environment.Parse[Config](variables)
	if faults.Read("OUTPUT") && c.Output != JSON && c.Output != CSV {
		faults.Add(fmt.Errorf("OUTPUT is %q, want %s or %s", c.Output, JSON, CSV))
	}
	if c.Delimiter == "tab" {
		c.Delimiter = "\t"
	}
	if len(c.Delimiter) != 1 || !strings.Contains(row.Delimiters, c.Delimiter) {
		faults.Add(fmt.Errorf(`DELIMITER is %q, want one of , ; | and tab`, c.Delimiter))
	}
	if err := faults.Err("transform"); err != nil {
		return Config{}, err
	}
	return c, nil
}
