package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"pgregory.net/rapid"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/zipped"
)

// twin is the same bucket, in which nothing was ever deleted.
func (l *life) twin() *life { return &life{objects: maps.Clone(l.objects)} }

// expireTagged deletes of what is tagged what is chosen, as the lifecycle may at any time.
func (l *life) expireTagged(chosen func(key string) bool) (n int) {
	for _, key := range slices.Sorted(maps.Keys(l.tags)) {
		if _, there := l.objects[key]; there && chosen(key) {
			delete(l.objects, key)
			n++
		}
	}
	return n
}

func all(string) bool { return true }

func (l *life) archive() *archive { return decoded(l, ArchiveKey, decodeArchive) }

func (l *life) state() *checkpoint { return decoded(l, CheckpointKey, decodeCheckpoint) }

// decoded decodes an object, nil if there is none. It does so once for every version: a guard asks at each tag.
func decoded[T any](l *life, key string, decode func([]byte) (*T, error)) *T {
	o, there := l.objects[key]
	if !there {
		return nil
	}
	if before := l.decoded[key]; before.data == o.data {
		return before.value.(*T)
	}
	v, err := decode([]byte(o.data))
	if err != nil {
		panic(err)
	}
	if l.decoded == nil {
		l.decoded = map[string]decodedObject{}
	}
	l.decoded[key] = decodedObject{o.data, v}
	return v
}

type decodedObject struct {
	data  string
	value any
}

// guard has every tag checked: only what the archive has checkpointed and does not list again, and only once the state
// says that there is an archive.
func (l *life) guard(fail func(format string, args ...any)) {
	l.tagged = func(key string) {
		a, s := l.archive(), l.state()
		switch o := l.objects[key]; {
		case a == nil || a.Base == nil:
			fail("%s is tagged without an archive", key)
		case o.written.After(a.Base.Watermark) || o.seen.After(l.now):
			fail("%s was written at %s, and is tagged at %s by an archive of %s", key, o.written, l.now, a.Base.Watermark)
		case s != nil && s.Covers.ArchivedUntil.IsZero():
			fail("%s is tagged, and the state says nothing of an archive", key)
		case strings.HasPrefix(key, "data/") && key <= a.Base.after("data/", hourLayout):
		case strings.HasPrefix(key, ledger.TicksPrefix) && key <= a.Base.after(ledger.TicksPrefix, dayLayout):
		default:
			fail("%s is tagged, and an increment from %s lists it", key, a.Base.Watermark)
		}
	}
}

// unarchived is the report without what it says of the archive.
func unarchived(r *report.Report) *report.Report {
	c := *r
	c.Covers.ArchivedUntil, c.Key = time.Time{}, ""
	return &c
}

