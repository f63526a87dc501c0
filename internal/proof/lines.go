package proof

import (
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

// takeLines takes an entry for each line. A single book looks lines up as they stand, and for several they are read
// ahead.
func (j *Judge) takeLines(lines iter.Seq[Line], r LineReader, what what, lo, hi int64) {
	j.flush()
	single, entries := len(j.books) == 1, lineBatches*batch
	if single {
		entries = batch
	}
	newBlock := func() *block {
		b := j.newBlock()
		b.what, b.lo, b.hi = what, lo, hi
		return b
	}
	blocks := func(yield func(*block) bool) {
		b := newBlock()
		for l := range lines {
			b.addLine(l.Text, l.Number, l.Fault)
			if single {
				b.prints = append(b.prints, j.family.Of(lineKind, l.Text))
			}
			if b.full(entries) {
				yield(b)
				b = newBlock()
			}
		}
		yield(b)
	}
	if !single {
		j.readAhead(blocks, r)
		return
	}
	j.books[0].reader = r
	for b := range blocks {
		j.push(step{block: b})
	}
}

// ahead is how many blocks of lines are read before the judge takes them, beside one for each book.
const ahead = 4

// readAhead takes blocks of lines that are read meanwhile, each by a goroutine of its own.
func (j *Judge) readAhead(blocks iter.Seq[*block], r LineReader) {
	coming := make(chan chan *block, ahead+len(j.books))
	go func() {
		defer close(coming)
		for b := range blocks {
			read := make(chan *block, 1)
			coming <- read
			go func() {
				j.read(b, r)
				read <- b
			}()
		}
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
	r.Refuse(Line{e.data, e.line, e.remark.fault}, e.remark.err)
}

// read makes entries of rows of the lines of a block, for the books that they are for.
func (j *Judge) read(b *block, r LineReader) {
	for i := range b.lines {
		e := b.entry(i)
		if b.keys = e.read(r, b.keys); e.refused() {
			b.refused = append(b.refused, e)
		} else {
			j.addTo(b, &e)
		}
	}
	b.lines = b.lines[:0]
}

// A block is rows that are owed and copies that were found, in their order.
type block struct {
	what    what                // of all lines
	lo, hi  int64               // of all lines
	lines   []line              // which have not been read yet
	prints  []fingerprint.Print // of the lines, if they are for a single book
	faults  map[int]error       // of some of the lines, by their index
	refused []entry             // lines that are no rows
	rows    [][]entry           // by book
	count   int                 // of lines and rows
	buffer  []byte              // of their data
	keys    []byte              // of lines
}

// A line is where the text of a Line stands in its block. It is small, since most lines are never read.
type line struct {
	from, to uint32
	number   int64
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
	clear(b.faults)
	b.lines, b.prints, b.refused, b.count = b.lines[:0], b.prints[:0], b.refused[:0], 0
	b.buffer, b.keys = b.buffer[:0], b.keys[:0]
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

// addLine adds a line.
func (b *block) addLine(text []byte, number int64, fault error) {
	if fault != nil {
		if b.faults == nil {
			b.faults = map[int]error{}
		}
		b.faults[len(b.lines)] = fault
	}
	from := len(b.buffer)
	b.buffer = append(b.buffer, text...)
	b.lines = append(b.lines, line{uint32(from), uint32(len(b.buffer)), number})
	b.count++
}

// entry makes the entry of a line.
func (b *block) entry(i int) entry {
	l := &b.lines[i]
	e := entry{what: b.what, data: b.buffer[l.from:l.to], line: l.number, lo: b.lo, hi: b.hi}
	if fault := b.faults[i]; fault != nil {
		e.remark = &remark{fault: fault, err: fault}
	}
	return e
}

// addTo adds the entry of a row to a block, unless the judge leaves the row out. The key stays where it is.
func (j *Judge) addTo(b *block, e *entry) {
	if !j.only.has(e.data) {
		return
	}
	e.print = j.family.Of(keyKind, e.data)
	to := &b.rows[e.print.Part(len(j.books))]
	*to = append(*to, *e)
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
		b.judge.addTo(b.block, &entry{data: b.block.hold(key), lo: lo, hi: hi})
	}
}

// OweBatch opens what a batch has. The batch is of no use after it.
func (j *Judge) OweBatch(b *Batch) {
	j.flush()
	j.push(step{block: b.block})
}

// An entry is one row that is owed, or one copy that was found.
type entry struct {
	what   what
	data   []byte            // the row's key; of a line that is no row, its text
	print  fingerprint.Print // of the key
	lo, hi int64             // of what is owed
	line   int64             // of the copy
	remark *remark           // nil for most
}

// A remark is why a line is no row, or why a row was refused.
type remark struct {
	err    error
	fault  error // the line's, if err is that
	reason string
}

// refused reports whether it is a line that is no row.
func (e *entry) refused() bool { return e.remark != nil && e.remark.err != nil }

// read makes a line's entry that of its row, with the key appended to keys, unless the line is none.
func (e *entry) read(r LineReader, keys []byte) []byte {
	if e.refused() {
		return keys
	}
	longer, err := r.Read(keys, e.data)
	if err != nil {
		e.remark = &remark{err: err}
		return keys
	}
	e.data = longer[len(keys):]
	return longer
}

type what uint8

const (
	owe what = iota
	find
	fail
	reject
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
	e.data = b.hold(key)
	j.addTo(b, &e)
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

// takeLines takes at most a batch of the lines of a block, from one on. It reads those that are not known.
func (b *book) takeLines(k *block, from int) {
	lines := k.lines[from:min(from+batch, len(k.lines))]
	prints := k.prints[from:][:len(lines)]
	var known [batch]uint32
	b.table.byLine.find(prints, &known)
	for at := range k.faults { // though a complete line may have the same text
		if at >= from && at < from+len(lines) {
			known[at-from] = 0
		}
	}
	b.table.touch(known[:len(lines)])
	b.read, b.keys = b.read[:0], b.keys[:0]
	for i := range lines {
		if known[i] == 0 {
			e := k.entry(from + i)
			if b.keys = e.read(b.reader, b.keys); !e.refused() {
				e.print = b.judge.family.Of(keyKind, e.data)
			}
			b.read = append(b.read, e)
		}
	}
	read := b.read
	places := b.find(read)
	for i, l := range lines {
		if known[i] > 0 {
			b.takeKnown(known[i], k, l.number)
			continue
		}
		switch e := &read[0]; {
		case e.refused():
			b.reader.refuse(e)
		case b.judge.only.has(e.data):
			if place := b.takeRow(places[len(b.read)-len(read)], e); place > 0 {
				b.table.learn(place, prints[i])
			}
		}
		read = read[1:]
	}
	b.table.shrink()
}

// takeRows takes at most a batch of rows.
func (b *book) takeRows(entries []entry) {
	places := b.find(entries)
	for i := range entries {
		b.takeRow(places[i], &entries[i])
	}
	b.table.shrink()
}

// find returns the places of the accounts of so many rows.
func (b *book) find(entries []entry) (places [batch]uint32) {
	var prints [batch]fingerprint.Print
	for i := range entries {
		prints[i] = entries[i].print
	}
	b.table.byKey.find(prints[:len(entries)], &places)
	b.table.touch(places[:len(entries)])
	return places
}

// takeKnown takes a line of a block whose row has an account at this place.
func (b *book) takeKnown(place uint32, k *block, line int64) {
	a := b.table.at(place)
	if k.what == owe {
		b.owe(a, k.lo, k.hi)
	} else {
		b.pay(a, nil, line)
	}
}

// takeRow takes an entry, with the place of its row's account if there was one before the batch, and returns the place
// of that account, 0 for none.
func (b *book) takeRow(place uint32, e *entry) uint32 {
	if place == 0 {
		place = b.table.byKey.get(e.print)
	}
	if e.what == owe && place == 0 {
		place = b.table.add(e.data, e.print)
		b.open(b.table.at(place), e.lo, e.hi)
		return place
	}
	a := b.table.at(place)
	switch e.what {
	case owe:
		b.owe(a, e.lo, e.hi)
	case find:
		b.pay(a, e.data, e.line)
	case fail:
		b.payFailed(a, e)
	case reject:
		b.payReject(a, e)
	}
	return place
}
