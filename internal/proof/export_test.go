package proof

// Accounts is how many rows the judge holds in memory.
func (j *Judge) Accounts() int { return j.table.size }

// Held is about how many bytes of unmatched copies the judge holds.
func (j *Judge) Held() int { return j.unmatched.bytes }
