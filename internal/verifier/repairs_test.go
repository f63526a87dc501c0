package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"pgregory.net/rapid"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// judgeSpots is a full verification, and the lines of the surplus copies and broken lines that it finds, by object.
func (l *life) judgeSpots(ctx context.Context) (r *report.Report, lines map[string][]int64) {
	opts := lifeOpts
	opts.Watch = func() func(proof.Class, proof.Spot) {
		lines = map[string][]int64{}
		return func(class proof.Class, s proof.Spot) {
			if class == proof.Duplicated || class == proof.Corrupt {
				lines[s.Object] = append(lines[s.Object], s.Line)
			}
		}
	}
	return Judge(ctx, l, opts), lines
}

// rewriteLines writes objects again without lines, as a repair does: it claims that, writes some of the objects, and
// closes the claim unless it is killed.
func (l *life) rewriteLines(t *rapid.T, lines map[string][]int64, serial, objects int) {
	repair := &ledger.Repair{Serial: serial, Owner: "a", Claimed: l.now, Closed: objects >= len(lines)}
	history, err := rewrite.ReadHistory(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	if serial > 1 {
		last := l.objects[ledger.RepairKey]
		l.objects[(&ledger.Repair{Serial: serial - 1}).Key()] = last
	}
	for i, key := range slices.Sorted(maps.Keys(lines)) {
		before := l.objects[key]
		slices.Sort(lines[key])
		one := ledger.Rewrite{Key: key, Before: before.etag(), Written: before.written, Lines: lines[key]}
		if _, written, known := history.Objects.Original(key, one.Before); known {
			one.Written = written
		}
		if i < objects {
			var out bytes.Buffer
			if _, err := rewrite.Without(&out, strings.NewReader(before.data), one.Lines); err != nil {
				t.Fatal(err)
			}
			after := lifeObject{data: out.String(), written: l.now}
			if l.objects[key] = after; repair.Closed {
				one.After = after.etag()
			}
		}
		repair.Rewrites = append(repair.Rewrites, one)
	}
	data, err := repair.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.RepairKey] = lifeObject{data: string(data), written: l.now}
}

// damage adds lines to some objects: broken ones, blank ones, and copies of others.
func (l *life) damage(t *rapid.T) {
	keys := slices.Sorted(maps.Keys(l.objects))
	for _, key := range keys {
		o := l.objects[key]
		if !strings.HasPrefix(key, "data/") || strings.HasPrefix(o.data, "\x1f\x8b") {
			continue
		}
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "lines") {
			other := l.objects[rapid.SampledFrom(keys).Draw(t, "of")].data
			o.data += rapid.SampledFrom([]string{"broken\n", "\n", o.data, other, "1,1,1.5,1.0\n"}).Draw(t, "line")
		}
		if strings.HasSuffix(o.data, "\n") && rapid.IntRange(0, 9).Draw(t, "zip") == 0 {
			o.data = string(zip(o.data))
		}
		l.objects[key] = o
	}
}

