//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/e2e/fault"
	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/firehose"
	operating "streamproof/internal/operate" // operate is a function of these tests
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// TestRepair breaks a stack in every class that a repair puts right, and repairs it while S3 fails at random, with
// other credentials first. An object that Firehose held back comes after its rows were repaired.
func TestRepair(t *testing.T) {
	inTurn(t, 180*time.Second)
	s := startWith(t, "no schedule, short deadline, transform JSON, GZIP")
	for range 2 { // in an object of its own each
		produce(t, s, time.Now(), 300)
		if r := settle(t, s); r.Verdict != proof.Proven {
			t.Fatalf("got %s %v", r.LastLine(), r.Reasons)
		}
	}
	proxy, err := fault.StartProxy(*s.S3.Options().BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)

	broken, late := breakAll(t, s)
	t.Log(broken.LastLine())
	t.Run("dry", func(t *testing.T) { repairDry(t, s, broken) })
	t.Run("by the verifier's role", func(t *testing.T) { repairRefused(t, s) })
	t.Run("missing and failed", func(t *testing.T) {
		r := repairUnderFaults(t, s, proxy, proof.Missing, proof.Failed)
		c, was := r.Counts, broken.Counts
		if c.Missing != 0 || c.Failed != 0 || c.Repaired != was.Missing+was.Failed || c.Duplicated != was.Duplicated || c.Foreign != was.Failed {
			t.Errorf("got %s, %d repaired and %d foreign, want %d and %d", r.LastLine(), c.Repaired, c.Foreign, was.Missing+was.Failed, was.Failed)
		}
	})
	if t.Failed() {
		return
	}
	t.Run("duplicates and corrupt lines", func(t *testing.T) {
		if r := repairUnderFaults(t, s, proxy, proof.Duplicated, proof.Corrupt); r.Verdict != proof.Proven {
			t.Errorf("got %s %v", r.LastLine(), r.Reasons)
		}
	})
	t.Run("the original comes after all", func(t *testing.T) {
		n := late(t)
		r, _, err := s.VerifyFull(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r.LastLine())
		if r.Verdict != proof.NotProven || r.Counts.Duplicated != n {
			t.Errorf("got %s, want %d duplicated", r.LastLine(), n)
		}
		time.Sleep(s.Outputs.DeliveryDeadline + 2*time.Second) // a repair leaves what is younger
		if r := repairUnderFaults(t, s, proxy, proof.Duplicated); r.Verdict != proof.Proven {
			t.Errorf("got %s %v", r.LastLine(), r.Reasons)
		}
	})
}

// breakAll deletes an object, copies another, writes one of broken lines, has the transform fail, and holds back an
// object. It returns the verdict when nothing is in flight any more, and what delivers the object that is held back and
// says how many rows it has.
func breakAll(t *testing.T, s *local.Stack) (*report.Report, func(*testing.T) int64) {
	t.Helper()
	objects, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), s.Outputs.DataPrefix)
	if err != nil || len(objects) < 2 {
		t.Fatalf("got %d objects, %v, want two and more", len(objects), err)
	}
	lost, doubled := objects[0].Key, objects[1].Key
	var texts [2][]byte
	for i := range texts {
		body, err := bucket.NewS3(s.S3, s.Outputs.BucketName).Read(t.Context(), objects[i])
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = unzip(t, body)
	}
	if _, err := s.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Outputs.BucketName, Key: &lost}); err != nil {
		t.Fatal(err)
	}
	source := s.Outputs.BucketName + "/" + doubled
	if _, err := s.S3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &s.Outputs.BucketName, Key: aws.String(doubled + "-copy"), CopySource: &source}); err != nil {
		t.Fatal(err)
	}
	// A copy that equals a lost row pays for it. That happens by chance, too.
	put(t, s, doubled+"-equal", texts[0][:bytes.IndexByte(texts[0], '\n')+1])
	put(t, s, doubled+"-broken", []byte("no row\n{\"neither\":1}\n"))

	var mu sync.Mutex
	var held *firehose.Object
	s.Deliveries().SetHooks(firehose.Hooks{Write: func(_ context.Context, o firehose.Object, write func(firehose.Object) error) error {
		mu.Lock()
		defer mu.Unlock()
		if o.Stream != s.Outputs.DeliveryStreamName || held != nil {
			return write(o)
		}
		o.Body = bytes.Clone(o.Body)
		held = &o
		return nil
	}})
	produce(t, s, time.Now(), 200)
	await(t, "an object is held back", func() bool { mu.Lock(); defer mu.Unlock(); return held != nil })
	s.Deliveries().SetHooks(firehose.Hooks{Invoke: func(string, int, []byte) error { return errors.New("made to fail") }})
	produce(t, s, time.Now(), 100)
	verify := func() *report.Report {
		r, _, err := s.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	balance := rowsOf(t, texts[0]) + rowsOf(t, unzip(t, held.Body)) - rowsOf(t, texts[1]) - 1
	deadline := time.Now().Add(5 * time.Minute)
	r := verify()
	// On a slow machine, rows are still on their way after the short deadline.
	for ; r.Counts.Failed == 0 || r.Counts.InFlight > 0 || r.Counts.Missing-r.Counts.Duplicated > balance; r = verify() {
		if time.Now().After(deadline) {
			t.Fatalf("want %d more missing than duplicated and none in flight after five minutes: %s", balance, r.LastLine())
		}
		time.Sleep(2 * time.Second)
	}
	s.Deliveries().SetHooks(firehose.Hooks{})
	time.Sleep(s.Outputs.DeliveryDeadline) // failed rows are not in flight, but a repair leaves what is not settled
	if c := r.Counts; r.Verdict != proof.NotProven || c.Missing == 0 || c.Duplicated == 0 || c.Corrupt != 2 || c.Leaked+c.Unexpected > 0 {
		t.Fatalf("got %s %v, want every class that a repair puts right", r.LastLine(), r.Reasons)
	}
	return r, func(t *testing.T) int64 {
		t.Helper()
		put(t, s, held.Key, held.Body)
		return rowsOf(t, unzip(t, held.Body))
	}
}

