package runner

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/local/flink"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before, after := now.Add(-time.Second), now.Add(time.Second)
	v1 := &Spec{Version: 1, Key: "a.jar", Properties: []flink.PropertyGroup{{ID: "g", Properties: map[string]string{"k": "v"}}}}
	equal := &Spec{Version: 1, Key: "a.jar", Properties: []flink.PropertyGroup{{ID: "g", Properties: map[string]string{"k": "v"}}}}
	v2 := &Spec{Version: 2, Key: "a.jar"}
	tests := []struct {
		name    string
		want    *Spec
		last    *Last
		alive   bool
		retryAt time.Time
		action  Action
	}{
		{"nothing yet, nothing wanted", nil, nil, false, time.Time{}, Nothing},
		{"first start", v1, nil, false, time.Time{}, Start},
		{"runs as wanted", v1, &Last{Spec: *equal}, true, time.Time{}, Nothing},
		{"stopped", nil, &Last{Spec: *v1}, true, time.Time{}, Stop},
		{"is stopped", nil, &Last{Spec: *v1, Stopped: true}, false, time.Time{}, Nothing},
		{"started again", v1, &Last{Spec: *v1, Stopped: true}, false, time.Time{}, Start},
		{"new version", v2, &Last{Spec: *v1}, true, time.Time{}, Stop},
		{"new version, the old one is stopped", v2, &Last{Spec: *v1}, false, time.Time{}, Start},
		{"new properties", &Spec{Version: 1, Key: "a.jar"}, &Last{Spec: *v1}, true, time.Time{}, Stop},
		{"new code", &Spec{Version: 1, Key: "b.jar", Properties: v1.Properties}, &Last{Spec: *v1}, true, time.Time{}, Stop},
		{"died, too early", v1, &Last{Spec: *v1}, false, after, Nothing},
		{"died, time is up", v1, &Last{Spec: *v1}, false, now, Start},
		{"died long ago", v1, &Last{Spec: *v1}, false, before, Start},
		{"died, and a new version does not wait", v2, &Last{Spec: *v1}, false, after, Start},
		{"died, and stopped since", nil, &Last{Spec: *v1}, false, after, Nothing},
	}
	for _, test := range tests {
		if got := Decide(test.want, test.last, test.alive, now, test.retryAt); got != test.action {
			t.Errorf("%s: got %s, want %s", test.name, got, test.action)
		}
	}
}

func TestOriginOf(t *testing.T) {
	t.Parallel()
	latest := Spec{Version: 1, Restore: types.ApplicationRestoreTypeRestoreFromLatestSnapshot}
	skip := Spec{Version: 2, Restore: types.ApplicationRestoreTypeSkipRestoreFromSnapshot}
	none := Spec{Version: 4, NoSnapshots: true, Restore: latest.Restore}
	noneSkip := Spec{Version: 6, NoSnapshots: true, Restore: skip.Restore}
	named := func(snapshot string) Spec {
		return Spec{Version: 2, Restore: types.ApplicationRestoreTypeRestoreFromCustomSnapshot, Snapshot: snapshot}
	}
	tests := []struct {
		name string
		want Spec
		last *Last
		from origin
	}{
		{"first start", latest, nil, latestSnapshot},
		{"started again", latest, &Last{Spec: latest, Stopped: true}, latestSnapshot},
		{"new version", Spec{Version: 2, Restore: latest.Restore}, &Last{Spec: latest}, ownState},
		{"died", latest, &Last{Spec: latest}, ownState},

		{"snapshots are switched off", none, &Last{Spec: latest}, ownState},
		{"an older snapshot stays, though they are off", Spec{Version: 5, NoSnapshots: true, Restore: latest.Restore}, &Last{Spec: none}, latestSnapshot},
		{"stopped without a snapshot", none, &Last{Spec: none, Stopped: true}, latestSnapshot},
		{"died, without snapshots", none, &Last{Spec: none}, ownState},
		{"snapshots are switched on again", Spec{Version: 5, Restore: latest.Restore}, &Last{Spec: none}, latestSnapshot},
		{"new version, without snapshots and without state", Spec{Version: 7, NoSnapshots: true, Restore: skip.Restore}, &Last{Spec: noneSkip}, noState},

		{"first start without state", skip, nil, noState},
		{"started without state", skip, &Last{Spec: latest, Stopped: true}, noState},
		{"started without state again", skip, &Last{Spec: skip, Stopped: true}, noState},
		{"the update says so", skip, &Last{Spec: latest}, noState},
		{"died, after a start without state", skip, &Last{Spec: skip}, ownState},
		{"new version, after a start without state", Spec{Version: 3, Restore: skip.Restore}, &Last{Spec: skip}, ownState},

		{"by name, after another version", named("a"), &Last{Spec: Spec{Version: 1}}, namedSnapshot},
		{"by name again", named("a"), &Last{Spec: named("a"), Stopped: true}, namedSnapshot},
		{"another snapshot", named("b"), &Last{Spec: named("a")}, namedSnapshot},
		{"the first start, by name", named("a"), nil, namedSnapshot},
		{"died, after a start by name", named("a"), &Last{Spec: named("a")}, ownState},
		{"the latest, after a start by name", Spec{Version: 2, Restore: latest.Restore}, &Last{Spec: named("a"), Stopped: true}, latestSnapshot},
	}
	for _, test := range tests {
		if got := originOf(test.want, test.last); got != test.from {
			t.Errorf("%s: got %q, want %q", test.name, got, test.from)
		}
	}
}