// TestExpiryChangesNoVerdict has a stack live for days, with every kind of fault, and verifies it in increments
// and in full, by one verifier or two at once, which are killed anywhere, lose the state or the archive or both, while
// any of what is tagged is deleted at any time. Each time the report is that of a verification of everything in a
// bucket in which nothing expires; and UNDECIDED where that cannot be.
func TestExpiryChangesNoVerdict(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	var expired, undecided, overtaken int
	rapid.Check(t, func(t *rapid.T) {
		const span = 36 * 60 // of the ticks, which are verified for twice as long
		l := drawLife(t, p, span, 3)
		// Some objects take as long as Firehose tries.
		for _, key := range slices.Sorted(maps.Keys(l.objects)) {
			if o := l.objects[key]; strings.Contains(key, "object-") && rapid.IntRange(0, 5).Draw(t, "slow") == 0 {
				o.written = o.written.Add(time.Duration(rapid.IntRange(0, 23*60).Draw(t, "by")) * time.Minute)
				l.objects[key] = o
			}
		}
		twin := l.twin()
		var belated string
		if rapid.IntRange(0, 3).Draw(t, "belated") == 0 {
			at := minute(rapid.IntRange(0, span).Draw(t, "belated at"))
			belated = key("data/", at, 0)
			late := lifeObject{data: "1,1,1.5,1.0\n", written: at.Add(time.Minute), seen: at.Add(time.Duration(rapid.IntRange(1, 24*60).Draw(t, "seen after")) * time.Minute)}
			l.objects[belated], twin.objects[belated] = late, late
		}
		l.guard(t.Errorf)
		handler := l.handler()
		judge := func(event string) *report.Report {
			handler.config.ExpireAfterDays = l.expire
			r, err := handle(t.Context(), handler, []byte(event))
			if err != nil && l.lives == 0 {
				t.Fatal(err)
			}
			return r
		}
		var lost lifeObject // the archive
		for at := rapid.IntRange(1, 12*60).Draw(t, "first"); at < 2*span; at += rapid.SampledFrom([]int{1, 4 * 60, 7 * 60, 7 * 60, 9 * 60, 30 * 60}).Draw(t, "later") {
			if l.now.Before(minute(at)) { // the clock never goes back
				l.now = minute(at)
			}
			handler.maxTags = rapid.SampledFrom([]int{2, maxTags, maxTags}).Draw(t, "tags")
			l.expire = rapid.SampledFrom([]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0}).Draw(t, "expire")
			expired += l.expireTagged(func(key string) bool { return rapid.Bool().Draw(t, "expires") })
			event := rapid.SampledFrom([]string{`{}`, `{}`, `{}`, `{}`, `{}`, `{}`, `{}`, `{"full": true}`, "parts"}).Draw(t, "event")
			switch rapid.IntRange(0, 20).Draw(t, "fault") {
			case 0: // alone: who deletes the archive, too, has deleted the proof
				if l.archive() != nil {
					delete(l.objects, CheckpointKey)
				}
			case 1:
				// Where the state says that there is one, or nothing could be deleted yet.
				if a, s := l.archive(), l.state(); a != nil && s != nil && (a.Base == nil || !s.Covers.ArchivedUntil.IsZero()) {
					lost = l.objects[ArchiveKey]
					delete(l.objects, ArchiveKey)
				}
			case 2: // killed
				l.lives, l.writes, l.lands = rapid.IntRange(1, 20).Draw(t, "lives"), 0, rapid.Bool().Draw(t, "lands")
				judge(`{}`)
				l.lives = 0
				expired += l.expireTagged(all)
			case 3, 4, 5: // two at once, one in the middle of the other
				l.lists, l.betweenAt = 0, rapid.SampledFrom([]int{1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "between")
				for range rapid.IntRange(0, 3).Draw(t, "before") { // has the archive go on as far as it can
					judge(`{}`)
				}
				l.lists = 0
				l.between = func() {
					before, early := l.archive(), l.lists <= 3 // nothing is listed yet: all of it is of one moment
					for range 3 {
						if early {
							l.now = l.now.Add(time.Minute)
						}
						judge(`{}`)
						expired += l.expireTagged(all)
					}
					if after := l.archive(); after != nil && after.Base != nil && (before == nil || before.Base == nil || after.Base.Watermark.After(before.Base.Watermark)) {
						overtaken++
					}
				}
			}
			var got *report.Report
			if event == "parts" {
				handler.config.ExpireAfterDays = l.expire
				got = l.inPartsAgain(t, handler)
			} else {
				got = judge(event)
			}
			l.between, twin.now = nil, l.now
			want, _ := judgeFrom(t.Context(), twin, lifeOpts, nil, nil)
			if event == "parts" {
				want = asRead(t, want)
			}
			diff := same(unarchived(got), unarchived(want))
			if diff == "" {
				continue
			}
			reasons := strings.Join(got.Reasons, "; ")
			seen := belated != "" && !l.objects[belated].seen.After(l.now)
			switch {
			case got.Verdict != proof.Undecided:
			case lost.data != "" && strings.Contains(reasons, "restore the former version of "+ArchiveKey):
				undecided++
				if rapid.Bool().Draw(t, "restore") || event == `{}` {
					l.objects[ArchiveKey] = lost
				}
				got = judge(`{}`) // an increment does not need it, and writes a new one
				if diff = same(unarchived(got), unarchived(want)); diff == "" || seen {
					continue
				}
			case seen && strings.Contains(reasons, belated+" was written by") && strings.Contains(reasons, "copy it onto itself"),
				seen && strings.Contains(reasons, belated+" is not counted"), seen && strings.Contains(reasons, belated+" is named for a time before"):
				undecided++
				// It is done, and counts as written now.
				key := key("data/", l.now, 0)
				delete(l.objects, belated)
				delete(twin.objects, belated)
				again := lifeObject{data: "1,1,1.5,1.0\n", written: l.now}
				l.objects[key], twin.objects[key] = again, again
				belated = ""
				got = judge(`{}`)
				want, _ = judgeFrom(t.Context(), twin, lifeOpts, nil, nil)
				if diff = same(unarchived(got), unarchived(want)); diff == "" {
					continue
				}
			}
			t.Fatalf("at minute %d, %s (-got +want):\n%s%v", at, event, diff, got.Reasons)
		}
	})
	t.Logf("%d objects expired, %d verdicts were UNDECIDED, %d verifications were overtaken", expired, undecided, overtaken)
	if expired == 0 || undecided == 0 || overtaken == 0 {
		t.Error("something was never tried")
	}
}

// days has a stack live that expires, verified every so many minutes, and deletes what is tagged.
func (l *life) days(t *testing.T, from, until, every int) {
	t.Helper()
	for at := from; at <= until; at += every {
		if r := l.at(minute(at)).verify(t, `{}`); r.Verdict != proof.Proven {
			t.Fatalf("at minute %d: got %s %v", at, r.LastLine(), r.Reasons)
		}
		l.expireTagged(all)
	}
}

// every is how many minutes lie between two ticks here.
const every = 20

func expiring(minutes int) *life {
	l := sparse(embeddedPipeline(), minutes, every)
	l.expire = 2
	return l
}

