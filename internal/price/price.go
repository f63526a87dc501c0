// Package price computes what a stack costs on AWS from its parameters.
//
// It is the home of the prices. docs/operations/cost.md shows them with where they were read, and what follows from
// them for some rates; a test keeps its tables equal to what this package says.
package price

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Region is the region of the prices. Other regions have others.
const Region = "eu-west-1"

// Read is when the prices were read.
const Read = "2026-11-24"

// Month is the period of a cost: 30 days.
const Month = 30 * 24 * time.Hour

// US dollars, each for the unit in its name.
const (
	shardHour          = 0.017
	payloadUnits       = 0.0165 // a million
	onDemandHour       = 0.044
	onDemandGB         = 0.088 + 0.044 // in, and out once
	kpuHour            = 0.12
	runningStorage     = 0.11 // a GB-month
	firehoseGB         = 0.031
	lambdaGBSecond     = 0.0000133334
	s3Put              = 0.000005 // or a list
	s3Get              = 0.0000004
	customMetric       = 0.30
	alarmMetric        = 0.10
	logsGB             = 0.57
	kmsKey             = 1.00
	kpuStorage         = 50      // GB of running storage that a KPU brings
	gib                = 1 << 30 // Kinesis and Firehose bill these
	firehoseUnit       = 5 << 10 // bytes, to which Firehose rounds a record up
	producerMemory     = 0.5     // GB
	verifierMemory     = 2.0
	verifierMetrics    = 17
	producerMetrics    = 5 // and one for each shard
	transformMetrics   = 2
	onDemandShards     = 4 // of a new stream
	putsPerVerdict     = 5 // of the report and the state
	verifierListsFixed = 7
)

// What was measured (docs/packing.md), for the pipeline's own schema and query.
const (
	recordBytes       = 171.0
	rowsPerRecord     = 50_171.0 / 100_000
	rowBytes          = 742_335.0 / 50_171
	unitsPerAggregate = 0.0068 // payload units a record, with Aggregation=kpl
)

// A Stack is what the cost of a stack depends on.
type Stack struct {
	Scheduled      bool          // ticks and verdicts are produced on their schedules
	Tick, Verdict  time.Duration // between two of them
	Records        int           // of a tick
	Spread         time.Duration
	OnDemand       bool
	Shards         int
	Aggregated     bool
	Parallelism    int
	Pack           int // bytes of rows in a Firehose record at most
	PackDelay      time.Duration
	BufferBytes    int
	BufferInterval time.Duration
	Transformed    bool
	OwnKey         bool
	AlarmMetrics   int // CloudWatch bills an alarm by them
}

// An Item is one part of the cost, in US dollars for a Month.
type Item struct {
	Part string `json:"part"`
	How  string `json:"how"`
	// Running is the cost while the stack works, Paused what remains of it after `streamproof pause`.
	Running float64 `json:"running"`
	Paused  float64 `json:"paused"`
}

