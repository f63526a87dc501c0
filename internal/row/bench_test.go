package row_test

import (
	"bytes"
	"testing"

	"streamproof/internal/pipeline"
	"streamproof/internal/row"
)

// BenchmarkAppend reads lines as the demo delivers them, and trips as the producer makes them.
func BenchmarkAppend(b *testing.B) {
	p, err := pipeline.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	trips := row.Of(p.Schema)
	rows := row.Schema{trips[0], trips[3], trips[4], trips[18]}
	for _, bench := range []struct {
		name   string
		schema row.Schema
		lines  []string
	}{
		{"rows", rows, []string{"1,5,3.0,163.35", "2,9,10.0,47.3", "1,1,1.0,250.36", "2,4,7.0,88.31"}},
		{"tabs", rows, []string{"1\t5\t3.0\t163.35", "2\t9\t10.0\t47.3", "1\t1\t1.0\t250.36", "2\t4\t7.0\t88.31"}},
		{"json", rows, []string{
			`{"COL0":1,"COL3":5,"COL4":3.0,"COL18":163.35}`,
			`{"VendorID":2,"passenger_count":9,"trip_distance":10.0,"total_amount":47.3}`,
		}},
		{"trips", trips, []string{
			"1,2026-11-23 20:00:00,2026-11-23 20:31:00,5,3,-73.004230812309941,40.093210000107771,2,N,-73.031337412300012,40.088820123409999,3,55,1,0.05,97,4,0.3,157.35",
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var lines [][]byte
			bytesOf := 0
			for _, line := range bench.lines {
				lines = append(lines, bytes.Clone([]byte(line)))
				bytesOf += len(line) + 1
			}
			b.SetBytes(int64(bytesOf))
			b.ReportAllocs()
			var key []byte
			for b.Loop() {
				for _, line := range lines {
					if key, err = bench.schema.Append(key[:0], line); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
