package firehose

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
const (
	errorOutputType = "processing-failed"
	randomLength    = 11
	maxPrefix       = 512 // characters, evaluated
	hourly          = "!{timestamp:yyyy/MM/dd/HH/}"
)

// A prefix is a custom prefix of S3 objects in parts, each a function of the arrival of the object's oldest record.
type prefix struct {
	parts                      []func(time.Time) string
	timestamp, errorType, rand bool // the expressions that it contains
}

// parsePrefixes reads the two prefixes of a destination, by the semantic rules of
// https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html#prefix-rules
func parsePrefixes(data, failed string) (ok, bad prefix, err error) {
	if ok, err = parsePrefix(data); err != nil {
		return ok, bad, fmt.Errorf("the Prefix: %w", err)
	}
	if ok.errorType {
		return ok, bad, errors.New("the Prefix: !{firehose:error-output-type} is for ErrorOutputPrefix only")
	}
	if failed == "" {
		if ok.timestamp || ok.rand {
			return ok, bad, errors.New("the ErrorOutputPrefix: required, because Prefix contains expressions")
		}
		// The rule's text has nothing between the type and the year; its example has a slash.
		failed = data + "!{firehose:error-output-type}/" + hourly
	}
	if !ok.timestamp {
		if ok, err = parsePrefix(data + hourly); err != nil {
			return ok, bad, fmt.Errorf("the Prefix: %w", err)
		}
	}
	if bad, err = parsePrefix(failed); err != nil {
		return ok, bad, fmt.Errorf("the ErrorOutputPrefix: %w", err)
	}
	if !bad.errorType {
		return ok, bad, errors.New("the ErrorOutputPrefix: !{firehose:error-output-type} is missing")
	}
	return ok, bad, nil
}

func parsePrefix(s string) (prefix, error) {
	var p prefix
	for s != "" {
		literal, rest, found := strings.Cut(s, "!{")
		p.parts = append(p.parts, func(time.Time) string { return literal })
		if !found {
			break
		}
		expression, rest, closed := strings.Cut(rest, "}")
		if !closed {
			return p, fmt.Errorf("!{%s has no closing }", expression)
		}
		s = rest
		namespace, value, _ := strings.Cut(expression, ":")
		switch {
		case namespace == "timestamp":
			p.timestamp = true
			parts, err := parseTimestamp(value)
			if err != nil {
				return p, fmt.Errorf("!{%s}: %w", expression, err)
			}
			p.parts = append(p.parts, parts...)
		case expression == "firehose:error-output-type":
			p.errorType = true
			p.parts = append(p.parts, func(time.Time) string { return errorOutputType })
		case expression == "firehose:random-string":
			p.rand = true
			p.parts = append(p.parts, func(time.Time) string { return strings.ToLower(rand.Text()[:randomLength]) })
		default:
			return p, fmt.Errorf("!{%s} is not supported", expression)
		}
	}
	// The length is the same at any time.
	if n := len([]rune(p.evaluate(time.Unix(0, 0)))); n > maxPrefix {
		return p, fmt.Errorf("it evaluates to %d characters, and %d are allowed", n, maxPrefix)
	}
	return p, nil
}

// parseTimestamp reads the supported part of a Java DateTimeFormatter pattern: yyyy, MM, dd, HH, mm, ss, text in single
// quotes (doubled for a quote), and characters that are neither letters nor reserved.
// https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html
func parseTimestamp(pattern string) ([]func(time.Time) string, error) {
	layouts := map[string]string{"yyyy": "2006", "MM": "01", "dd": "02", "HH": "15", "mm": "04", "ss": "05"}
	var parts []func(time.Time) string
	literal := func(text string) { parts = append(parts, func(time.Time) string { return text }) }
	if pattern == "" {
		return nil, errors.New("the pattern is empty")
	}
	for pattern != "" {
		c := pattern[0]
		switch {
		case strings.HasPrefix(pattern, "''"):
			literal("'")
			pattern = pattern[2:]
		case c == '\'':
			end := strings.IndexByte(pattern[1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			literal(pattern[1 : 1+end])
			pattern = pattern[end+2:]
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := len(pattern) - len(strings.TrimLeft(pattern, string(c)))
			layout, ok := layouts[pattern[:n]]
			if !ok {
				return nil, fmt.Errorf("%s is not supported", pattern[:n])
			}
			parts = append(parts, func(at time.Time) string { return at.Format(layout) })
			pattern = pattern[n:]
		case strings.IndexByte("#{}[]", c) >= 0:
			return nil, fmt.Errorf("%c is reserved", c)
		default:
			literal(pattern[:1])
			pattern = pattern[1:]
		}
	}
	return parts, nil
}

// evaluate returns the prefix of an object whose oldest record arrived at that time. Prefixes are in UTC.
func (p prefix) evaluate(at time.Time) string {
	var b strings.Builder
	for _, part := range p.parts {
		b.WriteString(part(at.UTC()))
	}
	return b.String()
}
