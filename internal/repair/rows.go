package repair

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/reject"
	"streamproof/internal/replay"
	"streamproof/internal/row"
)

const (
	// maxObject is the most bytes of an object's lines, unless it has but one.
	maxObject = 32 << 20
	// stillTried is how long Firehose tries to deliver, after which a missing row does not come by itself any more.
	stillTried = 24 * time.Hour
	// madeMark is between the name and the number in the key of an object that a repair makes.
	madeMark = "-repair-"
	// hourFolder is what the template's delivery streams have between the prefix and an object's name.
	hourFolder = "2006/01/02/15/"
	// madeShard stands for the shard of a reject that a repair makes.
	madeShard = "repair"
	// madeAgain is the reason of a reject that a repair makes.
	madeAgain = "made again by a repair, as the job's own reject is missing"
)

// Rows makes objects of missing and failed rows.
type Rows struct {
	Read bucket.Bucket
	// DataPrefix is where rows belong, and ErrorsPrefix where rejects do.
	DataPrefix, ErrorsPrefix string
	// Name is that of the stack, and Serial the number of the repair: both are in the objects' keys. A row that is lost
	// again, and repaired again, is in another object.
	Name   string
	Serial int
	// Margin is how long beyond its delivery deadline a row is left alone.
	Margin time.Duration
	// Folder gives the folder of rows that were due at a time. If it is nil, it is the hour's, as the template's delivery
	// streams have it.
	Folder func(ctx context.Context, prefix string, due time.Time) (string, error)
	// Otherwise is how rows are written where no other object shows it.
	Otherwise Format
	// Stage keeps an object, with its compression, until the repair is claimed. It is nil if nothing is to be written.
	Stage func(ctx context.Context, w *ledger.Write, body []byte) error

	listed map[string][]bucket.Object // by prefix
}

// A Format is how the objects of a pipeline are written.
type Format struct {
	// Delimiter is between the columns of CSV; 0 is a comma.
	Delimiter byte
	// JSON is whether rows are JSON lines, with the names of the query if QueryNames is set, else the schema's.
	JSON, QueryNames bool
	Gzip             bool
}

// form is that of rows of an output, nil for lines that are no rows.
func (f Format) form(output row.Schema) form {
	one := form{gzip: f.Gzip}
	if f.Gzip {
		one.suffix = ".gz" // as Firehose names them
	}
	switch {
	case output == nil:
	case f.JSON && f.QueryNames:
		one.write = queryNames(output).JSON()
	case f.JSON:
		one.write = output.JSON()
	default:
		one.write = output.CSV(cmp.Or(f.Delimiter, ','))
	}
	return one
}

// queryNames is the output with the names that its query has for the columns.
func queryNames(output row.Schema) row.Schema {
	aliases := slices.Clone(output)
	for i := range aliases {
		aliases[i].Name = aliases[i].Alias
	}
	return aliases
}

// Made is what Rows makes.
type Made struct {
	Writes []ledger.Write `json:"writes,omitempty"`
	// Rows are those of the objects, by class, and Left those that are not made again, and why.
	Rows map[proof.Class]int64 `json:"rows,omitempty"`
	Left []Left                `json:"-"`
	// StillCome is how many of the missing rows may yet arrive by themselves, until then: Firehose tries for 24 hours.
	StillCome      int64     `json:"stillCome,omitempty"`
	StillComeUntil time.Time `json:"stillComeUntil,omitzero"`
}