func (l *life) count(prefix string) (n int) {
	for key, o := range l.objects {
		if strings.HasPrefix(key, prefix) && !o.written.After(l.now) {
			n++
		}
	}
	return n
}

func TestOldObjectsExpire(t *testing.T) {
	t.Parallel()
	const age = 80 * 60
	l := expiring(age + 5)
	l.guard(t.Errorf)
	l.days(t, 60, age, 30)
	base := l.archive().Base
	if since := minute(age).Sub(base.Watermark); since < archiveEvery || since > 2*archiveEvery+2*time.Hour {
		t.Errorf("the archive is %s old", since)
	}
	for _, o := range []struct{ prefix, layout string }{{"data/", hourLayout}, {ledger.TicksPrefix, dayLayout}} {
		left, _, err := l.List(t.Context(), o.prefix)
		if after := base.after(o.prefix, o.layout); err != nil || len(left) == 0 || !strings.HasPrefix(left[0].Key, after+"/") {
			t.Errorf("%s begins with %s, and the archive lists from %s on (%v)", o.prefix, left[0].Key, after, err)
		}
	}
	if n := len(l.state().Objects); n > 2*48*60/every+10 {
		t.Errorf("the state knows %d objects", n)
	}
	full := l.at(minute(age+5)).verify(t, `{"full": true}`)
	offline := Judge(t.Context(), l, lifeOpts)
	for name, r := range map[string]*report.Report{"in full": full, "offline": offline} {
		if r.Verdict != proof.Proven || r.Covers.Ticks != age/every+1 || r.Covers.Objects != age/every+1 || !r.Covers.ArchivedUntil.Equal(base.Watermark) {
			t.Errorf("%s: got %s over %+v", name, r.LastLine(), r.Covers)
		}
	}
	// A full verification sees what is lost after the archive's watermark.
	delete(l.objects, key("data/", minute(age-40), age-40))
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.NotProven || r.Counts.Missing == 0 {
		t.Errorf("with a loss: got %s %v", r.LastLine(), r.Reasons)
	}
}