// TestRewrittenObjectsCountAsTheirOriginals: without the lines that a verification tells of, nothing is duplicated or
// corrupt, and everything else is as it was, down to the delays: what is left of an object counts as written when its
// original was. That holds for increments, at each step of a repair, and of one repair after the other.
func TestRewrittenObjectsCountAsTheirOriginals(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 120, 12)
		l.damage(t)
		l.now = minute(rapid.IntRange(150, 300).Draw(t, "minute"))
		_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)

		for serial := 1; serial <= 2; serial++ {
			l.now = l.now.Add(10 * time.Minute)
			before, lines := l.judgeSpots(t.Context())
			if before.Verdict == proof.Undecided {
				t.Skip("nothing is owed")
			}
			n := int64(0)
			for _, of := range lines {
				n += int64(len(of))
			}
			if n != before.Counts.Duplicated+before.Counts.Corrupt {
				t.Fatalf("told of %d lines, and %d are duplicated and %d corrupt", n, before.Counts.Duplicated, before.Counts.Corrupt)
			}
			if len(lines) == 0 {
				return
			}
			untouched := maps.Clone(l.objects)
			if done := rapid.IntRange(0, len(lines)-1).Draw(t, "killed after"); rapid.Bool().Draw(t, "killed") {
				l.rewriteLines(t, lines, serial, done)
				full := Judge(t.Context(), l, lifeOpts)
				got, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
				if diff := same(full, got); diff != "" || full.Counts.Missing != before.Counts.Missing {
					t.Fatalf("in the middle (-full +increment):\n%s", diff)
				}
				base = next
			}
			maps.DeleteFunc(l.objects, func(string, lifeObject) bool { return true })
			maps.Copy(l.objects, untouched)
			l.rewriteLines(t, lines, serial, len(lines))
			after, left := l.judgeSpots(t.Context())
			want := before.Counts
			want.Duplicated, want.Corrupt = 0, 0
			if after.Counts != want || len(left) > 0 || fmt.Sprint(after.Delay) != fmt.Sprint(before.Delay) {
				t.Fatalf("repaired: got %+v and %v, want %+v and %v; left %v", after.Counts, after.Delay, want, before.Delay, left)
			}
			got, _ := judgeFrom(t.Context(), l, lifeOpts, base, nil)
			if diff := same(after, got); diff != "" {
				t.Fatalf("repaired (-full +increment):\n%s", diff)
			}
			l.damage(t)
			_, base = judgeFrom(t.Context(), l, lifeOpts, nil, nil)
		}
	})
}

// GetObject, HeadObject and CopyObject are what a repair asks of S3 besides.
func (l *life) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	o, there := l.objects[*in.Key]
	if !there {
		return nil, refused(http.StatusNotFound, "NoSuchKey")
	}
	return &s3.GetObjectOutput{ETag: aws.String(o.etag()), Body: io.NopCloser(strings.NewReader(o.data))}, nil
}

func (l *life) HeadObject(_ context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	o, there := l.objects[*in.Key]
	if !there {
		return nil, refused(http.StatusNotFound, "NotFound")
	}
	return &s3.HeadObjectOutput{ETag: aws.String(o.etag()), ContentLength: aws.Int64(int64(len(o.data)))}, nil
}

// GetObjectTagging finds no tag.
func (l *life) GetObjectTagging(context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options)) (*s3.GetObjectTaggingOutput, error) {
	return &s3.GetObjectTaggingOutput{}, nil
}

func (l *life) CopyObject(_ context.Context, in *s3.CopyObjectInput, _ ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	done, seen := l.write()
	if !done {
		return nil, errors.New("killed")
	}
	source, err := url.PathUnescape(*in.CopySource)
	if err != nil {
		return nil, err
	}
	o, there := l.objects[strings.TrimPrefix(source, "life/")]
	if !there || o.etag() != *in.CopySourceIfMatch {
		return nil, refused(http.StatusPreconditionFailed, "PreconditionFailed")
	}
	o.written = l.now
	if l.objects[*in.Key] = o; !seen {
		return nil, errors.New("killed")
	}
	return &s3.CopyObjectOutput{}, nil
}

func (l *life) DeleteObject(_ context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	done, seen := l.write()
	if !done {
		return nil, errors.New("killed")
	}
	if delete(l.objects, *in.Key); !seen {
		return nil, errors.New("killed")
	}
	return &s3.DeleteObjectOutput{}, nil
}

// repairs is a repair of the life by a client of its own.
func (l *life) repairs(ctx context.Context, client repairClient) (*repair.Done, error) {
	r := &repair.Repairer{Client: client, Bucket: "life", Read: l, Ledger: ledger.NewStore(client, "life")}
	return r.Run(ctx, func(ctx context.Context, _ int) (*repair.Plan, error) {
		var found repair.Found
		opts := lifeOpts
		opts.Watch, opts.Twice, opts.Open = found.Watch, found.Twice, func(open []proof.Group) { found.Open = open }
		judged := Judge(ctx, l, opts)
		if !judged.Balanced() {
			return nil, errors.New("UNDECIDED")
		}
		var listed []bucket.Object
		for _, prefix := range []string{"data", "errors/"} {
			some, _, _ := l.List(ctx, prefix)
			listed = append(listed, some...)
		}
		history, err := rewrite.ReadHistory(ctx, l)
		return repair.NewPlan(judged, &found, repair.Classes, listed, history, l.now), err
	})
}

