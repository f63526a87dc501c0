package proof

import (
	"cmp"
	"iter"

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
	j.takeLines(lines, r, entry{what: find})
}

// OweLines opens the row of each line: the stream holds lo to hi copies of each.
func (j *Judge) OweLines(lines iter.Seq[Line], lo, hi int64, r LineReader) {
	j.takeLines(lines, r, entry{what: owe, lo: lo, hi: hi})
}

func (j *Judge) takeLines(lines iter.Seq[Line], r LineReader, e entry) {
	j.settle()
	j.reader = r
	for l := range lines {
		e.isLine, e.line, e.fault = true, l.Number, l.Fault
		j.add(l.Text, e)
	}
	j.settle()
}

// An entry is one row that is owed, or one copy that was found: its key, or the line that it is read from.
type entry struct {
	what   what
	isLine bool
	data   []byte            // the key or the line
	print  fingerprint.Print // of data
	known  fingerprint.Print // of the line that a key was read from; zero if there is none
	line   int64             // of the copy
	fault  error             // of the line; it is never read then
	err    error             // of reading the line
	reason string
	lo, hi int64 // of the row
}

type what uint8

const (
	owe what = iota
	find
	fail
	reject
)

// maxBuffer is how many bytes wait at most before the next row.
const maxBuffer = 64 << 10

// The kinds of what has a fingerprint.
const (
	keyKind = iota
	lineKind
)

func (j *Judge) add(data []byte, e entry) {
	at, kind := len(j.buffer), keyKind
	if e.isLine {
		kind = lineKind
	}
	e.print = j.family.Of(kind, data)
	j.buffer = append(j.buffer, data...)
	e.data = j.buffer[at:]
	if j.entries = append(j.entries, e); len(j.entries) == batch || len(j.buffer) > maxBuffer {
		j.settle()
	}
}

// settle opens what is owed and has the copies pay, in the order in which they came.
func (j *Judge) settle() {
	var prints [batch]fingerprint.Print
	var found, again [batch]uint32
	for i := range j.entries {
		prints[i] = j.entries[i].print
	}
	j.table.find(prints[:len(j.entries)], &found)
	read := prints[:0]
	for i := range j.entries {
		if e := &j.entries[i]; found[i] == 0 && j.read(e) {
			read = append(read, e.print)
		}
	}
	j.table.find(read, &again) // which brings them into the cache
	for i := range j.entries {
		e := &j.entries[i]
		if found[i] == 0 {
			found[i] = j.table.get(e.print)
		}
		j.take(found[i], e)
	}
	j.entries, j.buffer, j.keys = j.entries[:0], j.buffer[:0], j.keys[:0]
	j.table.shrink()
}

// read makes a line's entry that of its row's key, and reports whether it was one and is a row.
func (j *Judge) read(e *entry) bool {
	if !e.isLine || e.fault != nil || e.err != nil {
		return false
	}
	at := len(j.keys)
	keys, err := j.reader.Read(j.keys, e.data)
	if err != nil {
		e.err = err
		return false
	}
	j.keys = keys
	e.isLine, e.data, e.known = false, keys[at:], e.print
	e.print = j.family.Of(keyKind, e.data)
	return true
}

// take settles one entry, with the place of its row's account if there is one.
func (j *Judge) take(place uint32, e *entry) {
	if e.fault != nil || e.err != nil {
		j.reader.Refuse(Line{e.data, e.line, e.fault}, cmp.Or(e.fault, e.err))
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
