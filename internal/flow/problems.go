package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/local/runner"
	"streamproof/internal/stack"
)

const (
	runbook = "docs/operations/alarms.md"
	// nearLimit is the part of a shard's limit from which on it is called full.
	nearLimit = 0.8
	// longLag is how far behind the application may be, and oldCheckpoint how old its last checkpoint.
	longLag       = 5 * time.Minute
	oldCheckpoint = 10 * time.Minute
)

// problems are what is wrong.
type problems struct{ all []Problem }

func (p *problems) add(one Problem) { p.all = append(p.all, one) }

// sorted returns them, the worst first, and those of a severity in the order in which a record passes their parts.
func (p *problems) sorted() []Problem {
	severities := []string{Wrong, Open, Note}
	parts := []string{PartProof, PartProducer, PartStream, PartAnalytics, PartDelivery, PartBucket}
	all := append([]Problem{}, p.all...)
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			cmp.Compare(slices.Index(parts, a.Part), slices.Index(parts, b.Part)),
		)
	})
	return all
}

func (p *problems) jobFails(why string) {
	p.add(Problem{
		ID: "job-failing", Severity: Wrong, Part: PartAnalytics, Text: "The Flink job fails and restarts again and again: " + why,
		Commands: []string{"streamproof sql show"}, See: "docs/operations/restarts.md",
	})
}

// addJob adds what is wrong with the job of a local stack.
func (p *problems) addJob(job runner.Status, following bool, status string) {
	switch {
	case !following:
		p.add(Problem{
			ID: "follower-stopped", Severity: Wrong, Part: PartAnalytics, Text: "The follower is not running, so nothing runs the Flink job.",
			Commands: []string{"streamproof up"}, See: "docs/operations/local-stack.md",
		})
	case job.Failing(time.Now()) != "":
		p.jobFails(job.Failing(time.Now()))
	case status == "RUNNING" && job.State != runner.Running:
		p.add(Problem{ID: "job-starting", Severity: Open, Part: PartAnalytics, Text: fmt.Sprintf("The Flink job is %s.", job.State)})
	}
}

// addStatus adds what the status says.
func (p *problems) addStatus(s *stack.Status) {
	if !strings.HasSuffix(s.State, "_COMPLETE") || strings.Contains(s.State, "ROLLBACK") {
		p.add(Problem{ID: "stack-state", Severity: Open, Part: PartProof, Text: fmt.Sprintf("The stack is %s.", s.State), See: "docs/operations/update.md"})
	}
	if s.Stream.Status != "ACTIVE" {
		p.add(Problem{ID: "stream-state", Severity: Open, Part: PartStream, Text: fmt.Sprintf("The stream is %s.", s.Stream.Status)})
	}
	if s.Outputs.Audits != "" {
		return
	}
	producing := !s.Outputs.Produces() || s.Schedule.Enabled()
	switch status := s.Application.Status; {
	case status == "READY" && producing:
		p.add(Problem{
			ID: "application-stopped", Severity: Wrong, Part: PartAnalytics, Text: "The application is stopped, and records are put into the stream.",
			Commands: []string{"streamproof resume"}, See: runbook + "#applicationdownalarm",
		})
	case status == "READY":
		p.add(Problem{
			ID: "paused", Severity: Note, Part: PartAnalytics, Text: "The stack is paused: schedule and application are stopped.",
			Commands: []string{"streamproof resume"}, See: "docs/operations/pause.md",
		})
	case status != "RUNNING":
		p.add(Problem{ID: "application-changing", Severity: Open, Part: PartAnalytics, Text: fmt.Sprintf("The application is %s.", status)})
	}
	if !producing && s.Application.Status != "READY" {
		p.add(Problem{
			ID: "schedule-disabled", Severity: Note, Part: PartProducer, Text: "The schedule is disabled: no tick comes by itself.",
			Commands: []string{"streamproof produce", "streamproof resume"},
		})
	}
	if s.Query != nil && s.Query.Problem != "" {
		p.add(Problem{
			ID: "query-problem", Severity: Wrong, Part: PartAnalytics, Text: "The query: " + s.Query.Problem + ".",
			Commands: []string{"streamproof resume"}, See: "docs/sql.md",
		})
	}
}

