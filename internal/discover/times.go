package discover

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"streamproof/internal/schema"
)

// timePatterns are tried in this order; the first wins a tie.
var timePatterns = sync.OnceValue(func() []*schema.Pattern {
	var all []*schema.Pattern
	add := func(text string) {
		p, err := schema.ParsePattern(text)
		if err != nil {
			panic(err) // a test makes this list
		}
		all = append(all, p)
	}
	iso := []string{"", ":ss", ":ss.SSS", ":ss.SSSSSS", ":ss[.SSS]", ":ss[.SSSSSS]", ":ss.SSSSSSSSS", ":ss[.SSSSSSSSS]", ":ss,SSS"}
	add(schema.DatePattern)
	for _, join := range []string{" ", "'T'"} {
		for _, zone := range []string{"", "XXX", "xx", " xxx", " xx"} {
			for _, seconds := range iso {
				add("yyyy-MM-dd" + join + "HH:mm" + seconds + zone)
			}
		}
	}
	for _, day := range []string{
		"yyyy/MM/dd", "dd/MM/yyyy", "MM/dd/yyyy", "d/M/yyyy", "M/d/yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "dd.MM.yyyy", "d.M.yyyy",
		"dd MMM yyyy", "d MMM yyyy", "dd-MMM-yyyy", "MMM d, yyyy", "MMM dd yyyy",
	} {
		add(day)
		for _, clock := range []string{"HH:mm", "HH:mm:ss", "HH:mm:ss[.SSSSSSSSS]", "H:mm", "H:mm:ss", "hh:mm a", "hh:mm:ss a", "h:mm a", "h:mm:ss a"} {
			add(day + " " + clock)
		}
	}
	add("dd/MMM/yyyy:HH:mm:ss xx")      // of web servers
	add("EEE, dd MMM yyyy HH:mm:ss xx") // of mail
	add("EEE MMM d HH:mm:ss yyyy")
	return all
})

// mayBeTime reports whether a text is worth trying the patterns on.
func mayBeTime(s string) bool {
	if len(s) < 8 || len(s) > 40 || !strings.ContainsAny(s, "-/.: ") {
		return false
	}
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	return count([]byte(s), isDigit) >= 5 // those of the least, 1/1/2026 and Jan 1, 2026
}

func isTime(s string) bool {
	return mayBeTime(s) && slices.ContainsFunc(timePatterns(), func(p *schema.Pattern) bool {
		_, ok := p.Parse(s)
		return ok
	})
}

type patternCount struct {
	*schema.Pattern
	count int
}

// patternTries is how many distinct values each pattern is tried on. The others are tried only with patterns that
// read one of these.
const patternTries = 100

// countPatterns returns the patterns that read some value, the most frequent first.
func countPatterns(values []value) []patternCount {
	var likely []value
	for _, v := range values {
		if v.kind == isString && mayBeTime(v.text) {
			likely = append(likely, v)
		}
	}
	var counts []patternCount
	for _, p := range timePatterns() {
		if !slices.ContainsFunc(likely[:min(len(likely), patternTries)], func(v value) bool { _, ok := p.Parse(v.text); return ok }) {
			continue
		}
		c := patternCount{Pattern: p}
		for _, v := range likely {
			if _, ok := p.Parse(v.text); ok {
				c.count += v.count
			}
		}
		counts = append(counts, c)
	}
	slices.SortStableFunc(counts, func(a, b patternCount) int { return b.count - a.count })
	return counts
}

// inPatterns describes the patterns of the values. Each value counts for the most frequent pattern that reads it.
func inPatterns(values []value) string {
	var seen []string
	for len(seen) < 3 {
		counts := countPatterns(values)
		if len(counts) == 0 {
			break
		}
		first := counts[0]
		seen = append(seen, fmt.Sprintf("%d as %s", first.count, first))
		values = slices.DeleteFunc(slices.Clone(values), func(v value) bool { _, ok := first.Parse(v.text); return ok })
	}
	return strings.Join(seen, ", ")
}

// otherOrder returns the pattern with day and month swapped, if it reads as many values as the first.
func otherOrder(counts []patternCount) *schema.Pattern {
	swapped := strings.NewReplacer("MMM", "MMM", "MM", "dd", "dd", "MM", "M", "d", "d", "M").Replace(counts[0].String())
	for _, c := range counts[1:] {
		if c.count == counts[0].count && c.String() == swapped {
			return c.Pattern
		}
	}
	return nil
}