// Make makes objects of losses, which come in the order of their epochs and ticks. It holds one object at a time.
func (m *Rows) Make(ctx context.Context, now time.Time, losses iter.Seq[replay.Loss]) (*Made, error) {
	made := &Made{Rows: map[proof.Class]int64{}}
	left := map[Left]int64{}
	open := map[string]*object{} // by prefix
	var err error
	for l := range losses {
		if !now.After(l.Tick.Settled.Add(m.Margin)) {
			left[Left{Class: l.Class, Why: fmt.Sprintf("younger than the delivery deadline and a margin of %s", m.Margin)}] += l.Count
			continue
		}
		if l.Gone != "" {
			left[Left{Class: l.Class, Why: l.Gone}] += l.Count
			continue
		}
		prefix := m.DataPrefix
		if l.Rejected {
			prefix = m.ErrorsPrefix
		}
		due := l.Tick.Claimed
		if l.Arrived {
			due = l.Tick.Time // the claim is earlier, by what the clocks may differ
		}
		folder := prefix + due.UTC().Format(hourFolder)
		if m.Folder != nil {
			if folder, err = m.Folder(ctx, prefix, due); err != nil {
				return nil, err
			}
		}
		o := open[prefix]
		if o != nil && (o.folder != folder || !o.Epoch.Equal(l.Epoch) || o.Pipeline != l.Pipeline) {
			if err = m.end(ctx, made, o); err != nil {
				return nil, err
			}
			o = nil
		}
		if o == nil {
			if o, err = m.begin(ctx, prefix, folder, l); err != nil {
				return nil, err
			}
			open[prefix] = o
		}
		for range l.Count {
			if err := o.add(l); err != nil {
				left[Left{Class: l.Class, Why: "no line of the objects' format can hold it: " + err.Error()}]++
				continue
			}
			made.Rows[l.Class]++
			if until := l.Tick.Claimed.Add(stillTried); l.Class == proof.Missing && until.After(now) {
				made.StillCome++
				made.StillComeUntil = until // the last tick's is the latest
			}
			if len(o.lines) >= maxObject {
				if err := m.end(ctx, made, o); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(open)) {
		if err := m.end(ctx, made, open[prefix]); err != nil {
			return nil, err
		}
	}
	for l, n := range left {
		l.Count = n
		made.Left = append(made.Left, l)
	}
	slices.SortFunc(made.Left, func(a, b Left) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Why, b.Why)) })
	return made, ctx.Err()
}

// An object is one that is being made.
type object struct {
	ledger.Write
	form
	folder string
	lines  []byte
	fields []row.Field
}

// A form is how the objects of a folder are written.
type form struct {
	write  row.Writer // nil for lines that are no rows
	gzip   bool
	suffix string // of the key
}

func (m *Rows) begin(ctx context.Context, prefix, folder string, l replay.Loss) (*object, error) {
	o := &object{folder: folder, Write: ledger.Write{Pipeline: l.Pipeline, Epoch: l.Epoch}}
	var err error
	o.form, err = m.neighbours(ctx, prefix, folder, l.Output)
	return o, err
}

// add adds a line of the row. The error says why no line can hold it.
func (o *object) add(l replay.Loss) (err error) {
	before := len(o.lines)
	switch {
	case l.Rejected:
		var line []byte
		made := reject.Reject{Reason: madeAgain, Data: l.Line}
		if l.Arrived { // it is a line, or a part of one, of the stream, even if it reads as a row
			made.Shard, made.Part, made.Parts = madeShard, 1, 1
		}
		line, err = json.Marshal(made)
		o.lines = append(append(o.lines, line...), '\n')
	case l.Output == nil:
		o.lines = append(append(o.lines, l.Line...), '\n')
	default:
		o.fields = l.Output.Fields(o.fields[:0], l.Key)
		o.lines, err = o.write(o.lines, o.fields)
		if err == nil {
			err = sameRow(l, o.lines[before:len(o.lines)-1])
		}
	}
	if err != nil {
		o.lines = o.lines[:before]
		return err
	}
	o.Lines++
	if l.Arrived { // in the order of arrival
		if o.Last = l.Tick.Time.UTC(); o.First.IsZero() {
			o.First = o.Last
		}
	}
	if l.Class == proof.Failed {
		o.Failed++
	} else {
		o.Missing++
	}
	return nil
}

// sameRow checks that a line reads as the row that it was made of.
func sameRow(l replay.Loss, line []byte) error {
	key, err := l.Output.Append(nil, line)
	if err == nil && !bytes.Equal(key, l.Key) {
		err = errors.New("the line made of it reads as another row")
	}
	return err
}

