package deployer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"streamproof/internal/deployer"
	"streamproof/internal/ledger"
)

// stacks is a fake of CloudFormation with one stack.
type stacks struct {
	status cfntypes.StackStatus
	err    error
}

func (s stacks) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	if !strings.HasPrefix(*in.StackName, "arn:") {
		return nil, fmt.Errorf("%s may be the name of a younger stack", *in.StackName)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []cfntypes.Stack{{StackStatus: s.status}}}, s.err
}

const (
	ours   = `{"version":2,"stack":"a-stack","region":"eu-west-1","account":"123456789012"}`
	theirs = `{"version":2,"stack":"another","region":"eu-west-1","account":"123456789012"}`
)

// used is what a stack's bucket holds that has lived.
func used(claim string) *bucket {
	b := newBucket(codes[0], codes[1], codes[1], "code/notes.txt", "ingestion-kinesis/1", "ledger/pipeline.json", "ledger/pipelines/1.json", "ledger/ticks/1.json", "ledger/ticks/1.json", "reports/latest.json")
	b.hide("ingestion-kinesis/2")
	if claim != "" {
		b.put(ledger.StackKey, claim)
	}
	return b
}

var codes = []string{"code/" + strings.Repeat("0a", 32) + ".jar", "code/" + strings.Repeat("1b", 32) + ".jar"}

// young is what it holds before the first tick.
func young(claim string) *bucket {
	b := newBucket(codes[0], codes[0], "ledger/pipelines/1.json", "ledger/pipeline.json")
	b.hide(codes[1])
	if claim != "" {
		b.put(ledger.StackKey, claim)
	}
	return b
}

const (
	data      = "code/notes.txt ingestion-kinesis/1 ingestion-kinesis/2 ledger/pipeline.json ledger/pipelines/1.json"
	ticks     = "ledger/ticks/1.json ledger/ticks/1.json reports/latest.json"
	untouched = "all"
)

func TestContentsAreDeletedAsTheStackSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		b        *bucket
		mode     string
		existing string
		status   cfntypes.StackStatus
		left     string // untouched, or the keys of the versions
		gone     bool
	}{
		{"retain", used(ours), "retain", "false", "DELETE_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},
		{"retain, and nothing was ever produced", young(ours), "retain", "false", "DELETE_IN_PROGRESS", "", false},
		{"retain, and the stack never came to be", young(ours), "retain", "false", "ROLLBACK_IN_PROGRESS", "", false},
		{"retain, and the stack never came to be, after its first rows", used(ours), "retain", "false", "ROLLBACK_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},
		{"retain, and it was broken off at the claim", young(""), "retain", "false", "ROLLBACK_IN_PROGRESS", "", false},
		{"retain, and it is empty", newBucket(), "retain", "false", "DELETE_IN_PROGRESS", "", false},
		{"retain, and the only row was deleted by hand", func() *bucket { b := young(ours); b.hide("ingestion-kinesis/1"); return b }(), "retain", "false", "DELETE_IN_PROGRESS", "ingestion-kinesis/1 ledger/pipeline.json ledger/pipelines/1.json ledger/stack.json", false},
		{"neither word", used(ours), "keep", "false", "DELETE_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},

		{"delete", used(ours), "delete", "false", "DELETE_IN_PROGRESS", "", true},
		{"delete, and it was broken off at the claim", used(""), "delete", "false", "DELETE_IN_PROGRESS", "", true},
		{"delete, and it is empty", newBucket(), "delete", "false", "DELETE_IN_PROGRESS", "", true},
		{"delete, and it is gone", &bucket{gone: true, calls: map[string]int{}}, "delete", "false", "DELETE_IN_PROGRESS", "", true},
		{"retain, and it is gone", &bucket{gone: true, calls: map[string]int{}}, "retain", "false", "DELETE_IN_PROGRESS", "", true},
		// CloudFormation deletes the bucket, which it has made.
		{"delete, and the stack never came to be", used(ours), "delete", "false", "ROLLBACK_IN_PROGRESS", "", false},

		{"the bucket was replaced", used(ours), "delete", "false", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", untouched, false},
		{"the update was rolled back", used(ours), "delete", "false", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", untouched, false},
		{"the update is under way", used(ours), "delete", "false", "UPDATE_IN_PROGRESS", untouched, false},
		{"the resource left the template", young(ours), "retain", "false", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", untouched, false},

		{"another stack's", used(theirs), "retain", "true", "DELETE_IN_PROGRESS", untouched, false},
		{"another stack's, and its creation failed at that", used(theirs), "delete", "false", "ROLLBACK_IN_PROGRESS", untouched, false},
		{"another stack's by now", used(theirs), "delete", "false", "DELETE_IN_PROGRESS", untouched, false},

		{"existing", used(ours), "retain", "true", "DELETE_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},
		{"existing, without data", young(ours), "retain", "true", "DELETE_IN_PROGRESS", "ledger/pipeline.json ledger/pipelines/1.json ledger/stack.json", false},
		{"existing, and not claimed", used(""), "retain", "true", "ROLLBACK_IN_PROGRESS", untouched, false},
		{"existing, and delete, which the template refuses", used(ours), "delete", "true", "DELETE_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},
		{"neither true nor false", used(ours), "delete", "no", "DELETE_IN_PROGRESS", data + " ledger/stack.json " + ticks, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.b.pageSize = 3
			want := test.left
			if want == untouched {
				want = test.b.keys()
			}
			id, _, err := handle(t, keeper(test.b, test.status), "contents-delete", func(e *cfn.Event) {
				e.ResourceProperties["DataOnDelete"], e.ResourceProperties["Existing"] = test.mode, test.existing
			})
			check(t, err, "")
			if id != "a-bucket" {
				t.Errorf("got physical id %q, want the bucket's name", id)
			}
			if got := test.b.keys(); got != want {
				t.Errorf("got left: %s\nwant:     %s", got, want)
			}
			if test.b.gone != test.gone {
				t.Errorf("got the bucket gone: %t, want %t", test.b.gone, test.gone)
			}
		})
	}
}

// The clean-up of a resource whose creation failed before it had an id.
func TestContentsKeepTheirID(t *testing.T) {
	t.Parallel()
	id, _, err := handle(t, keeper(young(ours), "ROLLBACK_IN_PROGRESS"), "contents-delete", func(e *cfn.Event) { e.PhysicalResourceID = "8b1cb3f1-5a4f" })
	check(t, err, "")
	if id != "8b1cb3f1-5a4f" {
		t.Errorf("got physical id %q, want the one that was given", id)
	}
}

func TestContentsAreDeletedInBatches(t *testing.T) {
	t.Parallel()
	b := newBucket()
	for i := range 5500 {
		b.put(fmt.Sprintf("ingestion-kinesis/%d", i), "")
	}
	b.put(ledger.StackKey, ours)
	_, _, err := handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
	check(t, err, "")
	// Data: six batches, and six pages and an empty one. Claim: one batch, and one page and an empty one.
	if got, want := fmt.Sprint(b.calls), "map[DeleteBucket:1 DeleteObjects:7 GetObject:1 ListObjectVersions:9]"; got != want || !b.gone {
		t.Errorf("got calls %s, want %s", got, want)
	}
}

// What a delivery stream held when it was deleted comes late.
func TestContentsThatComeLateAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := used(ours)
		lists, removes := 0, 0
		b.list = func() error {
			if lists++; lists == 2 {
				b.put("ingestion-kinesis/late", "")
			}
			return nil
		}
		b.remove = func() error {
			if removes++; removes == 1 {
				b.put("ingestion-kinesis/later", "")
			}
			return nil
		}
		_, _, err := handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
		check(t, err, "")
		if !b.gone || removes != 2 {
			t.Errorf("got the bucket gone: %t, after it was deleted %d times, want 2", b.gone, removes)
		}
	})
}

func TestContentsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		refuse func(asked int, v stored) string
		want   string
	}{
		{"one for ever", func(_ int, v stored) string {
			return map[bool]string{true: "AccessDenied"}[v.key == "ingestion-kinesis/1"]
		},
			"BucketContents: S3 refused to delete 1 object versions of s3://a-bucket: ingestion-kinesis/1 (version 5): AccessDenied: as asked"},
		{"all for ever", func(int, stored) string { return "AccessDenied" }, "S3 refused to delete 11 object versions"},
		{"all for now", func(asked int, _ stored) string { return map[bool]string{true: "SlowDown"}[asked <= 40] }, ""},
		{"some for now", func(asked int, _ stored) string { return map[bool]string{true: "InternalError"}[asked%2 == 0] }, ""},
		{"all are throttled for ever", func(int, stored) string { return "SlowDown" }, "and 12 object versions are left in s3://a-bucket: delete the stack again, which resumes from here"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := used(ours)
				asked := 0
				b.refuse = func(v stored) string { asked++; return test.refuse(asked, v) }
				_, _, err := handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
				check(t, err, test.want)
				if b.gone != (test.want == "") {
					t.Errorf("got the bucket gone: %t", b.gone)
				}
				if err != nil && len(err.Error()) > 3000 {
					t.Errorf("got a reason of %d bytes, which CloudFormation does not take", len(err.Error()))
				}
				if err == nil {
					return
				}
				// Once the cause is mended, the next deletion goes on.
				b.refuse = nil
				_, _, err = handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
				check(t, err, "")
				if !b.gone {
					t.Error("the second deletion left the bucket")
				}
			})
		})
	}
}

