// Package referee counts what a stack has delivered, independently of the verifier's code. It reads every shard of the
// stream, the ledger's JSON, and every line under the data prefix. It filters and projects records with a few lines of
// plain Go, and pays rows one by one in the order of time, as docs/proof.md says. It supports only this repository's
// pipeline, and CSV without quotes.
package referee

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	from "streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/stream/kpl"
)

// ReadStream reads all shards from their beginning and counts the copies of each record, by its bytes. An aggregate
// counts as the records in it.
func ReadStream(ctx context.Context, client *kinesis.Client, stream string) (map[string]int, error) {
	held := map[string]int{}
	arrivals, err := ReadArrivals(ctx, client, stream)
	for _, a := range arrivals {
		held[a.Data]++
	}
	return held, err
}

// An Arrival is a record of the stream, or one out of an aggregate.
type Arrival struct {
	Data string
	At   time.Time
}

// ReadArrivals reads all shards from their beginning.
func ReadArrivals(ctx context.Context, client *kinesis.Client, stream string) (all []Arrival, err error) {
	var shards []types.Shard
	for in := (&kinesis.ListShardsInput{StreamName: &stream}); ; {
		page, err := client.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		shards = append(shards, page.Shards...)
		if page.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
	for _, shard := range shards {
		begin, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
			StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			return nil, err
		}
		for iterator := begin.ShardIterator; iterator != nil; {
			out, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				return nil, err
			}
			for _, record := range out.Records {
				packed, aggregated, err := kpl.Deaggregate(record.Data)
				if !aggregated || err != nil { // a malformed one is sent as it is
					packed = []kpl.Record{{Data: record.Data}}
				}
				for _, one := range packed {
					all = append(all, Arrival{string(one.Data), aws.ToTime(record.ApproximateArrivalTimestamp)})
				}
			}
			if len(out.Records) == 0 && aws.ToInt64(out.MillisBehindLatest) == 0 {
				break
			}
			iterator = out.NextShardIterator
		}
	}
	return all, nil
}

// A Tick is one of the ledger's.
type Tick struct {
	State         string    `json:"state"`
	Tick          time.Time `json:"tick"`
	ClaimedAt     time.Time `json:"claimedAt"`
	LeaseEnd      time.Time `json:"leaseEnd"`
	Seed          uint64    `json:"seed"`
	Records       int       `json:"records"`
	SpreadSeconds int       `json:"spreadSeconds"`
	Poison        int       `json:"poison"`
	Aggregation   string    `json:"aggregation"`
	Outcomes      []struct {
		First   int    `json:"first"`
		Last    int    `json:"last"`
		Outcome string `json:"outcome"`
		Lo      int    `json:"lo"`
		Hi      int    `json:"hi"`
	} `json:"outcomes"`
}

// A Record is one of a tick, and how often the stream may hold it.
type Record struct {
	Data    string
	Outcome string // "" where the tick crashed before it was written down
	Lo, Hi  int    // Hi is meaningless without an outcome
}

// All makes the records of the tick.
func (t *Tick) All() ([]Record, error) {
	p, err := pipeline.Embedded()
	if err != nil {
		return nil, err
	}
	g, err := generator.New(p, t.Seed)
	if err != nil {
		return nil, err
	}
	of := generator.Tick{Time: t.Tick, Records: t.Records, Spread: time.Duration(t.SpreadSeconds) * time.Second, Poison: t.Poison, Aggregates: t.Aggregation == "kpl"}
	records := make([]Record, t.Records)
	for i := range records {
		records[i].Data = string(g.Append(nil, of, i))
	}
	for _, o := range t.Outcomes {
		for i := o.First; i <= o.Last; i++ {
			records[i].Outcome, records[i].Lo, records[i].Hi = o.Outcome, o.Lo, o.Hi
		}
	}
	return records, nil
}

// ReadLedger reads the ticks of a bucket's ledger, in the order of their claims.
func ReadLedger(ctx context.Context, client *s3.Client, bucket string) ([]*Tick, error) {
	var ticks []*Tick
	err := each(ctx, client, bucket, "ledger/ticks/", func(key string, written time.Time, data []byte) error {
		tick := new(Tick)
		if err := json.Unmarshal(data, tick); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if tick.ClaimedAt.IsZero() {
			tick.ClaimedAt = written // the claim itself
		}
		ticks = append(ticks, tick)
		return nil
	})
	slices.SortFunc(ticks, func(a, b *Tick) int { return a.ClaimedAt.Compare(b.ClaimedAt) })
	return ticks, err
}

