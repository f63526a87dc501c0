package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"streamproof/internal/proof"
)

//go:embed page.html.tmpl
var pageText string

// pageTemplate parses the page's template once: a verifier that stays warm writes many reports.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page").Funcs(template.FuncMap{
		"comma": comma, "count": func(n int) string { return comma(int64(n)) }, "many": many,
		"manyInt": func(n int, noun string) string { return many(int64(n), noun) },
		"moment":  moment, "seconds": seconds, "plain": plain, "short": short,
		"bytes": func(n int64) string { return humanize.Bytes(uint64(max(n, 0))) },
	}).Parse(pageText)
})

// HTML writes the report as one self-contained page, without scripts. The contents of rows and lines are shown as text.
func HTML(w io.Writer, r *Report) error {
	p := page{Report: r, TickCharts: r.tickCharts(), DelayChart: r.delayChart(), EpochChart: r.epochChart()}
	t, err := pageTemplate()
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// page is what the template sees.
type page struct {
	*Report
	TickCharts []*chart
	DelayChart *chart
	EpochChart *chart
}

// Tone is the style of the verdict.
func (p page) Tone() string {
	switch p.Verdict {
	case proof.Proven:
		return "good"
	case proof.NotProven:
		return "wrong"
	default:
		return "open"
	}
}

// Sign repeats the colour's meaning, for readers who cannot see it.
func (p page) Sign() string {
	return map[string]string{"good": "✓", "wrong": "✗", "open": "?"}[p.Tone()]
}

// Sentence is the verdict in one sentence.
func (p page) Sentence() string {
	c := p.Counts
	switch {
	case p.Tone() == "open" && p.presentNotJudged():
		return "The current query is not judged. What is known of it, and of the queries before it, is below."
	case p.Tone() == "open" && c.Owed == 0 && len(p.Reasons) == 0:
		return "Nothing is owed yet, so there is no verdict."
	case p.Tone() == "open":
		return "The data could not be judged: it may or may not all be there."
	case p.Tone() == "wrong":
		return p.faults()
	}
	owed := many(c.Owed, "row") + " owed"
	switch {
	case p.excusedAll() > 0:
		return fmt.Sprintf("%s, and %s accepted or allowed.", owed, many(p.excusedAll(), "finding"))
	case c.InFlight > 0:
		return fmt.Sprintf("%s: %s delivered exactly as often as owed, %s still in flight.", owed, comma(c.Delivered+c.Rejects-c.Recovered), comma(c.InFlight))
	case c.Rejects > 0:
		return owed + ", delivered exactly as often as owed, or rejected if malformed on purpose."
	default:
		return owed + ", delivered exactly as often as owed."
	}
}

// presentNotJudged reports whether that is all that keeps the report from a verdict.
func (p page) presentNotJudged() bool {
	current := p.Current()
	return current != nil && current.Seen != nil && !p.Partial
}

// excused is how many findings of a class are accepted by a person or allowed.
func (p page) excused(class proof.Class) int64 {
	var n int64
	for _, a := range p.Accepted {
		if a.Class == class {
			n += a.Used
		}
	}
	if class == proof.Duplicated {
		n += p.DuplicatesAllowed
	}
	if n == 0 { // also for a class that fails no verdict
		return 0
	}
	return min(n, p.Counts.Of(class))
}

func (p page) excusedAll() (n int64) {
	for _, class := range proof.Classes {
		n += p.excused(class)
	}
	return n
}

// faults summarizes what is not as owed.
func (p page) faults() string {
	var found []string
	var n int64
	var worst proof.Class
	for _, class := range proof.Classes {
		if open := p.Counts.Of(class) - p.excused(class); open > 0 {
			found = append(found, fmt.Sprintf("%s %s", comma(open), class))
			n, worst = open, class
		}
	}
	rows, total := many(n, "row"), comma(p.Counts.Owed)
	text := fmt.Sprintf("%s owed: %s.", many(p.Counts.Owed, "row"), strings.Join(found, ", "))
	if len(found) == 1 {
		switch worst {
		case proof.Missing:
			text = fmt.Sprintf("%s of %s %s missing.", rows, total, are(n))
		case proof.Failed:
			text = fmt.Sprintf("%s of %s failed on the way and can be recovered.", rows, total)
		case proof.Duplicated:
			text = rows + " arrived more often than owed."
		case proof.Corrupt:
			text = fmt.Sprintf("%s %s broken.", many(n, "line"), are(n))
		case proof.Leaked:
			text = rows + " should have been filtered out."
		default:
			text = rows + " found that no sent record explains."
		}
	}
	if n := p.excusedAll(); n > 0 {
		text += fmt.Sprintf(" Also, %s %s accepted or allowed.", many(n, "finding"), are(n))
	}
	return text
}

// A Line of the table of classes.
type Line struct {
	Name    string `json:"name"`
	Count   int64  `json:"count"`
	Meaning string `json:"meaning"`
	// Fails reports whether the class fails the verdict.
	Fails bool `json:"fails"`
}

// Lines are a table of classes.
type lines struct {
	Title string
	Lines []Line
}

// fault is the line of a class that fails the verdict, unless all of it is excused.
func (p page) fault(class proof.Class, meaning string) Line {
	n, excused := p.Counts.Of(class), p.excused(class)
	if excused > 0 {
		meaning += fmt.Sprintf("; %s accepted or allowed", comma(excused))
	}
	return Line{string(class), n, meaning, n > excused}
}

// Balance is what is owed and its outcome.
func (p page) Balance() lines {
	c := p.Counts
	return lines{"Rows owed", []Line{
		{"owed", c.Owed, "copies that must arrive", false},
		{"delivered", c.Delivered, "copies that paid for a row", false},
		{"rejects", c.Rejects, "lines malformed on purpose and kept byte for byte", false},
		{"recovered", c.Recovered, "of these, from records whose outcome the producer never learned", false},
		{"in flight", c.InFlight, "owed, with the deadline still ahead", false},
		p.fault(proof.Missing, "owed, past the deadline, and in no object"),
		p.fault(proof.Failed, "owed, and found only under an error prefix"),
	}}
}

// Besides is what else was found.
func (p page) Besides() lines {
	c := p.Counts
	found := lines{"Also found", []Line{
		p.fault(proof.Duplicated, "copies of a row beyond those owed"),
		p.fault(proof.Corrupt, "lines that are not a row"),
		p.fault(proof.Leaked, "rows that the query's WHERE filters out"),
		p.fault(proof.Unexpected, "rows that no sent record explains"),
		{"late", c.Late, "delivered after the deadline", false},
		{"unknown", c.Unknown, "possibly sent, and not found", false},
		{"foreign", c.Foreign, "under an error prefix, and not owed", false},
	}}
	if c.Repaired > 0 {
		found.Lines = append(found.Lines, Line{"repaired", c.Repaired, "of those delivered, written by a repair", false})
	}
	if p.RepairedTwice > 0 {
		found.Lines = append(found.Lines, Line{"repaired twice", p.RepairedTwice, "of the duplicated, with a copy that a repair made before the original came", false})
	}
	if c.Undecided > 0 {
		found.Lines = append(found.Lines, Line{"undecided", c.Undecided, "owed, and found where another query may have given them", false})
	}
	return found
}

// A Step is what to do next about a class.
type Step struct {
	Class    string   `json:"class"`
	Count    int64    `json:"count"`
	Text     string   `json:"text"`
	Commands []string `json:"commands,omitempty"` // COUNT is replaced by the count
	See      string   `json:"see,omitempty"`      // a page of the repository
}

// steps are what to do about each class, in the order to do it.
var steps = []Step{
	{
		Class: "missing", Commands: []string{"streamproof explain", "streamproof repair"}, See: "docs/repair.md",
		Text: "Find out which part of the pipeline had these rows last. The stream keeps records for 24 hours, or RetentionHours: they may still arrive while the application is running. If they do not, have them made again.",
	},
	{
		Class: "failed", Commands: []string{"streamproof explain", "streamproof repair"}, See: "docs/repair.md",
		Text: "Nothing is lost. Find out why they failed, and have them made again; the next verdict counts them as delivered.",
	},
	{
		Class: "duplicated", See: "docs/repair.md",
		Commands: []string{"streamproof repair --duplicates", `streamproof accept duplicated COUNT --reason "…"`},
		Text:     "A restart of the application or a retry of Firehose can write rows twice. Have the second copies taken out of their objects, or accept them.",
	},
	{
		Class: "corrupt", Commands: []string{"streamproof verify --json", "streamproof repair --corrupt"}, See: "docs/repair.md",
		Text: "Look at the lines in their objects. If another program writes under the prefix, stop it. Then have the lines taken out of their objects.",
	},
	{
		Class: "leaked", Commands: []string{"streamproof status"},
		Text: "The application let through rows that pipeline/pipeline.sql filters out. Check which version is running, and deploy this repository's.",
	},
	{
		Class: "unexpected", Commands: []string{"streamproof verify --json"},
		Text: "Another program writes to the stream or under the prefix. The samples name the objects.",
	},
	{
		Class: "in flight", Commands: []string{"streamproof verify"},
		Text: "These rows' deadline is still ahead. Verify again when it is over.",
	},
	{
		Class: "late", Commands: []string{"streamproof status"},
		Text: "These rows arrived, but after the deadline. If delivery normally takes that long, raise DeliveryDeadlineSeconds.",
	},
	{
		Class: "unknown", See: "docs/proof.md",
		Text: "The producer never learned whether these were stored, and none was found. There is nothing to do.",
	},
	{
		Class: "foreign", Commands: []string{"streamproof verify --json"},
		Text: "These lines do not count against the verdict. The samples show them and their objects.",
	},
}

// Next is what to do now.
func (p page) Next() []Step {
	steps := steps
	if p.Audit != nil {
		steps = auditSteps
	}
	if p.Tone() == "open" && p.Audit != nil {
		return []Step{auditAgain}
	}
	if p.Tone() == "open" && p.presentNotJudged() {
		return []Step{{
			Class: "undecided", Text: "There is a verdict again once the stack runs a query that the verifier computes.",
			Commands: []string{"streamproof sql run pipeline/pipeline.sql"}, See: "docs/sql.md",
		}}
	}
	if p.Tone() == "open" {
		s := Step{Class: "undecided", Text: "Fix what the reasons name, and verify again.", Commands: []string{"streamproof verify"}, See: "docs/proof.md"}
		if p.Covers.Ticks == 0 {
			s.Text, s.Commands = "If no tick has been sent yet, send one, and verify again.", []string{"streamproof produce", "streamproof verify"}
		}
		return []Step{s}
	}
	counts := map[string]int64{}
	for _, l := range slices.Concat(p.Balance().Lines, p.Besides().Lines) {
		counts[l.Name] = l.Count - p.excused(proof.Class(l.Name))
	}
	var next []Step
	for _, s := range steps {
		if s.Count = counts[s.Class]; s.Count == 0 {
			continue
		}
		if hops, of := p.hops(proof.Class(s.Class)); of >= s.Count {
			s.Text = fmt.Sprintf("Last seen: %s. %s", hops, s.Text)
		} else if of > 0 {
			s.Text = fmt.Sprintf("Last seen, for the %s in the samples: %s. %s", many(of, "row"), hops, s.Text)
		}
		s.Commands = slices.Clone(s.Commands)
		for i := range s.Commands {
			s.Commands[i] = strings.ReplaceAll(s.Commands[i], "COUNT", fmt.Sprint(s.Count))
		}
		next = append(next, s)
	}
	return next
}

// shownOnPage is how many samples of a class, reasons of rejects or ticks the page shows. The JSON has all.
const shownOnPage = 10

// A sampled class is a class with some of its samples.
type sampled struct {
	Class proof.Class
	Shown []shown
	More  int
}

// A shown sample comes with where its rows were last.
type shown struct {
	proof.Sample
	LastSeen []Finding
}

// Sampled are the samples that the page shows.
func (p page) Sampled() []sampled {
	var all []sampled
	for _, class := range append(slices.Clone(proof.Classes), proof.Doubted, proof.Foreign) {
		if s := p.Samples[class]; len(s) > 0 {
			one := sampled{Class: class, More: max(len(s)-shownOnPage, 0)}
			for _, sample := range s[:len(s)-one.More] {
				one.Shown = append(one.Shown, shown{sample, p.LastSeenOf(class, sample)})
			}
			all = append(all, one)
		}
	}
	return all
}

// BadTicks are those with rows missing or failed.
func (p page) BadTicks() []Tick {
	return slices.DeleteFunc(slices.Clone(p.Ticks), func(t Tick) bool { return t.Missing+t.Failed == 0 })
}

// ShownBadTicks are the first of them.
func (p page) ShownBadTicks() []Tick { b := p.BadTicks(); return b[:min(len(b), shownOnPage)] }

// MoreBadTicks is how many ShownBadTicks leaves out.
func (p page) MoreBadTicks() int { return max(len(p.BadTicks())-shownOnPage, 0) }

// MoreRejects is how many reasons ShownRejects leaves out.
func (p page) MoreRejects() int { return len(p.Rejects) - len(p.ShownRejects()) }

// ShownRejects are the first reasons of rejects.
func (p page) ShownRejects() []Rejects { return p.Rejects[:min(len(p.Rejects), 2*shownOnPage)] }

// A shard is one line of the table of shards.
type shard struct {
	ID      string
	Records int64
	Percent int64
}

// ByShard are the shards, by ID.
func (p page) ByShard() []shard {
	var total int64
	for _, n := range p.Shards {
		total += n
	}
	var all []shard
	for _, id := range slices.Sorted(maps.Keys(p.Shards)) {
		all = append(all, shard{id, p.Shards[id], (200*p.Shards[id]/max(total, 1) + 1) / 2})
	}
	return all
}

func comma(n int64) string { return humanize.Comma(n) }

func many(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return comma(n) + " " + noun + "s"
}

func are(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// seconds formats a duration for a person.
func seconds(n int64) string {
	switch {
	case n < 120:
		return fmt.Sprintf("%d s", n)
	case n < 7200 && n%60 == 0:
		return fmt.Sprintf("%d min", n/60)
	case n < 7200:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	default:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	}
}

// plain makes every character of a text visible: it escapes what is not printed, and what would change the text's
// direction.
func plain(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// maxShown is how many characters of a row the page shows.
const maxShown = 120

func short(s string) string {
	runes := []rune(plain(s))
	if len(runes) <= maxShown {
		return string(runes)
	}
	return string(runes[:maxShown]) + "…"
}
