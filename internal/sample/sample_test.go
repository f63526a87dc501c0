package sample_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/discover"
	"streamproof/internal/sample"
	"streamproof/internal/stream/kinesistest"
)

// A stream whose shards get a record after each time.
type client struct {
	shards map[string][]record
	ended  []string // shards that were closed
	fault  func(call int) error
}

type record struct {
	data  string
	after time.Duration
}

func plain(texts ...string) []record {
	var all []record
	for _, text := range texts {
		all = append(all, record{data: text})
	}
	return all
}

// stream starts the stream now.
func (c *client) stream() *kinesistest.Stream {
	var shards []*kinesistest.Shard
	for _, id := range slices.Sorted(maps.Keys(c.shards)) {
		shard := &kinesistest.Shard{ID: id, Closed: slices.Contains(c.ended, id)}
		for i, r := range c.shards[id] {
			shard.Records = append(shard.Records, types.Record{
				SequenceNumber: aws.String(strconv.Itoa(i)), Data: []byte(r.data), ApproximateArrivalTimestamp: aws.Time(time.Now().Add(r.after)),
			})
		}
		shards = append(shards, shard)
	}
	s := kinesistest.NewStream(shards...)
	s.OnRecords = func(call int) (*kinesis.GetRecordsOutput, error) {
		if c.fault == nil {
			return nil, nil
		}
		return nil, c.fault(call)
	}
	return s
}

// aggregate packs records as the Kinesis Producer Library does.
func aggregate(texts ...string) string {
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "key")
	for _, text := range texts {
		record := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0)
		record = protowire.AppendString(protowire.AppendTag(record, 3, protowire.BytesType), text)
		message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), record)
	}
	return sealed(message)
}

func sealed(message []byte) string {
	sum := md5.Sum(message)
	return "\xf3\x89\x9a\xc2" + string(message) + string(sum[:])
}

