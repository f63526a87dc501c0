package proof

// Accounts is how many rows the judge holds in memory.
func (j *Judge) Accounts() int { return len(j.table.accounts) }
