package proof

import (
	"cmp"
	"iter"
	"slices"

	"streamproof/internal/fingerprint"
)

// A Line is one line of an object.
type Line struct {
	Text   []byte // without its newline; valid until the next line
	Number int64  // from 1
	// Fault is why it is no complete line, or nil.
	Fault error
}

// A LineReader says what lines mean.
type LineReader struct {
	// Read appends the key of a line's row to dst; its error says why the line is no row. It is the same for all lines
	// that a judge is given: a line that has been read is known by its text from then on.
	Read func(dst, line []byte) ([]byte, error)
	// Refuse is told, in their order, of the lines that have a Fault, and of those that Read refuses, with its error.
	Refuse func(l Line, err error)
}

// FindLines takes one copy of the row of each line of the current object.
func (j *Judge) FindLines(lines iter.Seq[Line], r LineReader) {
	j.takeLines(lines, r, find, 0, 0)
}

// OweLines opens the row of each line: the stream holds lo to hi copies of each.
func (j *Judge) OweLines(lines iter.Seq[Line], lo, hi int64, r LineReader) {
	j.takeLines(lines, r, owe, lo, hi)
}

// ahead is how many blocks of lines are read before the judge takes them.
const ahead = 4

// takeLines takes an entry for each line. They are read and hashed by another goroutine meanwhile.
func (j *Judge) takeLines(lines iter.Seq[Line], r LineReader, what what, lo, hi int64) {
	j.settle()
	j.reader = r
	read, taken := make(chan *block, ahead), make(chan *block, ahead+2)
	go func() {
		defer close(read)
		b := &block{}
		for l := range lines {
			e := b.add(j.family, lineKind, l.Text)
			e.what, e.line, e.lo, e.hi = what, l.Number, lo, hi
			if l.Fault != nil {
				e.remark = &remark{fault: l.Fault}
			}
			if b.full(lineBatches * batch) {
				read <- b
				select {
				case b = <-taken:
				default:
					b = &block{}
				}
			}
		}
		read <- b
	}()
	for b := range read {
		j.take(b)
		taken <- b
	}
}

// A block is rows that are owed and copies that were found, in their order.
type block struct {
	entries []entry
	buffer  []byte // of their data
}

// lineBatches is how many batches of lines are taken together, so that two goroutines seldom wait for one another.
const lineBatches = 8

// maxBuffer is how many bytes a block has at most before its last entry.
const maxBuffer = 64 << 10

func (b *block) full(entries int) bool { return len(b.entries) >= entries || len(b.buffer) > maxBuffer }

// add adds an entry of a key or line, and returns it.
func (b *block) add(family *fingerprint.Family, kind int, data []byte) *entry {
	at := len(b.buffer)
	b.buffer = append(b.buffer, data...)
	b.entries = append(b.entries, entry{isLine: kind == lineKind, data: b.buffer[at:], print: family.Of(kind, data)})
	return &b.entries[len(b.entries)-1]
}

// An entry is one row that is owed, or one copy that was found: its key, or the line that it is read from.
type entry struct {
	what   what
	isLine bool
	data   []byte            // the key or the line
	print  fingerprint.Print // of data
	known  fingerprint.Print // of the line that a key was read from; zero if there is none
	line   int64             // of the copy
	lo, hi int64             // of the row
	remark *remark           // nil for most
}

// A remark is why a line cannot be read, or why a row was refused.
type remark struct {
	fault  error // of the line, which is not read then
	err    error // of reading the line
	reason string
}

type what uint8

const (
	owe what = iota
	find
	fail
	reject
	elsewhere // in another Part
)

// The kinds of what has a fingerprint.
const (
	keyKind = iota
	lineKind
)

// add takes a row's entry, soon.
func (j *Judge) add(key []byte, e entry) {
	if !j.part.has(key) {
		return
	}
	added := j.block.add(j.family, keyKind, key)
	added.what, added.line, added.lo, added.hi, added.remark = e.what, e.line, e.lo, e.hi, e.remark
	if j.block.full(batch) {
		j.settle()
	}
}

// settle takes what was owed and found so far.
func (j *Judge) settle() { j.take(&j.block) }

// take opens what is owed and has the copies pay, in the order in which they came, and empties the block.
func (j *Judge) take(b *block) {
	for entries := range slices.Chunk(b.entries, batch) {
		j.takeBatch(entries)
	}
	b.entries, b.buffer = b.entries[:0], b.buffer[:0]
}

func (j *Judge) takeBatch(entries []entry) {
	var prints [batch]fingerprint.Print
	var found, again [batch]uint32
	for i := range entries {
		prints[i] = entries[i].print
	}
	j.table.find(prints[:len(entries)], &found)
	read := prints[:0]
	for i := range entries {
		if e := &entries[i]; found[i] == 0 && j.read(e) {
			read = append(read, e.print)
		}
	}
	j.table.find(read, &again) // which brings them into the cache
	for i := range entries {
		e := &entries[i]
		if found[i] == 0 {
			found[i] = j.table.get(e.print)
		}
		j.takeOne(found[i], e)
	}
	j.keys = j.keys[:0]
	j.table.shrink()
}

// read makes a line's entry that of its row's key, and reports whether it was one and is a row.
func (j *Judge) read(e *entry) bool {
	if !e.isLine || e.remark != nil {
		return false
	}
	at := len(j.keys)
	keys, err := j.reader.Read(j.keys, e.data)
	if err != nil {
		e.remark = &remark{err: err}
		return false
	}
	if j.keys = keys; !j.part.has(keys[at:]) {
		e.what = elsewhere
	}
	e.isLine, e.data, e.known = false, keys[at:], e.print
	e.print = j.family.Of(keyKind, e.data)
	return true
}

// takeOne takes an entry, with the place of its row's account if there is one.
func (j *Judge) takeOne(place uint32, e *entry) {
	if e.isLine && e.remark != nil {
		j.reader.Refuse(Line{e.data, e.line, e.remark.fault}, cmp.Or(e.remark.fault, e.remark.err))
		return
	}
	if e.what == elsewhere {
		return
	}
	if e.what == owe && place == 0 {
		place = j.table.add(e.data, e.print)
	} else if e.what == owe && !j.table.at(place).open() {
		j.table.closed--
	}
	if place > 0 && e.known != (fingerprint.Print{}) {
		j.table.learn(place, e.known)
	}
	a := j.table.at(place)
	switch e.what {
	case owe:
		j.open(a, e.lo, e.hi)
	case find:
		j.pay(a, e)
	case fail:
		j.payFailed(a, e)
	case reject:
		j.payReject(a, e)
	}
}

// keyOf returns the key of an entry's row.
func (j *Judge) keyOf(a *account, e *entry) []byte {
	if e.isLine {
		return j.table.key(a)
	}
	return e.data
}