// Items returns the parts of the cost. It leaves out what costs next to nothing in a month (requests of Lambda, SQS,
// SNS, the Scheduler and KMS, and the first three dashboards), storage, data transfer, taxes and free tiers.
func (s Stack) Items() []Item {
	var items []Item
	add := func(part, how string, running, paused float64) {
		items = append(items, Item{part, how, running, paused})
	}
	hours := Month.Hours()
	ticks, verdicts := Month.Seconds()/s.Tick.Seconds(), Month.Seconds()/s.Verdict.Seconds()
	if !s.Scheduled {
		ticks, verdicts = 0, 0
	}
	spread := max(s.Spread.Seconds(), 0.5) // what a tick takes that is not spread: assumed
	records := float64(s.Records)
	rows := records * rowsPerRecord

	// A record is one unit. With aggregation an aggregate is, and there is at least one a second.
	units := records
	if s.Aggregated {
		units = min(records, max(records*unitsPerAggregate, spread))
	}
	shards := s.Shards
	if s.OnDemand {
		shards = onDemandShards
		// Each record is rounded up to 1 KB.
		billed := ticks * units * math.Ceil(records*recordBytes/units/1024) * 1024 / gib
		add("Kinesis: on-demand", "hours, and GiB in and out with each record rounded up to 1 KB", hours*onDemandHour+billed*onDemandGB, hours*onDemandHour)
	} else {
		cost := float64(shards) * hours * shardHour
		add("Kinesis: shards", "shards × hours × 0.017", cost, cost)
		add("Kinesis: payload units", "million × 0.0165; a record is one, or an aggregate", ticks*units/1e6*payloadUnits, 0)
	}
	add("Flink: processing units", "(`Parallelism` + 1) × hours × 0.12", float64(s.Parallelism+1)*hours*kpuHour, 0)
	add("Flink: running storage", "`Parallelism` × 50 GB × 0.11", float64(s.Parallelism)*kpuStorage*runningStorage, 0)
	add("Firehose", "GiB, each record rounded up to 5 KB, × 0.031", ticks*s.firehoseBytes(rows, spread)/gib*firehoseGB, 0)
	seconds := s.Spread.Seconds() + 0.3
	if s.Spread == 0 {
		seconds = spread
	}
	add("Producer", "ticks × (`SpreadSeconds` + 0.3) × 0.5 GB × 0.0000133334", ticks*seconds*producerMemory*lambdaGBSecond, 0)
	rate := records / s.Tick.Seconds()
	cost := verdicts * (2 + rate/2000) * verifierMemory * lambdaGBSecond
	add("Verifier", "verdicts × (2 + records a second / 2,000: assumed) × 2 GB × 0.0000133334", cost, cost)
	add("S3: ledger", "ticks × (2 + one each 5 s) × 0.000005", ticks*(2+math.Floor(s.Spread.Seconds()/5))*s3Put, 0)
	objects := s.objects(rows, spread)
	add("S3: rows", "ticks × objects × 0.000005", ticks*objects*s3Put, 0)
	cost = verdicts * putsPerVerdict * s3Put
	add("S3: reports and state", "verdicts × 5 × 0.000005", cost, cost)
	// It lists the rows of 26 hours, 1,000 to a page, and reads what is new since some minutes before the last verdict.
	perMinute := objects / s.Tick.Minutes()
	cost = verdicts * ((verifierListsFixed+math.Ceil(26*60*perMinute/1000))*s3Put + (21+12*perMinute)*s3Get)
	add("S3: verifier", "verdicts × (lists × 0.000005 + reads × 0.0000004), assumed", cost, cost)
	metrics, kept := 0, 0
	if s.Scheduled {
		metrics, kept = verifierMetrics+producerMetrics+shards, verifierMetrics
		if s.Transformed {
			metrics += transformMetrics
		}
	}
	add("CloudWatch: metrics", "(17 + 5 + shards, 2 of a transform) × 0.30", float64(metrics)*customMetric, float64(kept)*customMetric)
	cost = float64(s.AlarmMetrics) * alarmMetric
	add("CloudWatch: alarms", "metrics in alarms × 0.10", cost, cost)
	logged := func(ticks float64) float64 {
		return (ticks*(0.5+0.3*float64(shards)) + verdicts*6) * 1e3 / 1e9 * logsGB
	}
	add("CloudWatch: logs", "GB × 0.57; a tick 0.5 KB and 0.3 a shard, a verdict 6", logged(ticks), logged(0))
	if s.OwnKey {
		add("KMS key", "1.00, and its requests", kmsKey, kmsKey)
	}
	return items
}

// firehoseBytes is what Firehose bills for the rows of a tick.
func (s Stack) firehoseBytes(rows, spread float64) float64 {
	payload := rows * rowBytes
	full := float64(s.Pack)
	pack := min(payload, payload/spread*s.PackDelay.Seconds()) // what comes until a pack has to go
	switch {
	case pack >= full:
		return math.Ceil(payload/firehoseUnit) * firehoseUnit // only the last one is not full
	case pack <= firehoseUnit:
		return min(rows, max(1, spread/s.PackDelay.Seconds())) * firehoseUnit
	default:
		return payload * (pack + firehoseUnit/2) / pack // half of the last unit is empty, on average
	}
}

