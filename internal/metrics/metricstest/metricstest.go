// Package metricstest reads lines of the embedded metric format as CloudWatch does, for tests, and refuses lines that
// break a rule of its specification or of the API's MetricDatum.
package metricstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

// A Datum is a value that CloudWatch takes from a line.
type Datum struct {
	Namespace  string
	Dimensions map[string]string
	Name, Unit string
	Value      float64
	At         time.Time // UTC
}

// units are the values of StandardUnit.
var units = regexp.MustCompile(`^(((Micro|Milli)?[Ss]econds|(Kilo|Mega|Giga|Tera)?([Bb]ytes|[Bb]its)(/Second)?|Count(/Second)?)|Percent|None)$`)

var namespaces = regexp.MustCompile(`^[A-Za-z0-9._/#:-]{1,255}$`)

// maxLine is the size of a log event. Some versions of the specification allow less.
const maxLine = 256 << 10

// Read reads one line, with its newline, and returns the values of its metrics and all other members but the
// dimensions. The error names every rule that the line breaks.
func Read(line []byte) (data []Datum, about map[string]any, err error) {
	if n := bytes.IndexByte(line, '\n'); n < 0 || n != len(line)-1 || len(line) > maxLine {
		return nil, nil, fmt.Errorf("%d bytes with the first newline at %d, want one line of at most %d", len(line), n, maxLine)
	}
	if err := json.Unmarshal(line, &about); err != nil {
		return nil, nil, fmt.Errorf("not a JSON object: %w", err)
	}
	var root struct {
		AWS json.RawMessage `json:"_aws"`
	}
	if err := json.Unmarshal(line, &root); err != nil {
		return nil, nil, err
	}
	var metadata struct {
		Timestamp         *int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct {
				Name, Unit        string
				StorageResolution int
			}
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(root.AWS))
	decoder.DisallowUnknownFields() // no other member belongs there
	if err := decoder.Decode(&metadata); err != nil {
		return nil, nil, fmt.Errorf("_aws: %w", err)
	}

	r := reader{members: about, targets: []string{"_aws"}}
	if metadata.Timestamp == nil {
		return nil, nil, errors.New("_aws: no Timestamp")
	}
	at := time.UnixMilli(*metadata.Timestamp).UTC()
	r.check(at.Year() >= 2000, "Timestamp %d is of %d, want milliseconds", *metadata.Timestamp, at.Year())
	r.check(len(metadata.CloudWatchMetrics) > 0, "no MetricDirective")
	for _, d := range metadata.CloudWatchMetrics {
		r.check(namespaces.MatchString(d.Namespace), "Namespace %q", d.Namespace)
		r.check(len(d.Dimensions) > 0, "no DimensionSet")
		r.check(len(d.Metrics) > 0 && len(d.Metrics) <= 100, "%d metrics, want 1 to 100", len(d.Metrics))
		var defined []string
		for _, m := range d.Metrics {
			r.check(m.Name != "" && len(m.Name) <= 255, "metric %q has %d characters, want 1 to 255", m.Name, len(m.Name))
			r.check(m.Unit == "" || units.MatchString(m.Unit), "%s: Unit %q", m.Name, m.Unit)
			r.check(m.StorageResolution == 0 || m.StorageResolution == 1 || m.StorageResolution == 60, "%s: StorageResolution %d", m.Name, m.StorageResolution)
			r.check(!slices.Contains(defined, m.Name), "%s is defined twice", m.Name)
			defined = append(defined, m.Name)
			values := r.values(m.Name)
			for _, set := range d.Dimensions {
				for _, value := range values {
					data = append(data, Datum{d.Namespace, r.dimensions(set), m.Name, m.Unit, value, at})
				}
			}
		}
	}
	for _, name := range r.targets {
		delete(about, name)
	}
	return data, about, errors.Join(r.faults...)
}

// A reader looks up the members that directives refer to.
type reader struct {
	members map[string]any
	targets []string
	faults  []error
}

func (r *reader) check(ok bool, format string, args ...any) {
	if !ok {
		r.faults = append(r.faults, fmt.Errorf(format, args...))
	}
}

// values are a metric's: a number, or up to 100 of them.
func (r *reader) values(name string) (values []float64) {
	r.targets = append(r.targets, name)
	switch v := r.members[name].(type) {
	case float64:
		return []float64{v}
	case []any:
		r.check(len(v) <= 100, "%s has %d values, want up to 100", name, len(v))
		for _, one := range v {
			number, ok := one.(float64)
			r.check(ok, "%s has the value %v, want numbers", name, one)
			values = append(values, number)
		}
		return values
	default:
		r.check(false, "%s is %v, want a number or an array of them, at the top", name, v)
		return nil
	}
}

func (r *reader) dimensions(set []string) map[string]string {
	r.check(len(set) <= 30, "%d dimensions, want up to 30", len(set))
	dimensions := map[string]string{}
	for _, name := range set {
		value, ok := r.members[name].(string)
		n := utf8.RuneCountInString(value)
		r.check(name != "" && len(name) <= 250, "dimension %q has %d characters, want 1 to 250", name, len(name))
		r.check(ok && n > 0 && n <= 1024, "dimension %s is %.20v, want a string of 1 to 1,024 characters", name, r.members[name])
		dimensions[name] = value
		r.targets = append(r.targets, name)
	}
	return dimensions
}
