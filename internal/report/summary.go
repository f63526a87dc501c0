package report

// A Summary is what the page says of a report in words.
type Summary struct {
	// Tone is good, wrong or open, for the verdict's colour. Sign repeats its meaning for readers who cannot see colours.
	Tone     string `json:"tone"`
	Sign     string `json:"sign"`
	Sentence string `json:"sentence"`
	// Next is what to do now. Balance is what is owed and its outcome, Besides what else was found.
	Next    []Step `json:"next"`
	Balance []Line `json:"balance"`
	Besides []Line `json:"besides"`
}

// Summary sums up the report, as its page does.
func (r *Report) Summary() Summary {
	p := page{Report: r}
	return Summary{
		Tone: p.Tone(), Sign: p.Sign(), Sentence: p.Sentence(), Next: append([]Step{}, p.Next()...), Balance: p.Balance().Lines, Besides: p.Besides().Lines,
	}
}
