package audit_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow: thousands of small audits otherwise spend a sixth of their time in its collection.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
