package proof

// Accounts is how many rows the judge holds in memory.
func (j *Judge) Accounts() (n int) {
	j.settle()
	for _, b := range j.books {
		n += b.table.size
	}
	return n
}

// Lines is how many lines the judge knows by their texts.
func (j *Judge) Lines() (n int) {
	j.settle()
	for _, b := range j.books {
		n += b.table.indexes[lineKind].used
	}
	return n
}

// Settled has the judge count what it was given.
func (j *Judge) Settled() *Judge {
	j.settle()
	return j
}

// Held is about how many bytes of unmatched copies the judge holds.
func (j *Judge) Held() (bytes int) {
	j.settle()
	for _, b := range j.books {
		bytes += b.unmatched.bytes
	}
	return bytes
}
