package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"streamproof/internal/operate"
	"streamproof/internal/stack/stacktest"
	"streamproof/internal/tail"
)

// worldEnv is an environment of a stack of the world, whose stream gives a record to each first call for records.
func worldEnv(w *stacktest.World, stdout, stderr io.Writer) *env {
	e := newEnv(stdout, stderr)
	var given sync.Map // shards
	e.loadAWS = func(_ context.Context, region string) (aws.Config, error) {
		return aws.Config{
			Region: region, BaseEndpoint: aws.String("http://127.0.0.1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
			HTTPClient: httpFunc(func(r *http.Request) (*http.Response, error) {
				answer := func(body any) (*http.Response, error) {
					text, err := json.Marshal(body)
					return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, err
				}
				_, target, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
				switch target {
				case "GetShardIterator":
					var in struct{ ShardId string }
					if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
						return nil, err
					}
					return answer(map[string]any{"ShardIterator": in.ShardId})
				case "GetRecords":
					var in struct{ ShardIterator string }
					if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
						return nil, err
					}
					records := []any{}
					if _, again := given.LoadOrStore(in.ShardIterator, true); !again {
						records = append(records, map[string]any{"SequenceNumber": "7", "PartitionKey": "key of " + in.ShardIterator, "Data": base64.StdEncoding.EncodeToString([]byte("text\n")),
							"ApproximateArrivalTimestamp": float64(time.Now().Unix())})
					}
					return answer(map[string]any{"Records": records, "NextShardIterator": in.ShardIterator, "MillisBehindLatest": 0})
				}
				return w.Do(r)
			}),
		}, nil
	}
	return e
}

// TestTail: the records of every shard, with why they are no rows; as JSON, the batches that the console's page gets.
func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := stacktest.New(t)
		var stdout, stderr bytes.Buffer
		if status := worldEnv(w, &stdout, &stderr).run(t.Context(), []string{"tail", "--for", "3s", "--stack", "streamproof", "--region", "eu-west-1"}); status != 0 {
			t.Fatalf("got status %d: %s", status, &stderr)
		}
		for _, want := range []string{"shardId-000000000000 key of shardId-000000000000 text\n", "shardId-000000000001 key of shardId-000000000001 text\n", "  not a row: "} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("got %s, want %q", &stdout, want)
			}
		}
		stdout.Reset()
		if status := worldEnv(w, &stdout, &stderr).run(t.Context(), []string{"tail", "--for", "3s", "--json", "--stack", "streamproof", "--region", "eu-west-1"}); status != 0 {
			t.Fatalf("got status %d: %s", status, &stderr)
		}
		read := int64(0)
		for lines := json.NewDecoder(&stdout); lines.More(); {
			var b tail.Batch
			if err := lines.Decode(&b); err != nil {
				t.Fatal(err)
			}
			read += b.Read
		}
		if read != 2 {
			t.Errorf("got %d records, want one of each shard", read)
		}
	})
}

func TestVersionOf(t *testing.T) {
	t.Parallel()
	all := []operate.Version{{Pipeline: "abc1", SQL: "new"}, {Pipeline: "abd2", SQL: "old"}, {Pipeline: "abc1", SQL: "new"}}
	for start, want := range map[string]string{"abc": "new", "abd2": "old"} {
		if got, err := versionOf(all, start); err != nil || got.SQL != want {
			t.Errorf("%s: got %+v, %v, want %s", start, got, err, want)
		}
	}
	for start, want := range map[string]string{"ab": "several versions", "x": "no version"} {
		if _, err := versionOf(all, start); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", start, err, want)
		}
	}
}

// TestSQLVersions: the list names each query, and one of them is printed so that it can be run again.
func TestSQLVersions(t *testing.T) {
	t.Parallel()
	w, p := stacktest.New(t)
	run := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if status := worldEnv(w, &stdout, &stderr).run(t.Context(), append(append([]string{"sql", "versions"}, args...), "--stack", "streamproof", "--region", "eu-west-1")); status != 0 {
			t.Fatalf("got status %d: %s", status, &stderr)
		}
		return stdout.String()
	}
	hash := p.Hash()[:12]
	if got := run(); !strings.Contains(got, hash) || !strings.Contains(got, "runs now, deployed") {
		t.Errorf("got %s, want the query that runs", got)
	}
	if got := run(hash); got != string(p.SQL) {
		t.Errorf("got %s, want the query's text", got)
	}
	var all []operate.Version
	if err := json.Unmarshal([]byte(run("--json")), &all); err != nil || len(all) != 1 || all[0].SQL != string(p.SQL) {
		t.Errorf("got %+v, %v", all, err)
	}
}