// There is more than the function's time is enough for: what is left is counted, and the next deletion goes on.
func TestContentsAreMoreThanTheTimeIsEnoughFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.pageSize = 1
		for i := range 1100 {
			b.put(fmt.Sprintf("ingestion-kinesis/%04d", i), "")
		}
		b.put(ledger.StackKey, ours)
		b.list = func() error { time.Sleep(time.Second); return nil }
		_, _, err := handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
		// A page a second: 860 in the time for them, and then some of those that stay are counted.
		check(t, err, "BucketContents: the function's time is over, and at least ")
		check(t, err, " object versions are left in s3://a-bucket: delete the stack again, which resumes from here")
		if n := len(b.stands); n < 200 || n > 300 {
			t.Errorf("%d versions are left", n)
		}
		if _, ok := b.newest(ledger.StackKey); !ok {
			t.Error("the claim is gone before the data")
		}
		_, _, err = handle(t, keeper(b, "DELETE_IN_PROGRESS"), "contents-delete", deleteData)
		check(t, err, "")
		if !b.gone {
			t.Error("the second deletion left the bucket")
		}
	})
}

func TestContentsFaultsOfADeletion(t *testing.T) {
	t.Parallel()
	denied := apiError("AccessDenied")
	tests := []struct {
		name   string
		change func(b *bucket, d *deployer.Deployer)
		want   string
	}{
		{"the stack cannot be seen", func(_ *bucket, d *deployer.Deployer) { d.Stacks = stacks{err: denied} }, "find out whether the stack is being deleted: describe stack arn:aws:cloudformation:eu-west-1:123456789012:stack/a-stack/"},
		{"the claim cannot be read", func(b *bucket, d *deployer.Deployer) {
			b.stands = nil
			d.Ledger = func(string) deployer.Ledger { return &book{bucket: b, err: denied} }
		}, "AccessDenied"},
		{"it cannot be listed", func(b *bucket, _ *deployer.Deployer) { b.list = func() error { return denied } }, "list the versions of s3://a-bucket/: api error AccessDenied"},
		{"the bucket cannot be deleted", func(b *bucket, _ *deployer.Deployer) { b.remove = func() error { return denied } }, "delete bucket a-bucket: api error AccessDenied"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := used(ours)
			d := keeper(b, "DELETE_IN_PROGRESS")
			test.change(b, d)
			_, _, err := handle(t, d, "contents-delete", deleteData)
			check(t, err, test.want)
			if b.gone {
				t.Error("the bucket is gone")
			}
		})
	}
}

