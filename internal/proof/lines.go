package proof

import (
	"bytes"
	"iter"

	"streamproof/internal/fingerprint"
)

// A Line is one line of an object.
type Line struct {
	Text   []byte // without its newline
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
	// The line's text is valid until Refuse returns.
	Refuse func(l Line, err error)
}

// FindLines takes one copy of the row of each line of the current object. The lines come in runs, as bucket.Lines
// passes them: each line with its newline, or a single line that has a fault, which is no complete one.
func (j *Judge) FindLines(runs iter.Seq2[[]byte, error], r LineReader) {
	j.takeLines(runs, r, entry{what: find, line: 1})
}

// OweLines opens the row of each line, in runs as for FindLines: the stream holds lo to hi copies of each.
func (j *Judge) OweLines(runs iter.Seq2[[]byte, error], lo, hi int64, r LineReader) {
	j.takeLines(runs, r, entry{what: owe, lo: lo, hi: hi, line: 1})
}

// takeLines takes an entry for each line, as given for the first but for its row. A single book looks lines up as they
// stand, and for several they are read ahead.
func (j *Judge) takeLines(runs iter.Seq2[[]byte, error], r LineReader, as entry) {
	j.flush()
	if len(j.books) > 1 {
		j.readAhead(runs, r, as)
		return
	}
	for text, fault := range runs {
		as.line = j.books[0].takeLines(text, fault, r, as)
	}
}

// ahead is how many blocks of lines are read before the judge takes them, beside one for each book.
const ahead = 4

// readAhead takes blocks of lines that are read meanwhile, each by a goroutine of its own.
func (j *Judge) readAhead(runs iter.Seq2[[]byte, error], r LineReader, as entry) {
	coming := make(chan chan *block, ahead+len(j.books))
	go func() {
		defer close(coming)
		for b := range j.blocksOf(runs) {
			first := as
			as.line += int64(b.count)
			read := make(chan *block, 1)
			coming <- read
			go func() {
				j.read(b, r, first)
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

// blocksOf gathers lines in blocks.
func (j *Judge) blocksOf(runs iter.Seq2[[]byte, error]) iter.Seq[*block] {
	return func(yield func(*block) bool) {
		b := j.newBlock()
		for text, fault := range runs {
			b.addLines(text, fault)
			if b.full(lineBatches*batch) || fault != nil {
				yield(b)
				b = j.newBlock()
			}
		}
		yield(b)
	}
}

func (r *LineReader) refuse(e *entry) {
	r.Refuse(Line{e.data, e.line, e.remark.fault}, e.remark.err)
}

// read makes entries of rows of the lines of a block, for the books that they are for: as given, from the first on.
func (j *Judge) read(b *block, r LineReader, as entry) {
	for text := b.buffer; len(text) > 0; as.line++ {
		e := as
		if e.data, text = cut(text); b.fault != nil && len(text) == 0 {
			e.markFaulty(b.fault)
		}
		if b.keys = e.read(r, b.keys); e.refused() {
			b.refused = append(b.refused, e)
		} else {
			j.addTo(b, &e)
		}
	}
}

// cut returns the first of some lines, without its newline, and the others.
func cut(text []byte) (line, others []byte) {
	end := bytes.IndexByte(text, '\n')
	if end < 0 {
		return text, nil
	}
	return text[:end], text[end+1:]
}

// A block is rows that are owed and copies that were found, in their order.
type block struct {
	fault   error     // of the last line
	refused []entry   // lines that are no rows
	rows    [][]entry // by book
	count   int       // of lines and rows
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
	b.fault, b.refused, b.count = nil, b.refused[:0], 0
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

// addLines adds lines; those with a fault are the last.
func (b *block) addLines(text []byte, fault error) {
	b.buffer = append(b.buffer, text...)
	if b.fault = fault; fault != nil {
		b.count++
	} else {
		b.count += bytes.Count(text, []byte{'\n'})
	}
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

// markFaulty makes it an entry of a line that has a fault.
func (e *entry) markFaulty(fault error) { e.remark = &remark{fault: fault, err: fault} }

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
	kinds
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

// takeLines takes lines, as given from the first on, and returns the number of the line after them. It reads those that
// are not known.
func (b *book) takeLines(text []byte, fault error, r LineReader, as entry) (next int64) {
	for len(text) > 0 {
		var lines [batch][]byte
		var prints [batch]fingerprint.Print
		n := 0
		for ; n < batch && len(text) > 0; n++ {
			lines[n], text = cut(text)
			prints[n] = b.judge.family.Of(lineKind, lines[n])
		}
		b.takeBatch(lines[:n], prints[:n], fault, r, as)
		b.judge.relieve()
		as.line += int64(n)
	}
	return as.line
}

// takeBatch takes at most a batch of lines.
func (b *book) takeBatch(lines [][]byte, prints []fingerprint.Print, fault error, r LineReader, as entry) {
	var known [batch]uint32
	if fault == nil { // though a complete line may have the same text
		b.table.find(lineKind, prints, &known)
	}
	b.read, b.keys = b.read[:0], b.keys[:0]
	for i := range lines {
		if known[i] > 0 {
			continue
		}
		e := as
		if e.data, e.line = lines[i], as.line+int64(i); fault != nil {
			e.markFaulty(fault)
		}
		if b.keys = e.read(r, b.keys); !e.refused() {
			e.print = b.judge.family.Of(keyKind, e.data)
		}
		b.read = append(b.read, e)
	}
	read := b.read
	places := b.find(read)
	for i := range lines {
		if known[i] > 0 {
			b.takeKnown(known[i], &as, as.line+int64(i))
			continue
		}
		switch e := &read[0]; {
		case e.refused():
			r.refuse(e)
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
	b.table.find(keyKind, prints[:len(entries)], &places)
	return places
}

// takeKnown takes a line whose row has an account at this place.
func (b *book) takeKnown(place uint32, as *entry, line int64) {
	a := b.table.at(place)
	if as.what == owe {
		b.owe(a, as.lo, as.hi)
	} else {
		b.pay(a, nil, line)
	}
}

// takeRow takes an entry, with the place of its row's account if there was one before the batch, and returns the place
// of that account, 0 for none.
func (b *book) takeRow(place uint32, e *entry) uint32 {
	if place == 0 {
		place = b.table.get(keyKind, e.print)
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
