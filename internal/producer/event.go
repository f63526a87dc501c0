package producer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// placeholder stands in the schedule's Input. EventBridge Scheduler puts the scheduled time in its place, the emulator
// does not.
const placeholder = "<aws.scheduler.scheduled-time>"

// OldestTick is how long ago a tick may be when its event arrives. Verifications look back a little further.
//
// No repetition of a scheduled event comes so late, whatever the schedule's rate. After a tick's time, by the template:
//
//	60 s   until EventBridge Scheduler calls Lambda, which it does to the minute
//	300 s  for which it repeats a call that Lambda refused (RetryPolicy)
//	600 s  for which Lambda keeps the event (EventInvokeConfig)
//
// So the last attempt begins 960 s, or 16 minutes, after the tick's time, and 24 hours are 90 times that. The 600 s have room
// for Lambda's two retries, which come 1 and 2 minutes after a failure: 3 × 120 s (Timeout) + 60 s + 120 s = 540 s.
//
// Nor is a late one judged wrongly. What it finds claimed is a success that sends nothing: complete, in progress, or crashed. An
// attempt's lease is its time-out, so that a retry, a minute after Lambda has killed it, finds the lease over. What it claims is
// due by its own claim and manifest, and no clock starts at the tick's time. Were AWS's longest ages set (24 hours and 6), an event
// could be refused here: before anything is claimed, so that nobody owes it.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
const OldestTick = 24 * time.Hour

// NewestTick is how far a tick may lie ahead of the clock: as far as two clocks may differ. One further ahead would be due years
// from now, and be the last of the ledger until then.
const NewestTick = 5 * time.Minute

// CheckTick says why a person should not ask for a tick now, nil where nothing is against it.
func CheckTick(tick, now time.Time) error {
	if tick.After(now.Add(NewestTick)) {
		return fmt.Errorf("which is more than %s ahead: give an earlier one", NewestTick)
	}
	return checkTick(tick, now)
}

func checkTick(tick, now time.Time) error {
	switch {
	case !tick.Equal(tick.Truncate(time.Millisecond)):
		return errors.New("want no more than milliseconds")
	case tick.Before(now.Add(-OldestTick)):
		// Verifications look no further back, and would not find it.
		return fmt.Errorf("which is more than %s ago: give a later one", OldestTick)
	}
	return nil
}

// An order is what an event asks for.
type order struct {
	tick    time.Time // UTC, in whole milliseconds
	records int
	poison  int // how many of the records are malformed on purpose
}

// readEvent reads an event that arrived at this time. It has one of three forms:
//
//	{"scheduledTime": "2026-01-02T03:04:00Z"}                         the schedule's Input
//	{"detail-type": "Scheduled Event", "time": "…", …}                EventBridge's own
//	{"records": 1000, "poison": 20, "tick": "2026-01-02T03:04:05Z"}   by hand; each may be left out
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

	if err := onlyKnown(fields, "records", "poison", "tick"); err != nil {
		return o, err
	}
	if err := readNumber(fields, "records", &o.records, 1, MaxRecords); err != nil {
		return o, err
	}
	if err := readNumber(fields, "poison", &o.poison, 0, o.records); err != nil {
		return o, err
	}
	if at, ok := fields["tick"]; ok {
		return o, o.readTime("tick", at, arrived)
	}
	return o, nil
}

// readNumber reads a whole number, where the event has it.
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
		// A record's times have four digits for the year, the later ones of a trip too.
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
	return fmt.Errorf(`event: %s is not known here; give {"records": N, "poison": K, "tick": "time"}, {"scheduledTime": "time"} or a Scheduled Event`, strings.Join(unknown, ", "))
}

// excerpt is the beginning of what somebody sent, for an error.
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
