package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
)

func TestClaimFor(t *testing.T) {
	t.Parallel()
	ours := ledger.Stack{Name: "ours", Region: "eu-west-1", Account: "111122223333"}
	const path = "/bucket/" + ledger.StackKey
	tests := []struct {
		name   string
		stands string
		fault  s3test.Fault // of the first request
		want   string       // a part of the error
		writes int
	}{
		{name: "a new bucket", writes: 1},
		{name: "its own already", stands: `{"version":2,"stack":"ours","region":"eu-west-1","account":"111122223333"}`},
		{name: "its own, by an older version", stands: `{"version":1,"stack":"ours","region":"eu-west-1","account":"111122223333"}`},
		{name: "another stack's", stands: `{"version":2,"stack":"theirs","region":"eu-west-1","account":"111122223333"}`,
			want: "bucket bucket is claimed for stack theirs (region eu-west-1, account 111122223333) and cannot be used by stack ours (region eu-west-1, account 111122223333): use another bucket, or, if the first stack is gone and its data is to be judged on, delete s3://bucket/ledger/stack.json"},
		{name: "the same name in another region", stands: `{"version":2,"stack":"ours","region":"eu-west-3","account":"111122223333"}`, want: "claimed for stack ours (region eu-west-3"},
		{name: "the same name in another account", stands: `{"version":2,"stack":"ours","region":"eu-west-1","account":"1"}`, want: "claimed for stack ours (region eu-west-1, account 1)"},
		{name: "of a newer version", stands: `{"version":3}`, want: "use a newer streamproof"},
		{name: "something else", stands: `{"version":2}`, want: "has no name"},
		{name: "the answer was lost", fault: s3test.DoneThenLost, writes: 1},
		{name: "the answer was 500", fault: s3test.DoneThenFailure, writes: 1},
		{name: "another write was under way", fault: s3test.Conflict, writes: 1},
		{name: "denied", fault: s3test.Denied, want: "claim the bucket: put s3://bucket/ledger/stack.json"},
		{name: "no bucket", fault: s3test.NoBucket, want: "NoSuchBucket"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := s3test.New()
				if test.stands != "" {
					s.Put(path, []byte(test.stands))
				}
				before := s.Writes()
				s.Fault = func(request int, _ string) s3test.Fault {
					if request == 0 {
						return test.fault
					}
					return s3test.None
				}
				store := ledger.NewStore(s.Client(), "bucket")
				err := store.ClaimFor(t.Context(), ours)
				switch {
				case test.want == "" && err != nil:
					t.Fatalf("got error %v, want none", err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("got error %v, want one with %q", err, test.want)
				}
				if taken := errors.As(err, new(*ledger.TakenError)); taken != strings.Contains(test.want, "claimed for") {
					t.Errorf("got a TakenError: %t, in %v", taken, err)
				}
				if got := s.Writes() - before; got != test.writes {
					t.Errorf("got %d writes, want %d", got, test.writes)
				}
				if test.want != "" {
					return
				}
				if got, err := store.ClaimedFor(t.Context()); err != nil || got == nil || !got.Same(ours) {
					t.Errorf("got %v (%v), want it claimed for %v", got, err, ours)
				}
			})
		})
	}
}

func TestClaimedForNone(t *testing.T) {
	t.Parallel()
	if got, err := ledger.NewStore(s3test.New().Client(), "bucket").ClaimedFor(t.Context()); got != nil || err != nil {
		t.Errorf("got %v and error %v, want neither", got, err)
	}
}

// TestStackAsWritten pins the object, in which people look for the name, the region and the account.
func TestStackAsWritten(t *testing.T) {
	t.Parallel()
	s := s3test.New()
	if err := ledger.NewStore(s.Client(), "bucket").ClaimFor(t.Context(), ledger.Stack{Name: "ours", Region: "eu-west-1", Account: "111122223333"}); err != nil {
		t.Fatal(err)
	}
	o, _ := s.Get("/bucket/" + ledger.StackKey)
	if got, want := string(o.Body), `{"version":2,"stack":"ours","region":"eu-west-1","account":"111122223333"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
