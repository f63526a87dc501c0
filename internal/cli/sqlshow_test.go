package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"streamproof/internal/dialect"
	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/stack"
	"streamproof/internal/stack/stacktest"
)

func TestRowsText(t *testing.T) {
	t.Parallel()
	one, none := "1", (*string)(nil)
	golden.Check(t, "testdata/sqlrows.golden", rowsText(row.Schema{{Name: "VendorID", Alias: "COL0"}, {Name: "LABEL", Alias: "LABEL"}}, [][]*string{{&one, none}}).String()+"\n")
}

func TestSQLShowText(t *testing.T) {
	t.Parallel()
	inText := func(q operate.ShownQuery, flink bool) string {
		q.Pipeline, q.Since, q.SQL, q.Flink = strings.Repeat("a", 64), time.Date(2026, 11, 28, 7, 30, 0, 0, time.UTC), "SELECT 1;\n", "SELECT 2;\n"
		return showText(&q, flink).String()
	}
	got := inText(operate.ShownQuery{By: ledger.ByDeploy, Judged: true, Agrees: true, Application: stack.Application{Status: "RUNNING"}}, false) + "\n" +
		inText(operate.ShownQuery{By: ledger.BySQLRun, NotJudged: "pipeline.sql:3:1: it has windows", Problem: "it has been told another one", Application: stack.Application{Status: "READY"}}, true)
	golden.Check(t, "testdata/sqlshow.golden", got)
	if script, err := dialect.Parse(string(embeddedSQL(t))); err != nil || script.Dialect != dialect.Flink {
		t.Fatal(err)
	}
	if shown := showText(&operate.ShownQuery{SQL: string(embeddedSQL(t))}, false).String(); !bytes.Contains([]byte(shown), embeddedSQL(t)) {
		t.Error("the SQL is not shown as it was given")
	} else if _, err := dialect.Parse(shown); err != nil {
		t.Errorf("what is shown is no SQL: %v", err)
	}
}

func embeddedSQL(t *testing.T) []byte {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p.SQL
}

// TestChangeIsSaid wherever one looks while a change is under way.
func TestChangeIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := stacktest.New(t)
		current, err := w.Open().Book().Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := *current
		next.Change = &ledger.Change{To: strings.Repeat("b", 64), Begun: time.Now(), Snapshot: stacktest.Snapshot}
		if _, err := w.Open().Book().SetCurrent(t.Context(), &next, current); err != nil {
			t.Fatal(err)
		}
		const want = "to bbbbbbbbbbbb began at"
		shown, _, err := operate.ShowQuery(t.Context(), w.Open())
		if err != nil || !shown.Agrees || !strings.Contains(showText(shown, false).String(), want) {
			t.Errorf("sql show: %v, %v", shown, err)
		}
		if _, _, err := w.Open().Produce(t.Context(), time.Now(), 1, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("produce: %v", err)
		}
		s := status{Status: filled[stack.Status]("x")}
		s.Query.Problem, s.Outputs.Audits = next.Pending(), ""
		if text := statusText(&s).String(); !strings.Contains(text, want) {
			t.Errorf("status: %s", text)
		}
	})
}

func TestFaultText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault operate.Fault
		want  string
	}{
		{operate.Fault{Line: 2, Column: 4, Message: "Flink says no"}, "query.sql:2:4: Flink says no"},
		{operate.Fault{Line: 2, Column: 4, Message: "Flink says no", Translated: "FROM t"}, "query.sql: Flink refuses its translation at 2:4: Flink says no\n  FROM t"},
	} {
		if got := faultText("query.sql", test.fault).String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
