package price_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/golden"
	"streamproof/internal/price"
)

func fromTemplate(t *testing.T, set map[string]string) price.Stack {
	t.Helper()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := price.FromTemplate(template, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOperations keeps the table of docs/operations/cost.md equal to what is computed.
func TestOperations(t *testing.T) {
	const page, begin, end = "../../docs/operations/cost.md", "<!-- computed by internal/price -->\n", "<!-- end -->\n"
	largest := map[string]string{"RecordsPerTick": "1000000", "SpreadSeconds": "50", "ShardCount": "24", "Parallelism": "2"}
	columns := []struct {
		head   string
		stacks float64
		set    map[string]string
	}{
		{"the default: 17/s", 1, nil},
		{"1/s", 1, map[string]string{"RecordsPerTick": "60"}},
		{"1,000/s", 1, map[string]string{"RecordsPerTick": "60000", "SpreadSeconds": "50"}},
		{"16,667/s: the most of one stack", 1, largest},
		{"50,000/s: three of these", 3, largest},
	}
	var b strings.Builder
	row := func(first string, cell func(s price.Stack, stacks float64) string) {
		fmt.Fprintf(&b, "| %s |", first)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", cell(fromTemplate(t, c.set), c.stacks))
		}
		b.WriteString("\n")
	}
	b.WriteString("|")
	for _, c := range columns {
		b.WriteString(" | " + c.head)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---:", len(columns)) + "|\n")
	row("`RecordsPerTick`, `SpreadSeconds`", func(s price.Stack, _ float64) string { return fmt.Sprintf("%d, %.0f", s.Records, s.Spread.Seconds()) })
	row("`ShardCount`, `Parallelism`", func(s price.Stack, _ float64) string { return fmt.Sprintf("%d, %d", s.Shards, s.Parallelism) })
	for i, item := range fromTemplate(t, nil).Items() {
		row(item.Part+": "+item.How, func(s price.Stack, stacks float64) string { return fmt.Sprintf("%.2f", s.Items()[i].Running*stacks) })
	}
	row("**For 30 days**", func(s price.Stack, stacks float64) string {
		running, _ := price.Total(s.Items())
		return fmt.Sprintf("**%.0f**", running*stacks)
	})
	row("a day", func(s price.Stack, stacks float64) string {
		running, _ := price.Total(s.Items())
		return fmt.Sprintf("%.2f", running*stacks/30)
	})
	row("paused, for 30 days", func(s price.Stack, stacks float64) string {
		_, paused := price.Total(s.Items())
		return fmt.Sprintf("%.0f", paused*stacks)
	})
	want := b.String()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no table between %q and %q", page, begin, end)
	}
	if got == want {
		return
	}
	if !*golden.Update {
		t.Fatalf("%s: run go test ./internal/price -update. It has\n%s\nwant\n%s", page, got, want)
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReadme has README say what the default stack costs.
func TestReadme(t *testing.T) {
	running, paused := price.Total(fromTemplate(t, nil).Items())
	want := fmt.Sprintf("%.2f US dollars a day, %.0f for 30 days; paused, %.2f and %.0f", running/30, running, paused/30, paused)
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

// TestSettings compares with what docs/operations/cost.md says that a setting changes.
func TestSettings(t *testing.T) {
	slow := map[string]string{"RecordsPerTick": "60"}
	fast := map[string]string{"RecordsPerTick": "60000", "SpreadSeconds": "50"}
	for name, test := range map[string]struct {
		base, set             map[string]string
		changes, pausedChange float64
	}{
		"on-demand, 1/s":        {slow, map[string]string{"StreamMode": "ON_DEMAND"}, 8.1, 7.2},
		"on-demand, 1,000/s":    {fast, map[string]string{"StreamMode": "ON_DEMAND"}, 291, 7.2},
		"kpl on one shard, 1/s": {slow, map[string]string{"Aggregation": "kpl", "ShardCount": "1"}, -12.6, -12.24},
		"kpl on one shard":      {fast, map[string]string{"Aggregation": "kpl", "ShardCount": "1"}, -55, -12.24},
		"not spread":            {slow, map[string]string{"SpreadSeconds": "0"}, -6.6, 0},
		"transform":             {slow, map[string]string{"Transform": "JSON"}, 0.6, 0},
		"own key":               {slow, map[string]string{"KmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k"}, 1, 1},
		"quiet":                 {nil, map[string]string{"ScheduleState": "DISABLED"}, -16.7, -6.5},
		"a tick each hour":      {slow, map[string]string{"ScheduleExpression": "rate(1 hour)"}, -7.4, 0},
		"small packs":           {fast, map[string]string{"PackKiB": "5", "PackDelaySeconds": "1"}, 0.1, 0},
	} {
		both := maps.Clone(test.base)
		if both == nil {
			both = map[string]string{}
		}
		maps.Copy(both, test.set)
		before, beforePaused := price.Total(fromTemplate(t, test.base).Items())
		after, afterPaused := price.Total(fromTemplate(t, both).Items())
		if got := after - before; got < test.changes-0.5 || got > test.changes+0.5 {
			t.Errorf("%s: got %+.2f, want about %+.2f", name, got, test.changes)
		}
		if got := afterPaused - beforePaused; got < test.pausedChange-0.2 || got > test.pausedChange+0.2 {
			t.Errorf("%s: paused: got %+.2f, want about %+.2f", name, got, test.pausedChange)
		}
	}
}

func TestFromTemplateFaults(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for want, set := range map[string]map[string]string{
		"ShardCount is \"two\"":           {"ShardCount": "two"},
		"VerifySchedule is \"cron(0 0)\"": {"VerifySchedule": "cron(0 0)"},
	} {
		if _, err := price.FromTemplate(template, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := price.FromTemplate([]byte("Parameters: {}"), nil); err == nil || !strings.Contains(err.Error(), "has no parameter") {
		t.Errorf("got %v, want a parameter that is missing", err)
	}
}

// TestMoreCostsMore is a law: no part of a stack costs less when more goes through it, and pausing never costs more.
func TestMoreCostsMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := price.Stack{
			Scheduled:      rapid.Bool().Draw(t, "scheduled"),
			Tick:           time.Duration(rapid.IntRange(1, 99).Draw(t, "tick")) * time.Minute,
			Verdict:        time.Duration(rapid.IntRange(1, 99).Draw(t, "verdict")) * time.Minute,
			Records:        rapid.IntRange(1, 500_000).Draw(t, "records"),
			Spread:         time.Duration(rapid.IntRange(0, 50).Draw(t, "spread")) * time.Second,
			OnDemand:       rapid.Bool().Draw(t, "on demand"),
			Shards:         rapid.IntRange(1, 200).Draw(t, "shards"),
			Aggregated:     rapid.Bool().Draw(t, "aggregated"),
			Parallelism:    rapid.IntRange(1, 32).Draw(t, "parallelism"),
			Pack:           rapid.SampledFrom([]int{5, 10, 25, 50, 100, 250, 500, 1000}).Draw(t, "pack") << 10,
			PackDelay:      time.Duration(rapid.IntRange(1, 60).Draw(t, "delay")) * time.Second,
			BufferBytes:    rapid.IntRange(1, 128).Draw(t, "buffer") << 20,
			BufferInterval: time.Duration(rapid.IntRange(0, 900).Draw(t, "interval")) * time.Second,
			Transformed:    rapid.Bool().Draw(t, "transformed"),
			AlarmMetrics:   23,
		}
		more := s
		more.Records *= 2
		before, after := s.Items(), more.Items()
		for i := range before {
			if before[i].Paused > before[i].Running+1e-9 || before[i].Paused < 0 {
				t.Fatalf("%s: running %.4f, paused %.4f", before[i].Part, before[i].Running, before[i].Paused)
			}
			if after[i].Running < before[i].Running*0.95 { // a full pack wastes nothing, an almost full one does
				t.Fatalf("%s: %.4f for %d records, %.4f for twice as many", before[i].Part, before[i].Running, s.Records, after[i].Running)
			}
		}
	})
}
