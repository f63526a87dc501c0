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
	// that a judge is given: a line that has been read may be known by its text from then on. It is called by several
	// goroutines at once.
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

// ahead is how many blocks of lines are read before the judge takes them, beside one for each book.
const ahead = 4

// takeLines takes an entry for each line. Others read the lines and hash them meanwhile: with several books each block
// by a goroutine of its own.
func (j *Judge) takeLines(lines iter.Seq[Line], r LineReader, what what, lo, hi int64) {
	j.flush()
	j.books[0].reader = r // of a single book
	coming := make(chan chan *block, ahead+len(j.books))
	go func() {
		defer close(coming)
		send := func(b *block) {
			read := make(chan *block, 1)
			coming <- read
			if len(j.books) == 1 {
				read <- b
				return
			}
			go func() {
				j.read(b, r)
				read <- b
			}()
		}
		b := j.newBlock()
		for l := range lines {
			e := b.addLine(l)
			if e.what, e.lo, e.hi = what, lo, hi; len(j.books) == 1 {
				e.print = j.family.Of(lineKind, e.data)
			}
			if b.full(lineBatches * batch) {
				send(b)
				b = j.newBlock()
			}
		}
		send(b)
	}()
	for read := range coming {
		b := <-read
		for i := range b.refused {
			r.refuse(&b.refused[i])
		}
		j.push(step{block: b})
	}
}

func (r *LineReader) refuse(e *entry) {
	r.Refuse(Line{e.data, e.line, e.remark.fault}, cmp.Or(e.remark.fault, e.remark.err))
}

// read makes entries of rows of the lines of a block, for the books that they are for.
func (j *Judge) read(b *block, r LineReader) {
	for i := range b.lines {
		e := &b.lines[i]
		if e.remark == nil {
			at := len(b.keys)
			keys, err := r.Read(b.keys, e.data)
			if err == nil {
				b.keys = keys
				j.addTo(b, keys[at:], e)
				continue
			}
			e.remark = &remark{err: err}
		}
		b.refused = append(b.refused, *e)
	}
	b.lines = b.lines[:0]
}

// A block is rows that are owed and copies that were found, in their order.
type block struct {
	lines   []entry   // which have not been read yet
	refused []entry   // lines that are no rows
	rows    [][]entry // by book
	count   int       // of entries
	buffer  []byte    // of their data
	keys    []byte    // of lines
}

func (j *Judge) newBlock() *block {
	if b, ok := j.blocks.Get().(*block); ok {
		return b
	}
	return &block{rows: make([][]entry, len(j.books))}
}

// free has a block used again.
func (j *Judge) free(b *block) {
	for i := range b.rows {
		b.rows[i] = b.rows[i][:0]
	}
	b.lines, b.refused, b.count, b.buffer, b.keys = b.lines[:0], b.refused[:0], 0, b.buffer[:0], b.keys[:0]
	j.blocks.Put(b)
}

// lineBatches is how many batches of lines are taken together, so that goroutines seldom wait for one another.
const lineBatches = 8

// maxBuffer is how many bytes a block has at most before its last entry.
const maxBuffer = 64 << 10

func (b *block) full(entries int) bool { return b.count >= entries || len(b.buffer) > maxBuffer }

// entryBytes is about how much memory an entry takes beside its data.
const entryBytes = 128

// bytes is about how much memory the block takes.
func (b *block) bytes() int { return b.count*entryBytes + len(b.buffer) + len(b.keys) }

// hold copies data into the block.
func (b *block) hold(data []byte) []byte {
	at := len(b.buffer)
	b.buffer = append(b.buffer, data...)
	return b.buffer[at:len(b.buffer):len(b.buffer)]
}

// addLine adds a line, and returns its entry.
func (b *block) addLine(l Line) *entry {
	e := entry{isLine: true, data: b.hold(l.Text), line: l.Number}
	if l.Fault != nil {
		e.remark = &remark{fault: l.Fault}
	}
	b.count++
	b.lines = append(b.lines, e)
	return &b.lines[len(b.lines)-1]
}