// Held counts records by their outcome and their copies in the stream: Held["unknown"][0] is the number of unknown
// records that it does not hold.
type Held map[string]map[int]int

// CheckLedger compares what the ledger says about each record with the copies in the stream. It returns the number of
// records compared, and the differences.
func CheckLedger(ticks []*Tick, stream map[string]int) (held Held, records int, problems []string, err error) {
	type bounds struct {
		lo, hi    int
		unbounded bool
		says      []string
	}
	all := map[string]*bounds{}
	held = Held{}
	for _, tick := range ticks {
		of, err := tick.All()
		if err != nil {
			return nil, 0, nil, err
		}
		for i, r := range of {
			b := all[r.Data]
			if b == nil {
				b = &bounds{}
				all[r.Data] = b
			}
			b.lo += r.Lo
			b.hi += r.Hi
			b.unbounded = b.unbounded || r.Outcome == ""
			b.says = append(b.says, fmt.Sprintf("record %d of tick %s is %q, %d to %d", i, tick.Tick.Format(time.RFC3339Nano), r.Outcome, r.Lo, r.Hi))
			records++
			outcome := cmp.Or(r.Outcome, "crashed")
			if held[outcome] == nil {
				held[outcome] = map[int]int{}
			}
			held[outcome][stream[r.Data]]++
		}
	}
	for data, b := range all {
		if n := stream[data]; n < b.lo || n > b.hi && !b.unbounded {
			problems = append(problems, fmt.Sprintf("the stream holds %d copies of %q: %s", n, data, strings.Join(b.says, "; ")))
		}
	}
	for data, n := range stream {
		if all[data] == nil {
			problems = append(problems, fmt.Sprintf("the stream holds %d copies of %q, which is in no tick", n, data))
		}
	}
	slices.Sort(problems)
	return held, records, problems, nil
}

