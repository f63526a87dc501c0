package hugepage_test

import (
	"testing"

	"streamproof/internal/hugepage"
)

func TestAdviseChangesNothing(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 1 << 10, 1<<18 + 1, 1 << 22} {
		memory := make([]int64, size)
		for i := range memory {
			memory[i] = int64(i)
		}
		hugepage.Advise(memory)
		for i, got := range memory {
			if got != int64(i) {
				t.Fatalf("%d of %d: got %d", i, size, got)
			}
		}
	}
}