type repairClient interface {
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	GetObjectTagging(context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options)) (*s3.GetObjectTaggingOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
}

// mortal is a life whose user ends when it is killed.
type mortal struct {
	*life
	end context.CancelFunc
}

func (m mortal) PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	out, err := m.life.PutObject(ctx, in, options...)
	if err != nil && statusOf(err) == 0 {
		m.end()
	}
	return out, err
}

func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// TestRepairIsExact: a repair takes out what is duplicated and corrupt, and changes nothing else of the verdict,
// whichever of its writes it is killed at before it runs again. What is accepted stays. A second repair writes nothing.
// Of everything that was taken out, the original is kept.
func TestRepairIsExact(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 60, 6)
		l.damage(t)
		l.now = minute(300)
		if class := rapid.SampledFrom([]proof.Class{"", proof.Duplicated, proof.Corrupt}).Draw(t, "accepted"); class != "" {
			l.accept(t, class)
			l.damage(t)
		}
		l.now = minute(400)
		before := Judge(t.Context(), l, lifeOpts)
		if !before.Balanced() {
			t.Skip("nothing is owed")
		}
		originals := maps.Clone(l.objects)
		_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)

		for kills := 0; ; kills++ {
			ctx, cancel := context.WithCancel(t.Context())
			l.writes, l.lives, l.lands = 0, rapid.IntRange(1, 15).Draw(t, "lives"), rapid.Bool().Draw(t, "lands")
			if kills == 5 {
				l.lives = 0
			}
			_, err := l.repairs(ctx, mortal{l, cancel})
			cancel()
			killed := l.lives > 0 && l.writes >= l.lives
			l.lives = 0
			if !killed {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			now := Judge(t.Context(), l, lifeOpts)
			want := before.Counts
			want.Duplicated, want.Corrupt = now.Counts.Duplicated, now.Counts.Corrupt
			if now.Counts != want || now.Counts.Duplicated > before.Counts.Duplicated || now.Counts.Corrupt > before.Counts.Corrupt {
				t.Fatalf("killed: got %+v, had %+v", now.Counts, before.Counts)
			}
		}
		after := Judge(t.Context(), l, lifeOpts)
		want := before.Counts
		want.Duplicated -= before.Open(proof.Duplicated)
		want.Corrupt -= before.Open(proof.Corrupt)
		if after.Counts != want || after.Open(proof.Duplicated) != 0 || after.Open(proof.Corrupt) != 0 {
			t.Fatalf("repaired: got %+v %v, want %+v %v", after.Counts, after.Accepted, want, before.Accepted)
		}
		if got, _ := judgeFrom(t.Context(), l, lifeOpts, base, nil); same(after, got) != "" {
			t.Fatalf("(-full +increment):\n%s", same(after, got))
		}
		for key, o := range originals {
			if stands := l.objects[key]; stands.data != o.data && l.objects[ledger.BackupKey(key, o.etag())].data != o.data {
				t.Fatalf("%s was rewritten, and its original is gone", key)
			}
		}
		l.writes = 0
		if done, err := l.repairs(t.Context(), l); err != nil || len(done.Objects) > 0 || l.writes > 0 {
			t.Fatalf("a second repair: %v, %v, %d writes", done, err, l.writes)
		}
	})
}

// another runs a second repair before one of the writes of the first.
type another struct {
	*life
	at     int
	second func()
}

func (a *another) PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if a.at--; a.at == 0 {
		a.second()
	}
	return a.life.PutObject(ctx, in, options...)
}

func (a *another) CopyObject(ctx context.Context, in *s3.CopyObjectInput, options ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	if a.at--; a.at == 0 {
		a.second()
	}
	return a.life.CopyObject(ctx, in, options...)
}