// String gives the numbers by outcome.
func (h Held) String() string {
	var b strings.Builder
	for _, outcome := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%s:", outcome)
		for _, copies := range slices.Sorted(maps.Keys(h[outcome])) {
			fmt.Fprintf(&b, " %d×%d", h[outcome][copies], copies)
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// A Row is what the pipeline makes of a record.
type Row struct {
	Vendor, Passengers int32
	Distance, Total    float32
}

// Project computes the pipeline: the columns COL0, COL3, COL4 and COL18 of the records of vendors 1 and 2.
func Project(record string) (row Row, kept bool, err error) {
	fields := strings.Split(strings.TrimSuffix(record, "\n"), ",")
	if len(fields) != 19 {
		return Row{}, false, fmt.Errorf("the record %q has %d columns", record, len(fields))
	}
	row, err = parse(fields[0], fields[3], fields[4], fields[18])
	return row, row.Vendor < 3, err
}

func parse(vendor, passengers, distance, total string) (row Row, err error) {
	for _, n := range []struct {
		text string
		into *int32
	}{{vendor, &row.Vendor}, {passengers, &row.Passengers}} {
		v, err := strconv.ParseInt(n.text, 10, 32)
		if err != nil {
			return row, err
		}
		*n.into = int32(v)
	}
	for _, n := range []struct {
		text string
		into *float32
	}{{distance, &row.Distance}, {total, &row.Total}} {
		v, err := strconv.ParseFloat(n.text, 32)
		if err != nil {
			return row, err
		}
		*n.into = float32(v)
	}
	return row, nil
}

// An Object is one under the data prefix.
type Object struct {
	Key     string
	Written time.Time
	Rows    []Row
}

// ReadRows reads every object under a prefix.
func ReadRows(ctx context.Context, client *s3.Client, bucket, prefix string) ([]Object, error) {
	var objects []Object
	err := each(ctx, client, bucket, prefix, func(key string, written time.Time, data []byte) error {
		o := Object{Key: key, Written: written}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			fields := strings.Split(lines.Text(), ",")
			if len(fields) != 4 {
				return fmt.Errorf("%s has the line %q", key, lines.Text())
			}
			row, err := parse(fields[0], fields[1], fields[2], fields[3])
			if err != nil {
				return fmt.Errorf("%s has the line %q: %w", key, lines.Text(), err)
			}
			o.Rows = append(o.Rows, row)
		}
		if len(data) > 0 && data[len(data)-1] != '\n' {
			return fmt.Errorf("%s does not end with a newline", key)
		}
		objects = append(objects, o)
		return lines.Err()
	})
	return objects, err
}

// each reads all objects under a prefix.
func each(ctx context.Context, client *s3.Client, bucket, prefix string, do func(key string, written time.Time, data []byte) error) error {
	for page, err := range from.Pages(ctx, client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}) {
		if err != nil {
			return err
		}
		for _, object := range page.Contents {
			out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
			if err != nil {
				return err
			}
			data, err := io.ReadAll(out.Body)
			_ = out.Body.Close()
			if err != nil {
				return err
			}
			if err := do(*object.Key, *object.LastModified, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// Counts are rows.
type Counts struct {
	Owed       int64 // lo of all ticks
	Delivered  int64 // copies that paid
	Recovered  int64 // those of them that paid above lo
	Missing    int64 // lo that nothing paid
	Duplicated int64 // copies of a row that was owed before, beyond what was owed
	Unexpected int64 // all other copies
	Crashed    int   // ticks that have no manifest

	// What happened to the records that the stream holds.
	InStream int64 // rows that the stream's records come to, copies included
	Lost     int64 // those that are in no object
	Doubled  int64 // rows in objects beyond those of the stream: what the pipeline itself has doubled
}

// Count pays rows in the order of time.
func Count(ticks []*Tick, stream map[string]int, objects []Object) (Counts, error) {
	var c Counts
	type event struct {
		at     time.Time
		tick   *Tick // nil for an object
		object *Object
	}
	var events []event
	for _, tick := range ticks {
		events = append(events, event{at: tick.ClaimedAt.Truncate(time.Second), tick: tick})
		if tick.State != "complete" {
			c.Crashed++
		}
	}
	for i := range objects {
		events = append(events, event{at: objects[i].Written.Truncate(time.Second), object: &objects[i]})
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) }) // claims stand before objects
	type account struct {
		lo, more  int64 // open
		unbounded bool
		owed      bool
	}
	rows := map[Row]*account{}
	for _, e := range events {
		if e.tick != nil {
			records, err := e.tick.All()
			if err != nil {
				return c, err
			}
			for _, r := range records {
				row, kept, err := Project(r.Data)
				if err != nil {
					return c, err
				}
				if !kept {
					continue
				}
				a := rows[row]
				if a == nil {
					a = &account{}
					rows[row] = a
				}
				c.Owed += int64(r.Lo)
				a.lo += int64(r.Lo)
				a.more += int64(r.Hi - r.Lo)
				a.unbounded = a.unbounded || r.Outcome == ""
				a.owed = a.owed || r.Outcome == "" || r.Hi > 0
			}
			continue
		}
		for _, row := range e.object.Rows {
			a := rows[row]
			switch {
			case a == nil || !a.owed:
				c.Unexpected++
			case a.lo > 0:
				a.lo--
				c.Delivered++
			case a.more > 0:
				a.more--
				c.Delivered++
				c.Recovered++
			case a.unbounded:
				c.Delivered++
				c.Recovered++
			default:
				c.Duplicated++
			}
		}
	}
	for _, a := range rows {
		c.Missing += a.lo
	}

	balance := map[Row]int64{}
	for data, n := range stream {
		row, kept, err := Project(data)
		if err != nil {
			return c, err
		}
		if kept {
			balance[row] += int64(n)
			c.InStream += int64(n)
		}
	}
	for _, o := range objects {
		for _, row := range o.Rows {
			balance[row]--
		}
	}
	for _, n := range balance {
		c.Lost += max(n, 0)
		c.Doubled += max(-n, 0)
	}
	return c, nil
}

// Balance is what became of the rows of the stream's records.
type Balance struct {
	Owed      int64
	Delivered int64 // copies that paid for one
	Missing   int64 // rows that nothing paid
	Surplus   int64 // copies that paid for nothing
}

// CountArrivals pays the rows of a stream in the order of time: a copy pays for a record that arrived before it was
// written, give or take the difference of two clocks.
func CountArrivals(arrivals []Arrival, objects []Object, clocks time.Duration) (b Balance, err error) {
	type event struct {
		at   time.Time
		rows []Row
		owed bool
	}
	var events []event
	for _, a := range arrivals {
		row, kept, err := Project(a.Data)
		if err != nil {
			return b, err
		}
		if kept {
			events = append(events, event{a.At.Truncate(time.Second).Add(-clocks), []Row{row}, true})
		}
	}
	for _, o := range objects {
		events = append(events, event{o.Written.Truncate(time.Second), o.Rows, false})
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) }) // arrivals stand before objects
	open := map[Row]int64{}
	for _, e := range events {
		for _, row := range e.rows {
			switch {
			case e.owed:
				b.Owed++
				open[row]++
			case open[row] > 0:
				b.Delivered++
				open[row]--
			default:
				b.Surplus++
			}
		}
	}
	b.Missing = b.Owed - b.Delivered
	return b, nil
}
