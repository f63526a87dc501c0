package verifier

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow: thousands of small verifications otherwise spend a quarter of their time in its
// collection.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