func TestContentsAreClaimed(t *testing.T) {
	t.Parallel()
	// S3's answers without a body, as HeadBucket has them.
	answer := func(status int, region string) error {
		header := http.Header{}
		if region != "" {
			header.Set("x-amz-bucket-region", region)
		}
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: header}}, Err: errors.New(http.StatusText(status))}
	}
	tests := []struct {
		name     string
		b        *bucket
		mode     string
		existing string
		region   string // of the bucket
		headErr  error
		want     string
	}{
		{"a new bucket", newBucket(), "retain", "false", "", nil, ""},
		{"a new bucket, to be deleted", newBucket(), "delete", "false", "", nil, ""},
		{"claimed already", used(ours), "delete", "false", "", nil, ""},
		{"before buckets were claimed", used(""), "retain", "false", "", nil, ""},
		{"an existing bucket", newBucket("mine"), "retain", "true", "eu-west-1", nil, ""},
		{"the bucket that was retained", used(ours), "retain", "true", "eu-west-1", nil, ""},
		{"another stack's", used(theirs), "retain", "true", "eu-west-1", nil, "bucket a-bucket is claimed for stack another (region eu-west-1, account 123456789012) and cannot be used by stack a-stack"},
		{"in another region", newBucket(), "retain", "true", "eu-west-3", nil, "bucket a-bucket is in region eu-west-3 and the stack in eu-west-1: use a bucket of the stack's region"},
		{"in another region, moved", newBucket(), "retain", "true", "", answer(301, "eu-west-3"), "is in region eu-west-3"},
		{"in another region, denied", newBucket(), "retain", "true", "", answer(403, "eu-west-3"), "is in region eu-west-3"},
		{"no such bucket", newBucket(), "retain", "true", "", answer(404, ""), "there is no bucket a-bucket: create it, or leave ExistingBucket empty"},
		{"denied", newBucket(), "retain", "true", "", answer(403, "eu-west-1"), "bucket a-bucket is not this account's (123456789012), or its policy denies"},
		{"no answer", newBucket(), "retain", "true", "", errors.New("reset"), "head bucket a-bucket: reset"},
		{"existing, and to be deleted", newBucket(), "delete", "true", "eu-west-1", nil, "set DataOnDelete to retain, or leave ExistingBucket empty"},
		{"neither word", newBucket(), "keep", "false", "", nil, `property DataOnDelete is "keep", want retain or delete`},
		{"neither true nor false", newBucket(), "retain", "no", "", nil, `property Existing is "no", want true or false`},
	}
	for _, test := range tests {
		for _, sample := range []string{"contents-create", "contents-update"} {
			t.Run(test.name+"/"+sample, func(t *testing.T) {
				t.Parallel()
				b := newBucket()
				b.stands = append(b.stands, test.b.stands...)
				before := b.keys()
				b.head = func(in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
					if got, want := aws.ToString(in.ExpectedBucketOwner), "123456789012"; got != want {
						t.Errorf("got expected owner %s, want %s", got, want)
					}
					if test.headErr != nil {
						return nil, test.headErr
					}
					return &s3.HeadBucketOutput{BucketRegion: &test.region}, nil
				}
				// No stack: what is not deleted need not know.
				id, _, err := handle(t, &deployer.Deployer{Objects: b, Ledger: func(string) deployer.Ledger { return &book{bucket: b} }}, sample, func(e *cfn.Event) {
					e.ResourceProperties["DataOnDelete"], e.ResourceProperties["Existing"] = test.mode, test.existing
				})
				check(t, err, test.want)
				if id != "a-bucket" {
					t.Errorf("got physical id %q, want the bucket's name", id)
				}
				if test.want != "" {
					if got := b.keys(); got != before {
						t.Errorf("got %s in the bucket, want what was there: %s", got, before)
					}
					return
				}
				if got, _ := b.newest(ledger.StackKey); got.body != ours {
					t.Errorf("got the claim %s, want %s", got.body, ours)
				}
			})
		}
	}
}

// A bucket that is replaced has another id, and a failed replacement keeps the old one.
func TestContentsAreReplaced(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ claim, id, want string }{
		{"", "another-bucket", ""},
		{theirs, "a-bucket", "is claimed for"},
	} {
		b := newBucket()
		if test.claim != "" {
			b.put(ledger.StackKey, test.claim)
		}
		id, _, err := handle(t, keeper(b, "UPDATE_IN_PROGRESS"), "contents-update", func(e *cfn.Event) { e.ResourceProperties["Bucket"] = "another-bucket" })
		check(t, err, test.want)
		if id != test.id {
			t.Errorf("got physical id %q, want %q", id, test.id)
		}
	}
}

func TestContentsProperties(t *testing.T) {
	t.Parallel()
	_, _, err := handle(t, keeper(newBucket(), ""), "contents-create", func(e *cfn.Event) { e.ResourceProperties = nil })
	for _, name := range []string{"Bucket", "StackName", "DataOnDelete", "Existing"} {
		check(t, err, "property "+name+" is missing")
	}
	_, _, err = handle(t, keeper(newBucket(), ""), "contents-create", func(e *cfn.Event) { e.StackID = "a-stack" })
	check(t, err, `the stack's id "a-stack"`)
}

func deleteData(e *cfn.Event) { e.ResourceProperties["DataOnDelete"] = "delete" }

// keeper is a deployer of a stack in this status.
func keeper(b *bucket, status cfntypes.StackStatus) *deployer.Deployer {
	return &deployer.Deployer{Objects: b, Stacks: stacks{status: status}, Ledger: func(string) deployer.Ledger { return &book{bucket: b} }}
}