// addFlow adds what the measures say.
func (p *problems) addFlow(f *Flow) {
	p.addShards(f)
	a := f.Analytics
	if a == nil {
		return
	}
	if a.Lag != nil && *a.Lag >= longLag.Seconds() {
		p.add(Problem{
			ID: "lag", Severity: Open, Part: PartAnalytics, See: runbook + "#lagalarm",
			Text: fmt.Sprintf("The application is %s behind the stream.", time.Duration(*a.Lag*float64(time.Second)).Round(time.Second)),
		})
	}
	if a.Status == "RUNNING" && a.CheckpointAge != nil && *a.CheckpointAge >= oldCheckpoint.Seconds() {
		p.add(Problem{
			ID: "checkpoint-old", Severity: Open, Part: PartAnalytics, See: runbook + "#checkpointsfailedalarm",
			Text: fmt.Sprintf("The last checkpoint was completed %s ago: a restart would go back that far.", time.Duration(*a.CheckpointAge*float64(time.Second)).Round(time.Second)),
		})
	}
	if d := f.Delivery; d.Throttled != nil && *d.Throttled > 0 {
		p.add(Problem{ID: "delivery-throttled", Severity: Open, Part: PartDelivery, Text: "Firehose throttles records.", See: runbook + "#deliverythrottledalarm"})
	}
}

// addShards says which shards are full, and which stay empty because the partition key spreads nothing over them.
func (p *problems) addShards(f *Flow) {
	var total, used int64
	var empty []string
	for _, s := range f.Stream.Shards {
		records := s.RecordsASecond != nil && *s.RecordsASecond >= nearLimit*ShardRecords
		bytes := s.BytesASecond != nil && *s.BytesASecond >= nearLimit*ShardBytes
		if records || bytes {
			p.add(Problem{
				ID: "shard-full", Severity: Open, Part: PartStream, See: runbook + "#streamthrottledalarm",
				Text: fmt.Sprintf("%s is near its limit of 1,000 records and 1 MiB a second: spread the partition keys, or add shards.", s.Shard),
			})
		}
		switch {
		case s.Records == nil:
		case *s.Records == 0:
			empty = append(empty, s.Shard)
		default:
			used++
			total += *s.Records
		}
	}
	if used > 0 && len(empty) > 0 && total >= ShardRecords {
		p.add(Problem{
			ID: "shard-empty", Severity: Note, Part: PartStream, See: "docs/operations/quotas.md",
			Text: fmt.Sprintf("No record went to %s: the partition key puts all of them into other shards, so the stream takes less than its shards do.", strings.Join(empty, ", ")),
		})
	}
}

// addReport says what the verdict asks for.
func (p *problems) addReport(s *stack.Status) {
	r := s.Last
	if r == nil {
		p.add(Problem{ID: "not-judged", Severity: Open, Part: PartProof, Text: "Nothing was judged yet.", Commands: []string{"streamproof verify"}})
		return
	}
	summary := r.Summary()
	fails := map[string]bool{}
	for _, line := range append(summary.Balance, summary.Besides...) {
		fails[line.Name] = line.Fails
	}
	for _, step := range summary.Next {
		one := Problem{ID: "verdict-" + strings.ReplaceAll(step.Class, " ", "-"), Severity: Note, Part: PartProof, Commands: step.Commands, See: step.See, Text: step.Text}
		switch {
		case fails[step.Class]:
			one.Severity, one.Text = Wrong, fmt.Sprintf("%d %s. %s", step.Count, step.Class, step.Text)
		case step.Class == "undecided":
			one.Severity = Open
			if len(r.Reasons) > 0 {
				one.Text = strings.Join(r.Reasons, "; ") + ". " + step.Text
			}
		}
		p.add(one)
	}
	if last := s.Ledger.Last; last != nil && last.Time.After(r.JudgedAt) {
		p.add(Problem{ID: "verdict-old", Severity: Note, Part: PartProof, Text: "Ticks were sent since the last verdict.", Commands: []string{"streamproof verify"}})
	}
}