// addTo adds the entry of a row to a block, unless the judge leaves the row out. The key stays where it is.
func (j *Judge) addTo(b *block, key []byte, e *entry) {
	if !j.only.has(key) {
		return
	}
	of := j.family.Of(keyKind, key)
	to := &b.rows[of.Part(len(j.books))]
	*to = append(*to, entry{what: e.what, data: key, print: of, line: e.line, lo: e.lo, hi: e.hi, remark: e.remark})
}

// A Batch is rows that are owed, gathered before their turn: by one goroutine, and not that of the judge.
type Batch struct {
	judge *Judge
	block *block
}

// NewBatch returns an empty batch for the judge. It may be called by any goroutine.
func (j *Judge) NewBatch() *Batch { return &Batch{j, j.newBlock()} }

// Owe adds one record's row: the stream holds lo to hi copies of it.
func (b *Batch) Owe(key []byte, lo, hi int64) {
	if hi != 0 {
		b.block.count++
		b.judge.addTo(b.block, b.block.hold(key), &entry{lo: lo, hi: hi})
	}
}

// OweBatch opens what a batch has. The batch is of no use after it.
func (j *Judge) OweBatch(b *Batch) {
	j.flush()
	j.push(step{block: b.block})
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
	b := j.current
	if b == nil {
		b = j.newBlock()
		j.current = b
	}
	b.count++
	j.addTo(b, b.hold(key), &e)
	if b.full(batch * len(j.books)) {
		j.flush()
	}
}

// flush passes on what was owed and found so far.
func (j *Judge) flush() {
	if b := j.current; b != nil {
		j.current = nil
		j.push(step{block: b})
	}
}

func (b *book) takeBatch(entries []entry) {
	var prints [batch]fingerprint.Print
	var found, again [batch]uint32
	for i := range entries {
		prints[i] = entries[i].print
	}
	b.table.find(prints[:len(entries)], &found)
	read := prints[:0]
	for i := range entries {
		if e := &entries[i]; found[i] == 0 && b.read(e) {
			read = append(read, e.print)
		}
	}
	b.table.find(read, &again) // which brings them into the cache
	for i := range entries {
		e := &entries[i]
		if found[i] == 0 {
			found[i] = b.table.get(e.print)
		}
		b.takeOne(found[i], e)
	}
	b.keys = b.keys[:0]
	b.table.shrink()
}

// read makes a line's entry that of its row's key, and reports whether it was one and is a row.
func (b *book) read(e *entry) bool {
	if !e.isLine || e.remark != nil {
		return false
	}
	at := len(b.keys)
	keys, err := b.reader.Read(b.keys, e.data)
	if err != nil {
		e.remark = &remark{err: err}
		return false
	}
	if b.keys = keys; !b.judge.only.has(keys[at:]) {
		e.what = elsewhere
	}
	e.isLine, e.data, e.known = false, keys[at:], e.print
	e.print = b.judge.family.Of(keyKind, e.data)
	return true
}

// takeOne takes an entry, with the place of its row's account if there is one.
func (b *book) takeOne(place uint32, e *entry) {
	if e.isLine && e.remark != nil {
		b.reader.refuse(e)
		return
	}
	if e.what == elsewhere {
		return
	}
	if e.what == owe && place == 0 {
		place = b.table.add(e.data, e.print)
	} else if e.what == owe && !b.table.at(place).open() {
		b.table.closed--
	}
	if place > 0 && e.known != (fingerprint.Print{}) {
		b.table.learn(place, e.known)
	}
	a := b.table.at(place)
	switch e.what {
	case owe:
		b.open(a, e.lo, e.hi)
	case find:
		b.pay(a, e)
	case fail:
		b.payFailed(a, e)
	case reject:
		b.payReject(a, e)
	}
}

// keyOf returns the key of an entry's row.
func (b *book) keyOf(a *account, e *entry) []byte {
	if e.isLine {
		return b.table.key(a)
	}
	return e.data
}
