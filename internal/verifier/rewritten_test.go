package verifier_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/verifier"
)

// racing is a bucket in which a tick's object is rewritten (progress, then manifest) between its listing and its
// reading, as a producer that is sending does. Like bucket.S3, it gives no bytes but those of the ETag that was listed.
type racing struct {
	*memory
	key      string
	versions [][]byte // still to come
}

func (r *racing) Read(ctx context.Context, o bucket.Object) ([]byte, error) {
	if o.Key == r.key && len(r.versions) > 0 {
		r.objects[r.key] = object{r.versions[0], r.now}
		r.versions = r.versions[1:]
		return nil, fmt.Errorf("read %s/%s: %w", r.Name(), o.Key, bucket.ErrRewritten)
	}
	return r.memory.Read(ctx, o)
}

// TestRewrittenWhileRead: a tick that is being sent while a verification reads the ledger does not make it UNDECIDED.
func TestRewrittenWhileRead(t *testing.T) {
	m := history(t)
	tick := tickAt(embedded(t), 1)
	complete, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	tick.State, tick.Outcomes = ledger.InProgress, nil
	progress, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.keep(t, tick) // as it is listed
	m.now = start.Add(70 * time.Second)
	r := verifier.Judge(t.Context(), &racing{m, ledger.TickKey(tick.Time), [][]byte{progress, complete}}, verifier.Options{
		DataPrefix: prefix, ErrorsPrefix: errorsPrefix, DeliveryDeadline: deadline,
	})
	if r.Verdict != proof.Proven {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
}
