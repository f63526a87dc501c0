package replay

import (
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/row"
)

// A Loss is rows of one key that one tick owes, and that are missing or failed.
type Loss struct {
	proof.Loss
	// Pipeline and Epoch are those whose rows they are: the hash of the first pipeline of the epoch, and when that began.
	Pipeline string
	Epoch    time.Time
	// Output is the schema of the rows. It is nil where Line is owed and no row: as a reject, if Rejected, or as it is.
	Output   row.Schema
	Line     []byte
	Rejected bool
	// Arrived is whether the tick is a second in which records arrived in a stream.
	Arrived bool
	// Gone is why the row cannot be made again, empty if it can.
	Gone string
}
