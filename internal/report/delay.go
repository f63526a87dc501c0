package report

import "time"

// Delay is how long delivered rows took, from the claim of their tick to their object, in seconds.
type Delay struct {
	Rows int64 `json:"rows"`
	P50  int64 `json:"p50"`
	P95  int64 `json:"p95"`
	Max  int64 `json:"max"`
	// Histogram counts rows by delay, the shortest first. A bucket starts where the one before it ends.
	Histogram []Bucket `json:"histogram,omitempty"`
	// LateMax is by how much the latest row came after its deadline.
	LateMax int64 `json:"lateMax"`
}

// A Bucket counts the rows that took at most this many seconds, and more than the bucket before.
type Bucket struct {
	Seconds int64 `json:"seconds"`
	Rows    int64 `json:"rows"`
}

// delayBuckets are where the buckets of a histogram end, in seconds.
var delayBuckets = []int64{1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 7 * 86400}

// DelayOf sums up how long rows took, from their number by the seconds that they took.
func DelayOf(rows []int64, lateMax time.Duration) Delay {
	d := Delay{LateMax: int64(lateMax / time.Second)}
	for seconds, n := range rows {
		if n > 0 {
			d.Rows += n
			d.Max = int64(seconds)
		}
	}
	quantile := func(q float64) int64 {
		var sum int64
		for seconds, n := range rows {
			if sum += n; float64(sum) >= q*float64(d.Rows) {
				return int64(seconds)
			}
		}
		return 0
	}
	d.P50, d.P95 = quantile(0.5), quantile(0.95)
	var next int
	for _, end := range delayBuckets {
		bucket := Bucket{Seconds: end}
		for ; next < len(rows) && int64(next) <= end; next++ {
			bucket.Rows += rows[next]
		}
		d.Histogram = append(d.Histogram, bucket)
		if end >= d.Max {
			break
		}
	}
	return d
}