func TestNothingIsTaggedWithoutExpiry(t *testing.T) {
	t.Parallel()
	l := sparse(embeddedPipeline(), 40*60, every)
	l.days(t, 60, 40*60, 60)
	if len(l.tags) > 0 || l.archive() != nil || !l.state().Covers.ArchivedUntil.IsZero() {
		t.Errorf("%d objects are tagged, and the archive is %v", len(l.tags), l.archive())
	}
	// Switched on late, expiry has the complete history read once, so that all of it may be deleted.
	l.expire, l.reads = 2, 0
	l.at(minute(40*60+1)).verify(t, `{}`)
	if l.reads < 2*40*60/every || !l.state().complete() {
		t.Errorf("the first one reads %d objects", l.reads)
	}
	l.days(t, 40*60+2, 40*60+400, 390)
	l.reads = 0
	l.days(t, 40*60+401, 40*60+420, 10)
	if n := l.count("data/"); l.reads > 30 || n > 33*60/every || l.objects[key("data/", minute(0), 0)].data != "" {
		t.Errorf("%d objects are left, after %d reads", n, l.reads)
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || r.Covers.Ticks != 40*60/every {
		t.Errorf("in full: got %s over %d ticks", r.LastLine(), r.Covers.Ticks)
	}
	// What expires no more is archived still.
	l.expire = 0
	before := l.objects[ArchiveKey]
	l.days(t, 40*60+421, 60*60, 100)
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || r.Covers.Ticks != 40*60/every || l.objects[ArchiveKey] != before {
		t.Errorf("switched off: got %s over %d ticks", r.LastLine(), r.Covers.Ticks)
	}
}

// TestHistoriesTooLongToReadAgainStay: if a history cannot be read again in passing, objects older than the checkpoint
// covers are never tagged.
func TestHistoriesTooLongToReadAgainStay(t *testing.T) {
	t.Parallel()
	l := sparse(embeddedPipeline(), 60*60, every)
	l.days(t, 60, 30*60, 9*60+40)
	s := l.state()
	s.Covers.Rows += maxRereadRows
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[CheckpointKey] = lifeObject{data: string(data), written: l.now}
	l.expire, l.reads = 2, 0
	l.guard(t.Errorf)
	l.days(t, 30*60+1, 30*60+1, 1)
	if l.reads > 30 {
		t.Errorf("%d objects are read", l.reads)
	}
	l.days(t, 31*60, 60*60, 60)
	first, second := key("data/", minute(2*60), 2*60), key("data/", minute(5*60), 5*60)
	if l.objects[first].data == "" || l.objects[second].data != "" {
		t.Errorf("of before the state: %q, of after it: %q", l.objects[first].data, l.objects[second].data)
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || r.Covers.Ticks != 60*60/every {
		t.Errorf("in full: got %s over %d ticks %v", r.LastLine(), r.Covers.Ticks, r.Reasons)
	}
}

func TestTaggingIsLimitedAndContinues(t *testing.T) {
	t.Parallel()
	l := expiring(44 * 60)
	l.guard(t.Errorf)
	l.days(t, 10, 44*60, 44*60-10)
	l.days(t, 44*60+358, 44*60+360, 1)
	h := l.handler()
	h.maxTags = 4
	for i := range 10 {
		before := len(l.tags)
		l.now = minute(44*60 + 361 + i)
		if _, err := handle(t.Context(), h, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if n := len(l.tags) - before; n != 4 {
			t.Fatalf("verification %d tags %d objects", i, n)
		}
		if a := l.archive(); !a.Base.hasUntagged() {
			t.Fatal("the archive says that all is tagged")
		}
		l.saysWhatIsTagged(t)
	}
	// A deadline that leaves no time ends it, and the verdict stands.
	ctx, cancel := context.WithTimeout(t.Context(), tagReserve-time.Second)
	defer cancel()
	before := len(l.tags)
	l.now = minute(44*60 + 400)
	if r, err := handle(ctx, h, []byte(`{}`)); err != nil || r.Verdict != proof.Proven || len(l.tags) != before {
		t.Errorf("without time: got %v, %v, and %d tags more", r, err, len(l.tags)-before)
	}
	l.days(t, 44*60+401, 44*60+403, 1)
	if a := l.archive(); a.Base.hasUntagged() {
		t.Errorf("there is something left to tag of before %v: %v", a.Base.windows(), a.Base.Reach)
	}
}

// TestVerdictStandsIfTheArchiveCannotBeWritten: whoever has not given the verifier the rights has verdicts all the
// same.
func TestVerdictStandsIfTheArchiveCannotBeWritten(t *testing.T) {
	t.Parallel()
	l := expiring(50 * 60)
	l.days(t, 60, 40*60, 60)
	var log bytes.Buffer
	h := l.handler()
	h.log = slog.New(slog.NewJSONHandler(&log, nil))
	h.tag = tagFunc(func() error { return errors.New("denied") })
	h.put = denied{l, ArchiveKey}
	for at := 41 * 60; at < 49*60; at += 60 {
		l.now = minute(at)
		if r, err := handle(t.Context(), h, []byte(`{}`)); err != nil || r.Verdict != proof.Proven {
			t.Fatalf("got %v, %v", r, err)
		}
	}
	if !strings.Contains(log.String(), `"level":"WARN"`) || !strings.Contains(log.String(), "the archive is not kept") || !strings.Contains(log.String(), "denied") {
		t.Errorf("the log says %s", log.String())
	}
}

type tagFunc func() error

func (f tagFunc) PutObjectTagging(context.Context, *s3.PutObjectTaggingInput, ...func(*s3.Options)) (*s3.PutObjectTaggingOutput, error) {
	return nil, f()
}

// flaky is a bucket that refuses a tag now and then.
type flaky struct {
	*life
	calls atomic.Int64
}

func (f *flaky) PutObjectTagging(ctx context.Context, in *s3.PutObjectTaggingInput, options ...func(*s3.Options)) (*s3.PutObjectTaggingOutput, error) {
	if f.calls.Add(1)%7 == 0 {
		return nil, errors.New("slow down")
	}
	return f.life.PutObjectTagging(ctx, in, options...)
}

// TestFailedTagIsSetLater, and the archive does not say that it is set.
func TestFailedTagIsSetLater(t *testing.T) {
	t.Parallel()
	l := expiring(60 * 60)
	h := l.handler()
	h.tag = &flaky{life: l}
	for at := 60; at < 60*60; at += 60 {
		l.now = minute(at)
		if r, err := handle(t.Context(), h, []byte(`{}`)); err != nil || r.Verdict != proof.Proven {
			t.Fatalf("got %v, %v", r, err)
		}
		l.saysWhatIsTagged(t)
	}
	if len(l.tags) < 50 {
		t.Errorf("%d objects are tagged", len(l.tags))
	}
}

// saysWhatIsTagged checks that the archive says of nothing that it is tagged that is not.
func (l *life) saysWhatIsTagged(t *testing.T) {
	t.Helper()
	a := l.archive()
	if a.Base == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(l.objects)) {
		if (strings.HasPrefix(key, "data/") && key <= a.Base.Reach["data/"] || strings.HasPrefix(key, ledger.TicksPrefix) && key <= a.Base.Reach[ledger.TicksPrefix]) && !l.tags[key] {
			t.Fatalf("%s is not tagged, and the archive says that it is", key)
		}
	}
}

// TestEachObjectIsTaggedOnce, however long the lifecycle takes.
func TestEachObjectIsTaggedOnce(t *testing.T) {
	t.Parallel()
	l := expiring(70 * 60)
	var calls atomic.Int64
	l.tagged = func(string) { calls.Add(1) }
	for at := 60; at < 70*60; at += 60 {
		l.at(minute(at)).verify(t, `{}`)
		l.saysWhatIsTagged(t)
	}
	if n := calls.Load(); int(n) != len(l.tags) || n < 50 {
		t.Errorf("%d calls have tagged %d objects", n, len(l.tags))
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || r.Covers.Ticks != 69*60/every {
		t.Errorf("in full: got %s over %d ticks %v", r.LastLine(), r.Covers.Ticks, r.Reasons)
	}
}

// denied lets nothing be written under one key.
type denied struct {
	*life
	key string
}

func (d denied) PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if *in.Key == d.key {
		return nil, errors.New("denied")
	}
	return d.life.PutObject(ctx, in, options...)
}

// TestCallsOfAVerification counts what one asks of S3.
func TestCallsOfAVerification(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ expire, lists, reads int }{
		// The state, the archive, what is current, the repairs, three prefixes, the ledger, the pipeline, the acceptances;
		// state, pipeline, tick, object.
		{0, 10, 4},
		{2, 11, 5}, // the archive once more, in the end
	} {
		l := expiring(80 * 60)
		l.expire = test.expire
		l.days(t, 60, 79*60, 60)
		l.days(t, 79*60+1, 79*60+20, 19)
		l.lists, l.reads, l.writes = 0, 0, 0
		l.days(t, 79*60+30, 79*60+30, 1)
		if lists := l.lists - l.writes; lists != test.lists || l.reads != test.reads || l.writes != 5 { // a write of this bucket lists
			t.Errorf("expiring after %d days: %d listings, %d reads, %d writes", test.expire, lists, l.reads, l.writes)
		}
	}
}

// TestUncountedObjectsAreNotTagged: an object that is named for a time of long before it was written is seen by no
// increment.
func TestUncountedObjectsAreNotTagged(t *testing.T) {
	t.Parallel()
	l := expiring(80 * 60)
	l.guard(t.Errorf)
	l.days(t, 60, 40*60, 60)
	strays := []string{key("data/", minute(0), 999_999), key("data/", minute(7*60), 999_999)}
	for _, stray := range strays {
		l.objects[stray] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(40*60 + 1)}
	}
	rewritten := l.objects[key("data/", minute(40*60-100), 40*60-100)]
	l.days(t, 41*60, 80*60, 60)
	for _, stray := range strays {
		if l.tags[stray] {
			t.Errorf("%s is tagged", stray)
		}
		r := l.verify(t, `{"full": true}`)
		if want := stray + " is named for a time before the window of " + ArchiveKey; r.Verdict != proof.Undecided || !strings.Contains(strings.Join(r.Reasons, "; "), want) {
			t.Errorf("got %s %v, want %q", r.Verdict, r.Reasons, want)
		}
		delete(l.objects, stray)
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
	// One that is changed before it is tagged, and when no increment lists it any more.
	at := 80*60 - 28*60
	written := key("data/", minute(at), at)
	if from, to := l.archive().Base.after("data/", hourLayout), l.state().after("data/", hourLayout); written <= from || written > to {
		t.Fatalf("%s is not between %s and %s", written, from, to)
	}
	before := l.objects[written]
	l.objects[written] = lifeObject{data: before.data + "1,1,1.5,1.0\n", written: l.now}
	l.days(t, 80*60+60, 100*60, 60)
	if l.tags[written] {
		t.Errorf("%s is tagged, and was not counted as it stands there", written)
	}
	l.objects[written] = before
	l = expiring(80 * 60)
	l.days(t, 60, 80*60, 60)
	// One that was changed within the window and before the archive's watermark.
	changed := key("data/", minute(60*60), 60*60)
	l.objects[changed] = lifeObject{data: rewritten.data, written: minute(60*60 + 100)}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], changed+" was changed after it had been counted: restore its former version") {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
	delete(l.objects, changed)
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], changed+" is gone after it had been counted: restore its former version") {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
}

