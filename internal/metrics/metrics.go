package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Namespace is where CloudWatch keeps the metrics of all functions.
const Namespace = "Streamproof"

// Names of dimensions.
const (
	Stack = "Stack" // the stack's name; every metric has it
	Shard = "Shard" // a shard ID
)

// Limits of a line.
const (
	MaxMetrics        = 100
	MaxDimensions     = 30
	maxDimensionValue = 1024 // characters
)

// A Unit is one of CloudWatch's, by its name.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
type Unit string

// The units in use.
const (
	Count   Unit = "Count"
	Seconds Unit = "Seconds"
)

// A Metric is one value.
type Metric struct {
	Name  string
	Unit  Unit
	Value int64
}

// Of is a metric.
func Of(name string, unit Unit, value int64) Metric { return Metric{name, unit, value} }

// A Dimension is a part of a metric's identity besides its name.
type Dimension struct{ Name, Value string }

// metadata is the member of a line that says which others are metrics. Its member names are the specification's.
type metadata struct {
	Timestamp         int64 // in milliseconds
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit Unit
}

// Line returns one line, ended by a newline, of metrics with the same dimensions. about has further members, and may be
// nil. The error names everything that CloudWatch would refuse, since CloudWatch drops such a line without telling the
// function.
func Line(at time.Time, dimensions []Dimension, metrics []Metric, about map[string]any) ([]byte, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	members := make(map[string]any, 1+len(dimensions)+len(metrics)+len(about))
	add := func(name string, value any) {
		if _, taken := members[name]; taken || name == "" {
			fault("the name %q is taken or empty", name)
		}
		members[name] = value
	}

	d := directive{Namespace: Namespace, Dimensions: [][]string{make([]string, len(dimensions))}, Metrics: make([]definition, len(metrics))}
	add("_aws", metadata{at.UnixMilli(), []directive{d}}) // its slices are filled below
	if len(dimensions) > MaxDimensions {
		fault("%d dimensions, and %d are the most", len(dimensions), MaxDimensions)
	}
	for i, dimension := range dimensions {
		if n := utf8.RuneCountInString(dimension.Value); n == 0 || n > maxDimensionValue {
			fault("the dimension %s has %d characters, want 1 to %d", dimension.Name, n, maxDimensionValue)
		}
		d.Dimensions[0][i] = dimension.Name
		add(dimension.Name, dimension.Value)
	}
	if len(metrics) == 0 || len(metrics) > MaxMetrics {
		fault("%d metrics, want 1 to %d", len(metrics), MaxMetrics)
	}
	for i, m := range metrics {
		d.Metrics[i] = definition{m.Name, m.Unit}
		add(m.Name, m.Value)
	}
	for name, value := range about {
		add(name, value)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	line, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return append(line, '\n'), nil
}