func TestStream(t *testing.T) {
	t.Parallel()
	denied := errors.New("AccessDeniedException")
	many := func(shard string, n int) []record {
		var all []record
		for i := range n {
			all = append(all, record{data: fmt.Sprintf("%s%d", shard, i)})
		}
		return all
	}
	tests := map[string]struct {
		client  *client
		options sample.Options
		want    string // the records
		shards  []int
		took    time.Duration
		broken  int
		err     error
	}{
		"all there is, of all shards": {
			client:  &client{shards: map[string][]record{"a": plain("1", "2"), "b": plain("3"), "c": nil}},
			options: sample.Options{Records: 100, For: time.Minute}, want: "1 2 3", shards: []int{2, 1, 0}, took: 500 * time.Millisecond,
		},
		"an even share of each": {
			client:  &client{shards: map[string][]record{"a": many("a", 50), "b": many("b", 50)}},
			options: sample.Options{Records: 6, For: time.Minute}, want: "a0 a1 a2 a3 b0 b1", shards: []int{4, 2},
		},
		"records beyond the limit, which are not taken": {
			client:  &client{shards: map[string][]record{"a": plain("1", "2"), "b": plain(aggregate("3", "4"), sealed([]byte("\x48\x01")), "5"), "c": plain("6")}},
			options: sample.Options{Records: 3, For: time.Minute}, want: "1 2 3", shards: []int{2, 1, 0},
		},
		"a shard that has less than its share": {
			client:  &client{shards: map[string][]record{"a": plain("x"), "b": many("b", 50)}},
			options: sample.Options{Records: 6, For: time.Minute}, want: "x b0 b1 b2 b3 b4", shards: []int{1, 5}, took: 500 * time.Millisecond,
		},
		"nothing for so long": {
			client:  &client{shards: map[string][]record{"a": {{"late", time.Minute}}}},
			options: sample.Options{Records: 6, For: 10 * time.Second}, shards: []int{0}, took: 10 * time.Second,
		},
		"the first comes late": {
			client:  &client{shards: map[string][]record{"a": {{"late", 3 * time.Second}, {"later", 9 * time.Second}}}},
			options: sample.Options{Records: 6, For: 10 * time.Second}, want: "late", shards: []int{1}, took: 3500 * time.Millisecond,
		},
		"only what comes now": {
			client:  &client{shards: map[string][]record{"a": {{"old", 0}, {"new", 2 * time.Second}, {"newer", 4 * time.Second}, {"too late", time.Minute}}}},
			options: sample.Options{Records: 6, For: 10 * time.Second, Latest: true}, want: "new newer", shards: []int{2}, took: 10 * time.Second,
		},
		"shards that have ended": {
			client:  &client{shards: map[string][]record{"a": plain("1"), "b": plain("2")}, ended: []string{"a", "b"}},
			options: sample.Options{Records: 6, For: time.Minute, Latest: true}, want: "", shards: []int{0, 0},
		},
		"aggregates": {
			client:  &client{shards: map[string][]record{"a": plain(aggregate("1", "2"), "3", aggregate("4", "5", "6"))}},
			options: sample.Options{Records: 5, For: time.Minute}, want: "1 2 3 4 5", shards: []int{3},
		},
		"an aggregate that cannot be read": {
			client:  &client{shards: map[string][]record{"a": plain(sealed([]byte("\x48\x01")), "1")}},
			options: sample.Options{Records: 5, For: time.Minute}, want: "1", shards: []int{2}, broken: 1, took: 500 * time.Millisecond,
		},
		"an iterator expires, and Kinesis is busy": {
			client: &client{shards: map[string][]record{"a": many("a", 5)}, fault: func(call int) error {
				switch call {
				case 1:
					return &types.ProvisionedThroughputExceededException{}
				case 3:
					return &types.ExpiredIteratorException{}
				}
				return nil
			}},
			options: sample.Options{Records: 20, For: time.Minute}, want: "a0 a1 a2 a3 a4", shards: []int{5}, took: 1500 * time.Millisecond,
		},
		"denied": {
			client:  &client{shards: map[string][]record{"a": nil}, fault: func(int) error { return denied }},
			options: sample.Options{Records: 20, For: time.Minute}, err: denied,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				got, err := sample.Stream(t.Context(), test.client.stream(), "s", test.options)
				if test.err != nil {
					if !errors.Is(err, test.err) || !strings.Contains(err.Error(), "read a of stream s: ") {
						t.Errorf("got %v, want %v", err, test.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var texts []string
				for _, r := range got.Records {
					texts = append(texts, string(r.Data))
					if !strings.Contains(r.Name, "sequence number ") {
						t.Errorf("a record is called %q", r.Name)
					}
				}
				if text := strings.Join(texts, " "); text != test.want {
					t.Errorf("got records %q, want %q", text, test.want)
				}
				var counts []int
				for _, shard := range got.Shards {
					counts = append(counts, shard.Records)
				}
				if diff := cmp.Diff(test.shards, counts); diff != "" {
					t.Errorf("shards (-want +got):\n%s", diff)
				}
				if took := time.Since(begun); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				if got.Broken != test.broken {
					t.Errorf("got %d aggregates that cannot be read, want %d", got.Broken, test.broken)
				}
			})
		})
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func TestFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 17<<20)
	tests := map[string]struct {
		data string
		want string
		cut  bool
		err  string // a part of it
	}{
		"all":                        {data: "1\n2\n", want: "1\n2\n"},
		"no newline at the end":      {data: "1\n2", want: "1\n2"},
		"as many lines":              {data: "1\n2\n3\n", want: "1\n2\n3\n"},
		"more lines":                 {data: "1\n2\n3\n4\n", want: "1\n2\n3\n", cut: true},
		"empty":                      {},
		"gzip":                       {data: string(gzipped("1\n2\n3\n4")), want: "1\n2\n3\n", cut: true},
		"broken gzip":                {data: "\x1f\x8bxxxxxxxxxxxxxxxxxxxxxxxxxxx", err: "the gzip data is broken after 0 bytes"},
		"gzip that is cut":           {data: string(gzipped("1\n2\n"))[:20], err: "the gzip data ends too early"},
		"gzip cut in its header":     {data: "\x1f\x8b\x08", err: "the gzip data ends too early"},
		"gzip cut behind the sample": {data: string(gzipped("1\n2\n3\n" + strings.Repeat("4\n", 1<<20)))[:1000], want: "1\n2\n3\n", cut: true},
		"gzip with another checksum": {data: string(gzipped("1\n")[:len(gzipped("1\n"))-8]) + "xxxxxxxx", err: "the gzip data is broken after 2 bytes"},
		"one long line":              {data: long, want: long[:16<<20], cut: true},
	}
	for name, test := range tests {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(test.data), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := sample.File(file, 3)
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, want %q", name, err, test.err)
			continue
		}
		if err == nil && (len(got.Data) < len(test.want) || len(got.Data) > len(test.want)+1<<16 || !strings.HasPrefix(string(got.Data), test.want) || got.Cut != test.cut || got.Name != file) {
			t.Errorf("%s: got %d bytes, cut %t, want %d, %t", name, len(got.Data), got.Cut, len(test.want), test.cut)
		}
	}
	if _, err := sample.File(filepath.Join(t.TempDir(), "none"), 3); err == nil {
		t.Error("a file that is not there is read")
	}
}

// bucket has objects by key.
type bucket map[string]string

func (b bucket) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := &s3.ListObjectsV2Output{}
	for key, data := range b {
		if strings.HasPrefix(key, *in.Prefix) {
			out.Contents = append(out.Contents, s3types.Object{Key: aws.String(key), Size: aws.Int64(int64(len(data)))})
		}
	}
	slices.SortFunc(out.Contents, func(a, b s3types.Object) int { return strings.Compare(*a.Key, *b.Key) })
	return out, nil
}

func (b bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	if *in.Key == "p/denied" {
		return nil, errors.New("AccessDenied")
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(b[*in.Key]))}, nil
}

func TestObjects(t *testing.T) {
	t.Parallel()
	b := bucket{"p/": "", "p/a": strings.Repeat("line\n", 100), "p/b.gz": string(gzipped("1\n2\n")), "p/c": "x", "q/d": "other"}
	got, err := sample.Objects(t.Context(), b, "b", "p/", 40)
	if err != nil {
		t.Fatal(err)
	}
	want := []discover.Record{
		{Data: []byte(strings.Repeat("line\n", 6)), Name: "s3://b/p/a", Cut: true},
		{Data: []byte("1\n2\n"), Name: "s3://b/p/b.gz"},
		{Data: []byte("x"), Name: "s3://b/p/c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := sample.Objects(t.Context(), b, "b", "p/", 1); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v, want one object", got, err)
	}
	if got, err := sample.Objects(t.Context(), b, "b", "none/", 9); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want nothing", got, err)
	}
	b["p/denied"] = "x"
	if _, err := sample.Objects(t.Context(), b, "b", "p/", 900); err == nil || !strings.Contains(err.Error(), "read s3://b/p/denied: ") {
		t.Errorf("got %v", err)
	}
}
