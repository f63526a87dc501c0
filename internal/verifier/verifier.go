package verifier

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
)

// Options say what is judged.
type Options struct {
	// DataPrefix is where the rows are delivered, as ingestion-kinesis/.
	DataPrefix string
	// ErrorsPrefix is where the application's rejects are delivered, as ingestion-kinesis-errors/.
	ErrorsPrefix string
	// DeliveryDeadline is how long after a tick's manifest its rows may take to reach the bucket.
	DeliveryDeadline time.Duration
	// DuplicatesAllowed is how many duplicates do not fail the verdict.
	DuplicatesAllowed int64
	// Watch, unless it is nil, is called when a verification begins to count, and again if it starts over. What it
	// returns is told of every finding in an object, however many there are, but not of what the archive has counted.
	Watch func() func(proof.Class, proof.Spot)
	// Twice, unless it is nil, is told of every line of an object that a repair made whose row is duplicated.
	Twice func(proof.Spot)
	// Open receives all findings that are not accepted, unless it is nil.
	Open func([]proof.Group)
	// Losses, unless it is nil, is given all missing and failed rows that are not accepted, when a verification has drawn
	// up its balance at a moment of the bucket's clock.
	Losses func(now time.Time, losses iter.Seq[replay.Loss])

	// expire keeps in checkpoints what it takes to tag everything that they have counted.
	expire bool
	// hold is about how many bytes of unmatched rows, and of lines that may have been sent, are held before the claims
	// are searched for them; 0 is maxHeld.
	hold int
	// parts is how many parts of the rows are judged at the same time; 0 is one for each core.
	parts int
	// ticks is how many ticks a part of a run reads at once; 0 is maxTicks.
	ticks int
	// useUp records what is left of acceptances, by their keys. It is nil if nothing can be written.
	useUp func(ctx context.Context, left map[string][]proof.Group) error
}

// maxHeld leaves room in the function's memory for the sieves and for the judge's open rows. It holds about a million
// rows.
const maxHeld = 256 << 20

// FailedPrefix is where Firehose puts the records that could not be transformed, as the template sets it.
func (o Options) FailedPrefix() string { return "errors/" + o.DataPrefix + "processing-failed/" }

// overlap reports whether one prefix is inside the other, so that an object would be counted twice.
func (o Options) overlap() bool {
	return strings.HasPrefix(o.DataPrefix, o.ErrorsPrefix) || strings.HasPrefix(o.ErrorsPrefix, o.DataPrefix)
}

// Judge verifies the complete life of a bucket, from its archive on if it has one. It always returns a report: whatever
// keeps it from judging is among the report's reasons, and the verdict is then UNDECIDED.
func Judge(ctx context.Context, b bucket.Bucket, opts Options) *report.Report {
	last, _, _ := loadCheckpoint(ctx, b) // only to learn whether an archive must exist
	archive, err := loadArchive(ctx, b, last)
	if err != nil {
		return undecided(b, opts, err)
	}
	r, _ := (&resumption{bucket: b, opts: opts, archive: archive}).judge(ctx)
	return r
}

// undecided is the report of a verification that cannot start.
func undecided(b bucket.Bucket, opts Options, err error) *report.Report {
	v := newVerification(b, opts, nil, nil, nil)
	v.undecided("%v", err)
	return v.report
}

// maxSentences is how many reasons, and how many notes, a report lists.
const maxSentences = 20

// add appends a sentence that the list does not have yet. Beyond maxSentences, the last one says how many more there
// are.
func add(list []string, more *int, kind, sentence string) []string {
	if slices.Contains(list, sentence) {
		return list
	}
	if len(list) >= maxSentences {
		*more++
		list, sentence = list[:maxSentences], fmt.Sprintf("and %d more %s", *more, kind)
	}
	return append(list, sentence)
}
