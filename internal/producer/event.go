package producer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"streamproof/internal/generator"
)

// placeholder stands in the schedule's Input. EventBridge Scheduler replaces it by the scheduled time; the emulator
// does not.
const placeholder = "<aws.scheduler.scheduled-time>"

// OldestTick is how old a tick may be when its event arrives. Verifications look back a little further.
//
// A repeated event is never that late, whatever the schedule's rate. After a tick's time, by the template:
//
//	60 s   until EventBridge Scheduler calls Lambda, which it does to the minute
//	300 s  during which it repeats a call that Lambda refused (RetryPolicy)
//	600 s  during which Lambda keeps the event (EventInvokeConfig)
//
// So the last attempt starts within 960 s, or 16 minutes, of the tick's time; 24 hours are 90 times that. The 600 s
// leave room for Lambda's two retries, 1 and 2 minutes after a failure: 3 × 120 s (Timeout) + 60 s + 120 s = 540 s.
//
// A late event is not judged wrongly either. If it finds the tick claimed, it succeeds and sends nothing: the tick is
// complete, in progress or crashed. An attempt's lease is its timeout, so a retry, a minute after Lambda killed the
// attempt, finds the lease over. If it claims the tick, the deadline counts from its own claim and manifest, not from
// the tick's time. With AWS's longest ages (24 hours and 6), an event could be refused here: before anything is
// claimed, so nothing is owed.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
const OldestTick = 24 * time.Hour

// NewestTick is how far a tick may be ahead of the clock: as far as two clocks may differ. A tick years ahead would be
// due years from now, and would stay the ledger's last.
const NewestTick = 5 * time.Minute

// CheckRecords returns why a person should not ask for a tick of so many records, of which poison are malformed on
// purpose; nil if nothing is against it.
func CheckRecords(records, poison int) error {
	if records < 1 || records > MaxRecords {
		return fmt.Errorf("cannot produce %d records: give 1 to %d", records, MaxRecords)
	}
	if poison < 0 || poison > records {
		return fmt.Errorf("poison is %d: of %d records, 0 to %d can be malformed", poison, records, records)
	}
	return nil
}

// CheckTick returns why a person should not ask for a tick now, nil if nothing is against it.
func CheckTick(tick, now time.Time) error {
	if tick.After(now.Add(NewestTick)) {
		return fmt.Errorf("more than %s ahead: give an earlier one", NewestTick)
	}
	return checkTick(tick, now)
}

func checkTick(tick, now time.Time) error {
	switch {
	case !tick.Equal(tick.Truncate(time.Millisecond)):
		return errors.New("use at most milliseconds")
	case tick.Before(now.Add(-OldestTick)):
		// Verifications do not look further back, and would not find it.
		return fmt.Errorf("more than %s ago: give a later one", OldestTick)
	}
	return nil
}

// An order is what an event asks for.
type order struct {
	tick    time.Time // UTC, in milliseconds
	records int
	poison  int // how many of the records are malformed on purpose
	// key is the partition key's name, empty for the function's own.
	key string
}

// readEvent reads an event that arrived at this time. There are three forms:
//
//	{"scheduledTime": "2026-01-02T03:04:00Z"}                         the schedule's Input
//	{"detail-type": "Scheduled Event", "time": "…", …}                EventBridge's own
//	{"records": 1000, "poison": 20, "tick": "2026-01-02T03:04:05Z"}   by hand; each member is optional, as is
//	                                                                  "partitionKey": "uniform" or a column's name
func readEvent(event []byte, arrived time.Time, records int) (order, error) {
	o := order{tick: arrived.UTC().Truncate(time.Millisecond), records: records}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(event, &fields); err != nil || fields == nil {
		return o, fmt.Errorf("event is %s, want a JSON object", excerpt(event))
	}

	if detailType, ok := fields["detail-type"]; ok {
		if string(detailType) != `"Scheduled Event"` {
			return o, fmt.Errorf(`event: detail-type is %s, want "Scheduled Event"`, excerpt(detailType))
		}
		at, ok := fields["time"]
		if !ok {
			return o, errors.New("event: a Scheduled Event without a time")
		}
		return o, o.readTime("time", at, arrived)
	}

	if at, ok := fields["scheduledTime"]; ok {
		if err := onlyKnown(fields, "scheduledTime"); err != nil {
			return o, err
		}
		if string(at) == `"`+placeholder+`"` || string(at) == `"\u003caws.scheduler.scheduled-time\u003e"` {
			o.tick = o.tick.Truncate(time.Second)
			return o, nil
		}
		return o, o.readTime("scheduledTime", at, arrived)
	}

	if err := onlyKnown(fields, "records", "poison", "tick", "partitionKey"); err != nil {
		return o, err
	}
	if err := readNumber(fields, "records", &o.records, 1, MaxRecords); err != nil {
		return o, err
	}
	if err := readNumber(fields, "poison", &o.poison, 0, o.records); err != nil {
		return o, err
	}
	if name, ok := fields["partitionKey"]; ok {
		if err := json.Unmarshal(name, &o.key); err != nil || o.key == "" {
			return o, fmt.Errorf("event: partitionKey is %s, want the name of a column, or %q", excerpt(name), generator.Uniform)
		}
	}
	if at, ok := fields["tick"]; ok {
		return o, o.readTime("tick", at, arrived)
	}
	return o, nil
}

// readNumber reads an integer, if the event has it.
func readNumber(fields map[string]json.RawMessage, field string, into *int, low, high int) error {
	value, ok := fields[field]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil || string(value) == "null" {
		return fmt.Errorf("event: %s is %s, want a whole number", field, excerpt(value))
	}
	if *into < low || *into > high {
		return fmt.Errorf("event: %s is %d, want %d to %d", field, *into, low, high)
	}
	return nil
}

func (o *order) readTime(field string, value json.RawMessage, arrived time.Time) error {
	var text string
	if err := json.Unmarshal(value, &text); err != nil || string(value) == "null" {
		return fmt.Errorf("event: %s is %s, want a string", field, excerpt(value))
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("event: %s is %q, want a time as 2026-01-02T03:04:05Z", field, text)
	}
	if err := checkTick(at, arrived); err != nil {
		return fmt.Errorf("event: %s is %s, %w", field, text, err)
	}
	if at.UTC().Year() > 9998 {
		// A record's times have four digits for the year, and a trip can end in the next.
		return fmt.Errorf("event: %s is %s, want a year up to 9998", field, text)
	}
	o.tick = at.UTC()
	return nil
}

func onlyKnown(fields map[string]json.RawMessage, known ...string) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf(`event: %s is not a member of an event; give {"records": N, "poison": K, "tick": "time", "partitionKey": "column"}, {"scheduledTime": "time"} or a Scheduled Event`, strings.Join(unknown, ", "))
}

// excerpt is the start of what was sent, for an error.
func excerpt(data []byte) string {
	const most = 60
	if len(data) == 0 {
		return "empty"
	}
	if len(data) > most {
		return strings.ToValidUTF8(string(data[:most]), "") + "…"
	}
	return string(data)
}