// end stages the object, and begins another one like it.
func (m *Rows) end(ctx context.Context, made *Made, o *object) error {
	if o.Lines == 0 {
		return nil
	}
	sum := sha256.Sum256(o.lines)
	o.SHA256 = hex.EncodeToString(sum[:])
	o.Key = fmt.Sprintf("%s%s%s%06d-%s%s", o.folder, m.Name, madeMark, m.Serial, o.SHA256, o.suffix)
	body := o.lines
	if o.gzip {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := zip.Write(o.lines); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		body = packed.Bytes()
	}
	o.Bytes = int64(len(body))
	if m.Stage != nil {
		if err := m.Stage(ctx, &o.Write, body); err != nil {
			return err
		}
	}
	made.Writes = append(made.Writes, o.Write)
	o.Write, o.lines = ledger.Write{Pipeline: o.Pipeline, Epoch: o.Epoch}, o.lines[:0]
	return nil
}

// maxNeighbours is how many objects are looked at to learn how rows are written.
const maxNeighbours = 5

// neighbours finds out how the newest objects of a folder are written, or those under the prefix if none of them has a
// row, or else Otherwise.
func (m *Rows) neighbours(ctx context.Context, prefix, folder string, output row.Schema) (form, error) {
	for _, under := range []string{folder, prefix} {
		if m.listed == nil {
			m.listed = map[string][]bucket.Object{}
		}
		all, known := m.listed[under]
		if !known {
			var err error
			if all, _, err = m.Read.List(ctx, under); err != nil {
				return form{}, fmt.Errorf("list the objects under %s: %w", under, err)
			}
			all = slices.DeleteFunc(all, func(o bucket.Object) bool {
				return o.Size == 0 || m.ErrorsPrefix != "" && prefix != m.ErrorsPrefix && strings.HasPrefix(o.Key, m.ErrorsPrefix)
			})
			slices.SortFunc(all, func(a, b bucket.Object) int { return b.LastModified.Compare(a.LastModified) })
			all = slices.Clone(all[:min(len(all), maxNeighbours)])
			m.listed[under] = all
		}
		for _, o := range all {
			if f, ok := m.formOf(ctx, o, output); ok {
				return f, nil
			}
		}
	}
	if prefix != m.DataPrefix {
		return form{}, nil // rejects, as the application writes them
	}
	return m.Otherwise.form(output), nil
}

// formOf finds out how an object is written; ok is false if it cannot be told.
func (m *Rows) formOf(ctx context.Context, o bucket.Object, output row.Schema) (f form, ok bool) {
	in, err := m.Read.Open(ctx, o)
	if err != nil {
		return f, false
	}
	defer func() { _ = in.Close() }()
	buffered := bufio.NewReader(in)
	if f.gzip = bucket.IsGzip(buffered); f.gzip && strings.HasSuffix(o.Key, ".gz") {
		f.suffix = ".gz"
	}
	lines := bucket.NewLines(buffered, 1<<20)
	if !lines.Next() || lines.Fault() != nil {
		return f, false
	}
	if output == nil {
		return f, true
	}
	f.write = writerOf(output, lines.Text())
	return f, f.write != nil
}

// writerOf returns the writer that would write the line as it is, or else one of its format; nil if it is no row.
func writerOf(output row.Schema, line []byte) row.Writer {
	fields := make([]row.Field, len(output))
	if _, err := output.AppendFields(nil, fields, line); err != nil {
		return nil
	}
	writers := []row.Writer{output.JSON(), queryNames(output).JSON()}
	if line[0] != '{' {
		writers = nil
		for _, delimiter := range []byte(row.Delimiters) {
			writers = append(writers, output.CSV(delimiter))
		}
	}
	for _, write := range writers {
		if same, err := write(nil, fields); err == nil && bytes.Equal(same[:len(same)-1], line) {
			return write
		}
	}
	return writers[0]
}
