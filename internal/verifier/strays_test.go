package verifier

import (
	"strings"
	"testing"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// TestStrayObjectsAreReported: folder markers, files of a desktop and copies beside the ledger's objects do not keep it
// from judging, in full, in an increment and from the archive on.
func TestStrayObjectsAreReported(t *testing.T) {
	t.Parallel()
	strays := []string{
		ledger.TicksPrefix, ledger.TicksPrefix + "2026/11/24", ledger.TicksPrefix + ".DS_Store", ledger.TicksPrefix + "2026/11/24/",
		ledger.TicksPrefix + "2026/11/22/20261122T000000.000Z.json.bak", ledger.TicksPrefix + "a\x01b",
		ledger.AcceptancesPrefix, ledger.AcceptancesPrefix + ".DS_Store",
		ledger.PipelinesPrefix, ledger.PipelinesPrefix + ".DS_Store",
		"data/", "data/2026/11/22/", "data-errors/", "errors/data/processing-failed/",
	}
	l := hours(embeddedPipeline(), 10)
	for key := range l.objects {
		if strings.HasPrefix(key, ledger.PipelinesPrefix) {
			strays = append(strays, key+".bak")
		}
	}
	for _, key := range strays {
		data := "x"
		if strings.HasSuffix(key, "/") {
			data = ""
		}
		l.objects[key] = lifeObject{data: data, written: minute(2)}
	}
	for _, key := range []string{CheckpointKey, ledger.CurrentKey} {
		l.objects[key+".bak"] = lifeObject{data: "x", written: minute(2)}
	}
	l.now = minute(60)
	full, next := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
	if next == nil {
		t.Fatalf("got %s %v", full.LastLine(), full.Reasons)
	}
	l.objects[ledger.TicksPrefix+"later"] = lifeObject{data: "x", written: minute(3)}
	l.now = minute(70)
	increment, _ := judgeFrom(t.Context(), l, lifeOpts, next, nil)
	next.archived = true
	archived, _ := judgeFrom(t.Context(), l, lifeOpts, nil, &archive{Base: next})
	for name, r := range map[string]interface{ LastLine() string }{"full": full, "increment": increment, "archived": archived} {
		if !strings.HasPrefix(r.LastLine(), string(proof.Proven)) {
			t.Errorf("%s: got %s", name, r.LastLine())
		}
	}
	notes := strings.Join(full.Notes, "\n")
	for _, want := range []string{`"ledger/ticks/.DS_Store"`, `"ledger/ticks/2026/11/24"`, `"ledger/ticks/a\x01b"`, `"ledger/acceptances/.DS_Store"`, `"data/2026/11/22/"`, `"ledger/pipelines/"`, `"ledger/pipelines/.DS_Store"`, `.json.bak" is not one of the objects that belong under ledger/pipelines/`} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note of %s in\n%s", want, notes)
		}
	}
}