func rowsOf(t *testing.T, text []byte) int64 {
	t.Helper()
	return int64(len(deliveredRows(t, text)))
}

func unzip(t *testing.T, zipped []byte) []byte {
	t.Helper()
	in, err := bucket.Unzip(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func put(t *testing.T, s *local.Stack, key string, body []byte) {
	t.Helper()
	_, err := s.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.Outputs.BucketName, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
}

// contents are the ETags of all objects that a repair may write.
func contents(t *testing.T, s *local.Stack) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, prefix := range []string{s.Outputs.DataPrefix, s.Outputs.ErrorsPrefix, "errors/", "ledger/repair", ledger.BackupsPrefix} {
		objects, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			all[o.Key] = o.ETag
		}
	}
	return all
}

// repairDry: without --yes the command says what it would do and writes nothing.
func repairDry(t *testing.T, s *local.Stack, broken *report.Report) {
	before := contents(t, s)
	for _, args := range [][]string{{"repair", "--margin", "0s"}, {"repair", "--margin", "0s", "--duplicates", "--corrupt"}, {"repair", "--duplicates"}} {
		var got operating.RepairResult
		commandWith(t, s, args, &got)
		if got.Before == nil || got.Before.Counts.Missing != broken.Counts.Missing || got.Written || got.After != nil {
			t.Errorf("%v: got %+v", args, got)
		}
	}
	if after := contents(t, s); !maps.Equal(before, after) {
		t.Errorf("a dry run has written: %v, before %v", after, before)
	}
}

// as is the stack with another client of S3.
func as(s *local.Stack, client *s3.Client) *operating.Operator {
	other := *s.Stack
	other.S3 = client
	return &operating.Operator{Stack: &other, Local: s}
}

// repairRefused: with the verifier's permissions nothing can be repaired, and nothing is half done.
func repairRefused(t *testing.T, s *local.Stack) {
	before := contents(t, s)
	client := s3.NewFromConfig(assume(t, s, verifierRole), func(o *s3.Options) { o.UsePathStyle = true })
	for _, classes := range [][]proof.Class{{proof.Missing, proof.Failed}, {proof.Duplicated, proof.Corrupt}} {
		_, err := as(s, client).Repair(t.Context(), operating.RepairOrder{Classes: classes, Write: true})
		if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%v: got error %v, want that S3 refuses it", classes, err)
		}
	}
	if after := contents(t, s); !maps.Equal(before, after) {
		t.Errorf("a repair that was refused has written: %v, before %v", after, before)
	}
}

// repairUnderFaults repairs, again and again, while S3's answers are lost or fail after the write, until a repair comes
// to its end. Then once more without faults, which must change nothing. It returns the verdict over everything.
func repairUnderFaults(t *testing.T, s *local.Stack, proxy *fault.Proxy, classes ...proof.Class) *report.Report {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	client := s3.New(s.S3.Options(), func(o *s3.Options) {
		o.BaseEndpoint = &proxy.URL
		o.RetryMaxAttempts = 1
	})
	order := operating.RepairOrder{Classes: classes, Write: true}
	for try, faults := 1, 60; ; try++ {
		var orders []fault.Order
		for range faults {
			orders = append(orders, fault.Order{
				Fault: "repair", Times: 1, Operation: []string{"PUT", "PUT", "PUT", "PUT", "PUT", "DELETE", "GET", "HEAD"}[random.IntN(8)],
				Kind: []fault.Kind{fault.Held, fault.Held, fault.LostAnswer, fault.FailsAfter}[random.IntN(4)],
			})
		}
		proxy.Set(orders...)
		_, err := as(s, client).Repair(t.Context(), order)
		if err == nil {
			t.Logf("repaired in %d tries", try)
			break
		}
		t.Logf("try %d: %v", try, err)
		if try == 50 {
			t.Fatalf("50 repairs, and none has come to its end (seed %d)", seed)
		}
		faults = faults * 9 / 10 // or none would ever end
	}
	t.Logf("faults so far: %v", proxy.Fired())
	proxy.Set()
	before := contents(t, s)
	if _, err := as(s, s.S3).Repair(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if after := contents(t, s); !maps.Equal(before, after) {
		t.Errorf("a second repair has written (seed %d): %v, before %v", seed, after, before)
	}
	if staged, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).List(t.Context(), ledger.StagedPrefix); err != nil || len(staged) > 0 {
		t.Errorf("got %d staged objects, %v, want none", len(staged), err)
	}
	r, _, err := s.VerifyFull(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.LastLine())
	return r
}