// objects is how many objects the rows of a tick become.
func (s Stack) objects(rows, spread float64) float64 {
	interval := max(s.BufferInterval.Seconds(), 1)
	byTime := max(spread, s.Tick.Seconds()) / interval // the rows of several ticks may be one
	if interval < s.Tick.Seconds() {
		byTime = max(1, spread/interval)
	}
	return max(byTime, math.Ceil(rows*rowBytes/float64(s.BufferBytes)))
}

// Total sums up the items: the cost of a Month, running and paused.
func Total(items []Item) (running, paused float64) {
	for _, item := range items {
		running, paused = running+item.Running, paused+item.Paused
	}
	return running, paused
}

// FromTemplate reads what decides the cost of a stack from the template: its alarms, and its parameters' defaults,
// which set overrides.
func FromTemplate(template []byte, set map[string]string) (Stack, error) {
	var t struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Condition  string `yaml:"Condition"`
			Properties struct {
				Metrics []struct {
					MetricStat yaml.Node `yaml:"MetricStat"`
				} `yaml:"Metrics"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return Stack{}, fmt.Errorf("read the template: %w", err)
	}
	p := parameters{set: set, defaults: map[string]string{}}
	for name, parameter := range t.Parameters {
		p.defaults[name] = parameter.Default
	}
	s := Stack{
		Scheduled:      p.get("ScheduleState") == "ENABLED",
		Tick:           p.rate("ScheduleExpression"),
		Verdict:        p.rate("VerifySchedule"),
		Records:        p.int("RecordsPerTick"),
		Spread:         p.seconds("SpreadSeconds"),
		OnDemand:       p.get("StreamMode") == "ON_DEMAND",
		Shards:         p.int("ShardCount"),
		Aggregated:     p.get("Aggregation") != "none",
		Parallelism:    p.int("Parallelism"),
		PackDelay:      p.seconds("PackDelaySeconds"),
		BufferBytes:    p.int("BufferSizeMB") << 20,
		BufferInterval: p.seconds("BufferIntervalSeconds"),
		Transformed:    p.get("Transform") != "none",
		OwnKey:         p.get("KmsKeyArn") != "",
	}
	switch {
	case p.get("PackKiB") != "auto":
		s.Pack = p.int("PackKiB") << 10
	case s.Transformed:
		s.Pack = 10 << 10
	default:
		s.Pack = 100 << 10
	}
	for _, r := range t.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" || r.Condition == "OnSchedule" && !s.Scheduled {
			continue
		}
		metrics := 0
		for _, m := range r.Properties.Metrics {
			if !m.MetricStat.IsZero() {
				metrics++
			}
		}
		s.AlarmMetrics += max(1, metrics) // one that looks at a single metric has no list of them
	}
	return s, p.err
}

// parameters are the parameters of a stack. They keep the first fault.
type parameters struct {
	set, defaults map[string]string
	err           error
}

func (p *parameters) get(name string) string {
	if value, ok := p.set[name]; ok {
		return value
	}
	value, ok := p.defaults[name]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("the template has no parameter %s", name)
	}
	return value
}

func (p *parameters) int(name string) int {
	value, err := strconv.Atoi(p.get(name))
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("parameter %s is %q: want a number", name, p.get(name))
	}
	return value
}

func (p *parameters) seconds(name string) time.Duration {
	return time.Duration(p.int(name)) * time.Second
}

// rate reads a schedule such as rate(5 minutes).
func (p *parameters) rate(name string) time.Duration {
	count, unit, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(p.get(name), "rate("), ")"), " ")
	n, err := strconv.Atoi(count)
	each := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(unit, "s")]
	if err != nil || n < 1 || each == 0 {
		if p.err == nil {
			p.err = fmt.Errorf("parameter %s is %q: want a rate such as rate(5 minutes)", name, p.get(name))
		}
		return time.Minute
	}
	return time.Duration(n) * each
}
