package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// An acceptance is one that stands in the ledger, with what it still covers.
type acceptance struct {
	*ledger.Acceptance
	key   string
	named int64         // findings, from the start
	left  []proof.Group // those that are not used up
}

// acceptances reads what people have accepted, and what of it is used up, the oldest first.
func (v *verification) acceptances(ctx context.Context) (all []*acceptance, err error) {
	entries, _, err := v.bucket.List(ctx, strings.TrimSuffix(ledger.AcceptancesPrefix, "/")) // with ledger.UsedKey
	if err != nil {
		return nil, err
	}
	used := &ledger.Used{}
	if slices.ContainsFunc(entries, func(o bucket.Object) bool { return o.Key == ledger.UsedKey }) {
		if used, _, err = loadUsed(ctx, v.bucket); err != nil {
			return nil, err
		}
	}
	entries = slices.DeleteFunc(entries, func(o bucket.Object) bool {
		return !strings.HasPrefix(o.Key, ledger.AcceptancesPrefix)
	})
	entries = v.withoutStrays(ledger.AcceptancesPrefix, entries, v.base)
	for entry, content := range bucket.ReadAhead(ctx, v.bucket, entries) {
		data, err := io.ReadAll(content)
		if err != nil {
			return nil, err
		}
		one := &acceptance{key: entry.Key}
		if one.Acceptance, err = ledger.DecodeAcceptance(data); err == nil {
			one.left, err = v.named(ctx, one.Acceptance)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Key, err)
		}
		for _, g := range one.left {
			one.named += g.Count
		}
		if left, ok := used.Left[entry.Key]; ok {
			one.left = common(one.left, left)
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b *acceptance) int { return a.At.Compare(b.At) })
	return all, nil
}

// named reads the findings that an acceptance names.
func (v *verification) named(ctx context.Context, a *ledger.Acceptance) ([]proof.Group, error) {
	var object []byte
	if a.FindingsKey != "" {
		stored, data, err := bucket.Get(ctx, v.bucket, a.FindingsKey)
		if err != nil {
			return nil, err
		}
		if stored == nil {
			return nil, fmt.Errorf("%s is gone: restore it", a.FindingsKey)
		}
		object = data
	}
	return a.Named(object)
}

// loadUsed reads what is used up, and its ETag, empty where nothing is yet.
func loadUsed(ctx context.Context, b bucket.Bucket) (*ledger.Used, string, error) {
	object, data, err := bucket.Get(ctx, b, ledger.UsedKey)
	if err != nil || object == nil {
		return &ledger.Used{Left: map[string][]proof.Group{}}, "", err
	}
	used, err := ledger.DecodeUsed(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", ledger.UsedKey, err)
	}
	return used, object.ETag, nil
}

// common gives the findings that are in both.
func common(a, b []proof.Group) (both []proof.Group) {
	other := map[proof.Place]proof.Group{}
	for _, g := range b {
		other[g.Place] = g
	}
	for _, g := range a {
		o, ok := other[g.Place]
		switch {
		case !ok:
		case g.Rows == nil || o.Rows == nil:
			if g.Count == o.Count && g.Sum == o.Sum {
				both = append(both, g)
			}
		default:
			c := proof.Group{Class: g.Class, Place: g.Place, ETag: g.ETag, Rows: map[proof.Name]int64{}}
			for name, n := range g.Rows {
				c.Add(name, min(n, o.Rows[name]))
			}
			if c.Count > 0 {
				both = append(both, c)
			}
		}
	}
	return both
}

// results are those of all epochs that are judged.
type results []*proof.Result

// Findings are those of a class in all of them. The caller may change them.
func (rs results) Findings(class proof.Class, ticks func(time.Time) bool) *proof.Findings {
	all := rs[0].Findings(class, ticks)
	for _, r := range rs[1:] {
		all.Merge(r.Findings(class, ticks))
	}
	return all
}

// A coverage is what acceptances make of the findings of a verification.
type coverage struct {
	accepted []report.Accepted
	excused  map[proof.Class]int64
	// open are the findings that are not accepted: of all places, if all was asked for.
	open []proof.Group
	// left is what is left of acceptances that are partly used up by now.
	left map[string][]proof.Group
}

