package verifier_test

import (
	"bytes"
	"testing"
	"time"

	"streamproof/internal/generator"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/verifier"
)

// benchTick is a tick whose rows are of the kind that the demo delivers, about half of them distinct.
var benchTick = generator.Tick{Time: start, Records: 1_000_000, Spread: 20 * time.Second}

// BenchmarkOwed makes the owed rows of a tick: generated, put through the query and opened.
func BenchmarkOwed(b *testing.B) {
	q, g := compiled(b)
	sql, err := engine.New(q)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		judge := proof.NewJudge(q.Output.Format, 1)
		judge.Claim(proof.Tick{})
		err := sql.Rows(g.Records(benchTick, 0, benchTick.Records-1), true, func(key []byte) { judge.Owe(key, 1, 1) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(benchTick.Records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkDelivered parses and counts the delivered rows of a tick against what is owed.
func BenchmarkDelivered(b *testing.B) {
	q, g := compiled(b)
	sql, err := engine.New(q)
	if err != nil {
		b.Fatal(err)
	}
	var object bytes.Buffer
	rows := 0
	judge := proof.NewJudge(q.Output.Format, 1)
	judge.Claim(proof.Tick{})
	err = sql.Rows(g.Records(benchTick, 0, benchTick.Records-1), true, func(key []byte) {
		object.WriteString(q.Output.Format(key) + "\n")
		rows++
		judge.Owe(key, 1, proof.Infinite)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(object.Len()))
	for b.Loop() {
		if _, err := verifier.Count(judge, q.Output, bytes.NewReader(object.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func compiled(b *testing.B) (*query.Query, *generator.Generator) {
	b.Helper()
	p := embedded(b)
	q, err := query.Compile(p)
	if err != nil {
		b.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		b.Fatal(err)
	}
	return q, g
}
