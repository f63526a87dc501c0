package cli

import (
	"strings"
	"testing"

	"streamproof/internal/explain"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// TestExplainNamesARepairsCopy, with and without a finding to explain.
func TestExplainNamesARepairsCopy(t *testing.T) {
	t.Parallel()
	found := []report.Finding{{Class: proof.Failed, Row: "a", Count: 1}}
	for twice, want := range map[int64]bool{0: false, 2: true} {
		for _, findings := range [][]report.Finding{nil, found} {
			text := explainText(&explain.Explanation{Findings: findings}, &report.Report{RepairedTwice: twice}).String()
			if got := strings.Contains(text, "repair --duplicates"); got != want {
				t.Errorf("%d findings, %d repaired twice: %q", len(findings), twice, text)
			}
		}
	}
}