// cover finds out which findings are accepted, each by one acceptance, the oldest first. What an acceptance names and
// is no longer there is used up, unless the findings are from before the acceptance.
func cover(acceptances []*acceptance, result results, now time.Time, all bool) coverage {
	c := coverage{excused: map[proof.Class]int64{}, left: map[string][]proof.Group{}}
	used := make([]int64, len(acceptances))
	for _, class := range proof.Classes {
		if len(result) == 0 {
			break
		}
		ticks := map[time.Time]bool{}
		for _, a := range acceptances {
			for _, g := range a.left {
				ticks[g.Tick] = ticks[g.Tick] || g.Class == class
			}
		}
		if len(ticks) == 0 && !all {
			continue
		}
		of := func(tick time.Time) bool { return all || ticks[tick.UTC()] }
		found, waiting := result.Findings(class, of), &proof.Findings{}
		if class == proof.Missing {
			waiting = result.Findings(proof.InFlight, of)
		}
		if found.Unnamed || waiting.Unnamed {
			continue // what is accepted cannot be distinguished from the rest
		}
		for i, a := range acceptances {
			if proof.Class(a.Class) != class {
				continue
			}
			var before, after int64
			var left []proof.Group
			for _, g := range a.left {
				before += g.Count
				n, rest := take(g, found, waiting)
				used[i] += n
				if after += rest.Count; rest.Count > 0 {
					left = append(left, rest)
				}
			}
			c.excused[class] += used[i]
			if after < before && a.Until.Before(now) {
				a.left = left
				c.left[a.key] = left
			}
		}
		for _, g := range found.Sorted() {
			if g.Count > 0 {
				c.open = append(c.open, g)
			}
		}
	}
	for i, a := range acceptances {
		one := report.Accepted{
			Class: proof.Class(a.Class), Count: a.Count, Until: a.Until, Reason: a.Reason, Who: a.Who, At: a.At, Rows: a.Rows,
			Named: a.named, Used: used[i], UsedUp: a.named,
		}
		for _, g := range a.left {
			one.UsedUp -= g.Count
		}
		c.accepted = append(c.accepted, one)
	}
	return c
}

// take takes the findings that a group of an acceptance names from those that are found, and gives how many they are,
// and what of the group is left. Rows that are owed still, although they are not missing at the moment, are not used
// up.
func take(g proof.Group, found, waiting *proof.Findings) (used int64, left proof.Group) {
	f, w := found.Groups[g.Place], waiting.Groups[g.Place]
	if f != nil && f.ETag != g.ETag && f.ETag != "" && g.ETag != "" {
		f = nil
	}
	none := proof.Group{Class: g.Class, Place: g.Place, ETag: g.ETag, Rows: map[proof.Name]int64{}}
	switch {
	case g.Rows != nil && (f == nil || f.Rows != nil) && (w == nil || w.Rows != nil):
		left = none
		for name, n := range g.Rows {
			var here, later int64
			if f != nil {
				here = min(n, f.Rows[name])
				f.Add(name, -here)
			}
			if w != nil {
				later = min(n-here, w.Rows[name])
			}
			used += here
			left.Add(name, here+later)
		}
		return used, left
	case f != nil && f.Count == g.Count && f.Sum == g.Sum:
		delete(found.Groups, g.Place)
		return g.Count, g
	case w == nil && (f == nil || f.Count < g.Count):
		return 0, none // some are gone, and which ones cannot be determined
	default:
		return 0, g
	}
}

// useUp records what is left of acceptances. If two verifications run at once, each removes what it has seen to be
// gone.
func (h *Handler) useUp(ctx context.Context, left map[string][]proof.Group) error {
	const tries = 5
	for try := 1; ; try++ {
		used, etag, err := loadUsed(ctx, h.bucket)
		if err != nil {
			return err
		}
		for key, groups := range left {
			if before, ok := used.Left[key]; ok {
				groups = common(before, groups)
			}
			used.Left[key] = groups
		}
		data, err := used.Encode()
		if err != nil {
			return err
		}
		err = h.replace(ctx, ledger.UsedKey, data, etag)
		var apiError smithy.APIError
		conflict := errors.As(err, &apiError) &&
			slices.Contains([]string{"PreconditionFailed", "ConditionalRequestConflict"}, apiError.ErrorCode())
		if !conflict || try == tries {
			return err
		}
	}
}