// TestSavepointOf: each snapshot has the savepoint that was begun when it was asked for.
func TestSavepointOf(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[a] ñ")
	at := time.Unix(1_700_000_000, 0)
	for name, after := range map[string]time.Duration{ // in the order of time
		"of a snapshot that was deleted": -time.Hour,
		"of the first":                   400 * time.Millisecond,
		"of the second":                  6 * time.Second,          // the runner looked late
		"of the third":                   9_953 * time.Millisecond, // before the emulator noted the snapshot, at 10.1 s
		"of a snapshot to come":          time.Minute,
	} {
		path := filepath.Join(dir, "savepoints", strconv.FormatInt(at.Add(after).UnixNano(), 10), name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "_metadata"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var snapshots []types.SnapshotDetails
	for _, s := range []struct {
		name  string
		after time.Duration
	}{{"first", 0}, {"second", 2 * time.Second}, {"third", 10 * time.Second}, {"failed", 30 * time.Second}} {
		snapshots = append(snapshots, types.SnapshotDetails{SnapshotName: &s.name, SnapshotCreationTimestamp: aws.Time(at.Add(s.after))})
	}
	r := &Runner{Config: Config{Application: "an-application", Dir: dir, Log: slog.New(slog.DiscardHandler)}, applications: fakeSnapshots{list: snapshots}}
	for _, test := range []struct{ snapshot, want, err string }{
		{"first", "of the first", ""},
		{"second", "of the second", ""},
		{"third", "of the third", ""},
		{"", "of the third", ""},
		{"failed", "", "there is no savepoint of snapshot failed"},
		{"other", "", "application an-application has no snapshot other"},
	} {
		got, err := r.savepointOf(t.Context(), test.snapshot)
		if filepath.Base(got) != cmp.Or(test.want, ".") || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("snapshot %q: got %q, %v, want %q, %q", test.snapshot, got, err, test.want, test.err)
		}
	}
}

// fakeSnapshots are an application's.
type fakeSnapshots struct {
	describer // nothing else is asked for
	list      []types.SnapshotDetails
}

func (f fakeSnapshots) ListApplicationSnapshots(context.Context, *kinesisanalyticsv2.ListApplicationSnapshotsInput, ...func(*kinesisanalyticsv2.Options)) (*kinesisanalyticsv2.ListApplicationSnapshotsOutput, error) {
	return &kinesisanalyticsv2.ListApplicationSnapshotsOutput{SnapshotSummaries: f.list}, nil
}