// TestTwoRepairsAreOne: whenever a second repair runs while the first one does, they do what one does.
func TestTwoRepairsAreOne(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	broken := func() *life {
		l := hours(p, 30)
		for _, n := range []int{3, 4, 5} {
			at := key("data/", minute(n), n)
			o := l.objects[at]
			o.data += o.data + "broken\n"
			l.objects[at] = o
		}
		l.now = minute(60)
		return l
	}
	one := broken()
	if _, err := one.repairs(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	want := Judge(t.Context(), one, lifeOpts)
	if want.Verdict != proof.Proven {
		t.Fatalf("got %s %v", want.LastLine(), want.Reasons)
	}
	for at := 1; at <= one.writes; at++ {
		l, ran := broken(), false
		first := &another{life: l, at: at}
		first.second = func() {
			ran = true
			if _, err := l.repairs(t.Context(), l); err != nil {
				t.Errorf("the second, at write %d: %v", at, err)
			}
		}
		if _, err := l.repairs(t.Context(), first); err != nil || !ran {
			t.Errorf("the first, at write %d: %v, %t", at, err, ran)
		}
		if got := Judge(t.Context(), l, lifeOpts); same(got, want) != "" {
			t.Errorf("at write %d (-two +one):\n%s", at, same(got, want))
		}
		for key, o := range one.objects {
			if strings.HasPrefix(key, "data/") && l.objects[key].data != o.data {
				t.Errorf("at write %d: %s differs from what one repair leaves", at, key)
			}
		}
	}
}

// TestRepairIsTakenBack: if the original of a repaired row comes after all, the verdict says so, and a repair of
// duplicates takes the copy back that was made.
func TestRepairIsTakenBack(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	for name, at := range map[string]struct{ repaired, late int }{"after the repair": {60, 80}, "before it, and listed after it": {60, 59}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := hours(p, 30)
			lost := key("data/", minute(3), 3)
			original := l.objects[lost]
			delete(l.objects, lost)
			lines := strings.SplitAfter(original.data, "\n")
			n := int64(len(lines) - 1)
			l.now = minute(at.repaired)
			const made = "data/2026/11/22/00/stack-repair-000001"
			l.objects[made] = lifeObject{data: original.data, written: l.now}
			repair := &ledger.Repair{Serial: 1, Owner: "a", Claimed: l.now, Closed: true, Writes: []ledger.Write{{
				Key: made, SHA256: strings.Repeat("0", 64), Bytes: int64(len(original.data)), Lines: n, Missing: n, Pipeline: p.Hash(),
			}}}
			data, err := repair.Encode()
			if err != nil {
				t.Fatal(err)
			}
			l.objects[ledger.RepairKey] = lifeObject{data: string(data), written: l.now}
			if r := Judge(t.Context(), l, lifeOpts); r.Verdict != proof.Proven || r.Counts.Repaired != n || r.RepairedTwice != 0 {
				t.Fatalf("repaired: got %s, %d repaired, want %d", r.LastLine(), r.Counts.Repaired, n)
			}
			original.written = minute(at.late)
			l.objects[lost], l.now = original, minute(100)
			r := Judge(t.Context(), l, lifeOpts)
			if r.Counts.Duplicated != n || r.RepairedTwice != n || !strings.Contains(strings.Join(r.Reasons, ";"), fmt.Sprintf("of %d of them a repair made a copy", n)) {
				t.Fatalf("the original has come: got %s %v, %d of a repair", r.LastLine(), r.Reasons, r.RepairedTwice)
			}
			done, err := l.repairs(t.Context(), l)
			if err != nil || len(done.Objects) != 1 || done.Objects[0].Key != made || l.objects[made].data != "" || l.objects[lost].data != original.data {
				t.Fatalf("taken back: %v, %+v, left %q", err, done.Plan, l.objects[made].data)
			}
			if r := Judge(t.Context(), l, lifeOpts); r.Verdict != proof.Proven || r.Counts.Repaired != 0 || r.RepairedTwice != 0 {
				t.Fatalf("taken back: got %s, %d repaired", r.LastLine(), r.Counts.Repaired)
			}
		})
	}
}
