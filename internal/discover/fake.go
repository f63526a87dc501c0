package discover

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"streamproof/internal/schema"
)

const (
	// fakeLimit exceeds the largest number that the generator writes, which has fakeDigits digits.
	fakeLimit  = 1_000_000_000_000
	fakeDigits = 12
)

// unquoted replaces characters that need quotes or make a line look like JSON. The length stays.
var unquoted = strings.NewReplacer(",", " ", `"`, " ", "\r", " ", "\n", " ", "{", " ")

// fake proposes how the producer makes similar values: numbers in the sampled range, the planned time, or the most
// frequent text that needs no quotes. It is the zero value if the producer cannot make any.
func (c *collector) fake(out *Column, agrees func(v value) bool) schema.Fake {
	var texts []value
	low, high := math.Inf(1), math.Inf(-1)
	scale := 0
	for _, v := range c.values {
		if !agrees(v) {
			continue
		}
		if !out.isText() {
			v.text = v.number // as SQL has it
		}
		if v.text != "" && utf8.ValidString(v.text) && unquoted.Replace(v.text) == v.text {
			texts = append(texts, v)
		}
		if v.shape == isInteger || v.shape == isNumber {
			f, _ := strconv.ParseFloat(v.number, 64) // its shape says that it is one
			low, high = min(low, f), max(high, f)
			scale = max(scale, decimalOf(v.number).scale())
		}
	}
	switch out.Type.Kind {
	case schema.Timestamp, schema.Date:
		return schema.Fake{Time: schema.PlannedTime}
	case schema.Integer, schema.BigInt, schema.Real, schema.Double, schema.Decimal:
		if low < high && low > -fakeLimit && high < fakeLimit {
			return fakeNumbers(low, high, scale)
		}
	}
	switch {
	case len(texts) == 0 && !out.isText():
		return schema.Fake{}
	case len(texts) == 0:
		for _, v := range c.values {
			if plain := unquoted.Replace(v.text); plain != "" && agrees(v) && utf8.ValidString(v.text) {
				return schema.Fake{Text: plain}
			}
		}
		return schema.Fake{Text: "x"} // there is no text at all
	}
	often := slices.MaxFunc(texts, func(a, b value) int { return a.count - b.count })
	return schema.Fake{Text: often.text}
}

// fakeNumbers makes numbers between two: integers, or fractions if both have the same integer part.
func fakeNumbers(low, high float64, scale int) schema.Fake {
	if whole := math.Trunc(low); whole == math.Trunc(high) && (low < 0) == (high <= 0) {
		scale = min(scale, fakeDigits)
		prefix := strconv.FormatInt(int64(whole), 10) + "."
		if low < 0 && whole == 0 {
			prefix = "-" + prefix
		}
		return schema.Fake{Prefix: prefix, Integers: [][2]int64{{0, int64(math.Pow10(scale)) - 1}}, Width: scale}
	}
	return schema.Fake{Integers: [][2]int64{{int64(low), int64(high)}}}
}