// TestCopiedBucketIsRecognised: if all names are older than the objects, a full verification has counted them, and
// later ones recognise them.
func TestCopiedBucketIsRecognised(t *testing.T) {
	t.Parallel()
	l := expiring(600)
	for key, o := range l.objects {
		o.written = minute(35 * 60)
		l.objects[key] = o
	}
	l.guard(t.Errorf)
	l.days(t, 35*60+10, 60*60, 60)
	if len(l.tags) != 600/every { // the data; the ticks' day is the window's still
		t.Fatalf("%d objects are tagged", len(l.tags))
	}
	l = expiring(600)
	for key, o := range l.objects {
		o.written = minute(35 * 60)
		l.objects[key] = o
	}
	for at := 35*60 + 10; at < 90*60; at += 60 {
		for _, event := range []string{`{}`, `{"full": true}`}[:1+at/(60*60)] {
			if r := l.at(minute(at)).verify(t, event); r.Verdict != proof.Proven || r.Covers.Objects != 600/every {
				t.Fatalf("%s: got %s %v", event, r.LastLine(), r.Reasons)
			}
		}
	}
	if len(l.tags) == 0 {
		t.Error("nothing is tagged")
	}
}

// TestLateObjects: what is older than the state is counted in its place, from the archive on; and what is
// older than that is not counted at all.
func TestLateObjects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		written int
		want    string
	}{{59*60 + 1, ""}, {48 * 60, " was written by 2026-11-24T00:00:00Z and is not counted in " + ArchiveKey}} {
		l := expiring(60 * 60)
		l.days(t, 60, 60*60, 60)
		late := key("data/", minute(test.written), 999_999)
		l.objects[late] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(test.written)}
		r := l.at(minute(60*60+10)).verify(t, `{}`)
		if test.want != "" {
			if reasons := strings.Join(r.Reasons, "; "); r.Verdict != proof.Undecided || !strings.Contains(reasons, late+test.want) || !strings.Contains(reasons, "copy it onto itself") {
				t.Errorf("got %s %v, want %q", r.LastLine(), r.Reasons, test.want)
			}
			l.objects[late] = lifeObject{data: "1,1,1.5,1.0\n", written: l.now}
			r = l.at(minute(60*60+20)).verify(t, `{}`)
		}
		if r.Verdict != proof.NotProven || r.Counts.Unexpected != 1 || r.Covers.Ticks != 60*60/every {
			t.Errorf("written at minute %d: got %s %v", test.written, r.LastLine(), r.Reasons)
		}
	}
}

