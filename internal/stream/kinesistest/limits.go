package kinesistest

import "time"

// Limits are those that Kinesis sets to all readers of a shard together: five reads and 2 MB a second, 10 MB an answer,
// and no read after an answer for as long as it takes at 2 MB a second.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
type Limits struct {
	Refusals int

	reads        []time.Time // of the last second
	refusesUntil time.Time
}

// The limits.
const (
	MaxAnswerBytes = 10 << 20
	readsPerSecond = 5
	bytesPerSecond = 2 << 20
)

// Allow reports whether the shard may be read now.
func (l *Limits) Allow() bool {
	now := time.Now()
	for len(l.reads) > 0 && now.Sub(l.reads[0]) >= time.Second {
		l.reads = l.reads[1:]
	}
	if len(l.reads) == readsPerSecond || now.Before(l.refusesUntil) {
		l.Refusals++
		return false
	}
	l.reads = append(l.reads, now)
	return true
}

// Answered counts the bytes of an answer, which may be another reader's.
func (l *Limits) Answered(bytes int) {
	l.refusesUntil = time.Now().Add(time.Duration(bytes) * time.Second / bytesPerSecond)
}