// TestObjectsADayLate, when no increment lists it, holds up the tags, so that what they are of is known.
func TestObjectsADayLate(t *testing.T) {
	t.Parallel()
	l := expiring(100 * 60)
	l.guard(t.Errorf)
	l.days(t, 60, 80*60, 60)
	late := key("data/", minute(52*60), 999_999)
	l.objects[late] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(52*60 + 1)}
	l.days(t, 81*60, 100*60, 60)
	base := l.archive().Base
	if end := base.Reach["data/"]; end >= late || late > base.after("data/", hourLayout) || l.tags[late] || l.objects[key("data/", minute(53*60), 53*60)].data == "" {
		t.Errorf("it is tagged until %s", end)
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], late+" is named for a time before the window") {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
	delete(l.objects, late)
	l.days(t, 100*60+1, 100*60+2, 1)
	if l.objects[key("data/", minute(53*60), 53*60)].data != "" {
		t.Error("the tags do not go on")
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
}

// TestRepairOfRowsFromBeforeTheWindow: the rows of a lost object are written again in the folder of their hour, which
// no increment and no archive has listed for days. They are counted once, and stay so when later archives have counted
// them and everything around them has expired.
func TestRepairOfRowsFromBeforeTheWindow(t *testing.T) {
	t.Parallel()
	l := expiring(120 * 60)
	l.guard(t.Errorf)
	days := func(from, until int) {
		for at := from; at <= until; at += 2 * 60 {
			l.at(minute(at)).verify(t, `{}`)
			l.expireTagged(all)
		}
	}
	lost := key("data/", minute(12*60), 12*60)
	rows := l.objects[lost].data
	delete(l.objects, lost)
	days(60, 80*60)
	lines := int64(strings.Count(rows, "\n"))
	if r := l.verify(t, `{}`); r.Verdict != proof.NotProven || r.Counts.Missing != lines || l.archive() == nil {
		t.Fatalf("got %s %v, want %d missing and an archive", r.LastLine(), r.Reasons, lines)
	}
	made := key("data/", minute(12*60), 999_999)
	write := ledger.Write{Key: made, SHA256: strings.Repeat("0", 64), Bytes: int64(len(rows)), Lines: lines, Missing: lines}
	repair := &ledger.Repair{Serial: 1, Owner: "a", Claimed: l.now, Closed: true, Writes: []ledger.Write{write}}
	data, err := repair.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[made] = lifeObject{data: rows, written: l.now}
	l.objects[ledger.RepairKey] = lifeObject{data: string(data), written: l.now}
	proven := func() {
		t.Helper()
		for _, event := range []string{`{}`, `{"full": true}`, `{}`} {
			if r := l.verify(t, event); r.Verdict != proof.Proven || r.Counts.Repaired != lines {
				t.Fatalf("minute %s, %s: got %s %v, %d repaired, want %d", l.now, event, r.LastLine(), r.Reasons, r.Counts.Repaired, lines)
			}
		}
	}
	l.now = l.now.Add(time.Minute)
	proven()
	days(80*60+60, 119*60)
	proven()
	if _, there := l.objects[key("data/", minute(81*60), 81*60)]; there {
		t.Error("nothing expires any more")
	}
}

// TestOvertakenVerificationStartsOver: while a full verification lists, another one advances the archive, and a late
// object is deleted that the first one has not seen and its archive has not counted.
func TestOvertakenVerificationStartsOver(t *testing.T) {
	t.Parallel()
	l := expiring(60 * 60)
	late := key("data/", minute(12*60), 12*60)
	l.objects[late] = lifeObject{data: l.objects[late].data, written: minute(36 * 60)}
	for at := 35 * 60; at < 60*60; at += 60 {
		l.now = minute(at)
		l.lists, l.betweenAt = 0, 3 // the data
		l.between = func() {
			for range 3 {
				l.now = l.now.Add(time.Minute)
				l.verify(t, `{}`)
				l.expireTagged(func(key string) bool { return key == late })
			}
		}
		if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven && at >= 36*60 {
			t.Fatalf("at minute %d: got %s %v", at, r.LastLine(), r.Reasons)
		}
	}
	if _, there := l.objects[late]; there {
		t.Error("it is still there")
	}
}

// TestLostOrReplacedArchiveIsNeverProven: whoever takes the archive away, or puts another one there, is told.
func TestLostOrReplacedArchiveIsNeverProven(t *testing.T) {
	t.Parallel()
	l := expiring(80 * 60)
	l.days(t, 60, 60*60, 60)
	older := l.objects[ArchiveKey]
	l.days(t, 61*60, 80*60, 60)
	complete := maps.Clone(l.objects)
	reset := func() { l.objects, l.now = maps.Clone(complete), minute(80*60+10) }
	tests := map[string]struct {
		change                func()
		increment, full, copy string // reasons, empty for PROVEN
	}{
		"nothing":        {func() {}, "", "", ""},
		"the state lost": {func() { delete(l.objects, CheckpointKey) }, "", "", ""},
		"the archive lost": {
			func() { delete(l.objects, ArchiveKey) }, "",
			"restore the former version of " + ArchiveKey, "restore the former version of " + ArchiveKey,
		},
		"an archive of before": {
			func() { l.objects[ArchiveKey] = older }, "",
			"restore the latest version of " + ArchiveKey, "restore the latest version of " + ArchiveKey,
		},
		"the archive cut": {
			func() { l.objects[ArchiveKey] = lifeObject{data: complete[ArchiveKey].data[:100]} },
			"the archive cannot be read: " + ArchiveKey, "the archive cannot be read: " + ArchiveKey, "the archive cannot be read: " + ArchiveKey,
		},
		"a newer archive": {
			func() { l.objects[ArchiveKey] = lifeObject{data: string(zip(`{"version": 6}`))} },
			"use a newer streamproof", "use a newer streamproof", "use a newer streamproof",
		},
		"the state cut": {
			func() { l.objects[CheckpointKey] = lifeObject{data: complete[CheckpointKey].data[:100]} }, "the checkpoint cannot be read", "", "",
		},
		"the balance broken": {
			func() {
				a := l.archive()
				a.Base.Epochs[0].Judge.Rows = append(a.Base.Epochs[0].Judge.Rows, proof.RowState{})
				data, err := a.encode()
				if err != nil {
					t.Fatal(err)
				}
				l.objects[ArchiveKey] = lifeObject{data: string(data)}
			}, "", "the archive " + ArchiveKey + " contradicts itself", "the archive " + ArchiveKey + " contradicts itself",
		},
		"a tick from before the watermark": {
			func() {
				tick := l.tick(embeddedPipeline(), minute(70*60).Add(time.Second), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
				l.keep(tick, minute(80*60+9))
			}, "was claimed by", "was claimed by", "was claimed by",
		},
	}
	for name, test := range tests {
		check := func(how string, r *report.Report, want string) {
			t.Helper()
			if verdict := (map[bool]proof.Verdict{true: proof.Proven, false: proof.Undecided})[want == ""]; r.Verdict != verdict || !strings.Contains(strings.Join(r.Reasons, "; "), want) {
				t.Errorf("%s, %s: got %s %v, want %q", name, how, r.LastLine(), r.Reasons, want)
			}
		}
		reset()
		test.change()
		check("offline", Judge(t.Context(), l, lifeOpts), test.copy)
		check("in full", l.verify(t, `{"full": true}`), test.full)
		reset()
		test.change()
		check("in an increment", l.verify(t, `{}`), test.increment)
		if test.increment == "" { // which replaces a lost archive
			check("in full after that", l.verify(t, `{"full": true}`), map[bool]string{true: test.full}[name == "the balance broken"])
		}
	}
	// Where nothing expires any more, no new archive is made, and increments do not forget that there was one.
	reset()
	l.expire = 0
	delete(l.objects, ArchiveKey)
	for range 2 {
		l.now = l.now.Add(time.Hour)
		if r := l.verify(t, `{}`); r.Verdict != proof.Proven {
			t.Errorf("without the archive: got %s %v", r.LastLine(), r.Reasons)
		}
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Undecided {
		t.Errorf("without the archive, in full: got %s", r.LastLine())
	}
	l.expire = 2
	// A state of before the archive does not know of what is gone.
	reset()
	old := expiring(80 * 60)
	old.days(t, 60, 50*60, 60)
	l.objects[CheckpointKey] = old.objects[CheckpointKey]
	if r := l.verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Ticks != 80*60/every {
		t.Errorf("a state of before: got %s over %d ticks %v", r.LastLine(), r.Covers.Ticks, r.Reasons)
	}
}

// copied is a copy of a bucket in a folder, judged at a moment.
type copied struct {
	bucket.Dir
	now time.Time
}

func (c copied) ListAfter(ctx context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	listed, _, err := c.Dir.ListAfter(ctx, prefix, after)
	return listed, c.now, err
}

func (c copied) List(ctx context.Context, prefix string) ([]bucket.Object, time.Time, error) {
	return c.ListAfter(ctx, prefix, "")
}

// TestCopyIncludesTheArchive: a folder knows no ETags, and its files have the times of the objects.
func TestCopyIncludesTheArchive(t *testing.T) {
	t.Parallel()
	l := expiring(60 * 60)
	l.days(t, 60, 60*60, 60)
	c := copied{bucket.Dir(t.TempDir()), l.now}
	for key, o := range l.objects {
		file := filepath.Join(string(c.Dir), filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(o.data), 0o600), os.Chtimes(file, o.written, o.written)); err != nil {
			t.Fatal(err)
		}
	}
	if r := Judge(t.Context(), c, lifeOpts); r.Verdict != proof.Proven || r.Covers.Ticks != 60*60/every || r.Covers.ArchivedUntil.IsZero() {
		t.Errorf("got %s %v over %+v", r.LastLine(), r.Reasons, r.Covers)
	}
	if err := os.Remove(filepath.Join(string(c.Dir), filepath.FromSlash(ArchiveKey))); err != nil {
		t.Fatal(err)
	}
	if r := Judge(t.Context(), c, lifeOpts); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "restore the former version of "+ArchiveKey) {
		t.Errorf("without the archive: got %s %v", r.LastLine(), r.Reasons)
	}
}

func TestArchiveUnderOtherOptions(t *testing.T) {
	t.Parallel()
	l := expiring(80 * 60)
	l.days(t, 60, 80*60, 60)
	h := l.handler()
	h.config.DeliveryDeadlineSeconds = 60
	l.now = minute(80*60 + 10)
	for _, event := range []string{`{}`, `{}`, `{"full": true}`} {
		l.now = l.now.Add(time.Minute)
		r, err := handle(t.Context(), h, []byte(event))
		if err != nil || r.Verdict != proof.Proven || r.Covers.Ticks != 80*60/every || r.Covers.DeliveryDeadlineSeconds != 60 || r.Counts.Late > 0 {
			t.Errorf("another deadline: got %s %v over %+v (%v)", r.LastLine(), r.Reasons, r.Covers, err)
		}
	}
	h.config.DataPrefix = "other/"
	r, err := handle(t.Context(), h, []byte(`{}`))
	if err != nil || r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], `is of the prefixes "data/" and "data-errors/"`) {
		t.Errorf("another prefix: got %s %v (%v)", r.LastLine(), r.Reasons, err)
	}
}

// TestCheckpointOfTheFirstVersion knows of no archive, and goes on.
func TestCheckpointOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	l := sparse(embeddedPipeline(), 40*60, every)
	l.days(t, 60, 35*60, 60)
	s := l.state()
	s.downgrade()
	s.Version, s.Reach, s.Origin = 1, nil, ""
	data, err := zipped.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	l.objects[CheckpointKey] = lifeObject{data: string(data), written: l.now}
	if got := l.state(); fmt.Sprint(got.Reach) != fmt.Sprint(got.windows()) {
		t.Errorf("it reaches back to %v, want %v", got.Reach, got.windows())
	}
	l.expire = 2
	l.guard(t.Errorf)
	l.days(t, 36*60, 50*60, 60)
	if len(l.tags) == 0 || l.objects[key("data/", minute(0), 0)].data != "" {
		t.Errorf("%d objects are tagged", len(l.tags))
	}
}

func TestRefusedArchives(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"version": 6, "unknown": 1}`:  "use a newer streamproof",
		`{"version": 2}`:                "it holds nothing",
		`{"version": 1}`:                "is not one of an archive",
		`{"version": 2, "base": {}}`:    "no watermark",
		`{"version": 2, "next": {}}`:    "no watermark",
		`{"version": 2, "unknown": {}}`: "unknown field",
	} {
		if _, err := decodeArchive(zip(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func FuzzArchive(f *testing.F) {
	l := hours(embeddedPipeline(), 10)
	_, s := judgeFrom(context.Background(), l.at(minute(30)), lifeOpts, nil, nil)
	data, err := (&archive{Base: s, Next: s}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(zip(`{"version":2,"base":{"horizon":"2026-11-22T00:00:00Z","reach":null,"objects":null,"judge":{"ticks":[],"rows":[]}}}`))
	f.Add(zip(`{"version":2,"next":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeArchive(data)
		if err != nil || a.Base == nil {
			return
		}
		a.Base.trim(a.Base.windows(), a.Base.strays())
		if a.Base.hasUntagged() {
			t.Error("there is something to tag in what was trimmed")
		}
		replayed, err := replay.Open(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		newVerification(l, lifeOpts, replayed, a.baseline(), a).run(t.Context())
	})
}
