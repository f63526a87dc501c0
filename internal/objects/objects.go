// Package objects shows what is in a stack's bucket as a person reads it: folders, and objects as tables, decompressed,
// with the bytes inside the envelopes of error prefixes.
//
// It shows the start of an object. What it makes of a line is a reading aid and no verdict.
package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/query"
	"streamproof/internal/reject"
	"streamproof/internal/row"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

const (
	// MaxListed is how many folders and objects are listed at once.
	MaxListed = 200
	// MaxLines is how many lines of an object are shown.
	MaxLines = 200
	// longestLine is how much of a line is read, mostText how much of it is shown; in bytes.
	longestLine = 1 << 20
	mostText    = 4 << 10
)

// A Listing is a folder of the bucket.
type Listing struct {
	Bucket  string   `json:"bucket"`
	Prefix  string   `json:"prefix"`
	Folders []string `json:"folders"`
	Objects []Object `json:"objects"`
	// After is the key to list the next ones after, empty if these are all.
	After string `json:"after,omitempty"`
}

// An Object is one of a listing.
type Object struct {
	Key      string    `json:"key"`
	Bytes    int64     `json:"bytes"` // as stored
	Modified time.Time `json:"modified"`
}

// List lists a folder: what is directly below a prefix, after a key. It needs s3:ListBucket.
func List(ctx context.Context, s *stack.Stack, prefix, after string) (*Listing, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &s.Outputs.BucketName, Prefix: &prefix, Delimiter: aws.String("/"), MaxKeys: aws.Int32(MaxListed),
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := s.S3.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("list s3://%s/%s: %w", s.Outputs.BucketName, prefix, err)
	}
	l := &Listing{Bucket: s.Outputs.BucketName, Prefix: prefix, Folders: []string{}, Objects: []Object{}}
	last := ""
	for _, folder := range out.CommonPrefixes {
		l.Folders = append(l.Folders, aws.ToString(folder.Prefix))
		last = max(last, aws.ToString(folder.Prefix)+"\U0010ffff") // after everything in it
	}
	for _, o := range out.Contents {
		l.Objects = append(l.Objects, Object{Key: aws.ToString(o.Key), Bytes: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified).UTC()})
		last = max(last, aws.ToString(o.Key))
	}
	if aws.ToBool(out.IsTruncated) {
		l.After = last
	}
	return l, nil
}

// The kinds of objects.
const (
	Rows    = "rows"
	Rejects = "rejects" // of the application
	Failed  = "failed"  // by Firehose's transform
	Text    = "text"
)

// Contents are the start of an object.
type Contents struct {
	Object
	Kind       string   `json:"kind"`
	Compressed bool     `json:"compressed"`
	Columns    []string `json:"columns,omitempty"` // of rows
	Lines      []Line   `json:"lines"`
	Truncated  bool     `json:"truncated"` // there are more lines
	Problem    string   `json:"problem,omitempty"`
}

// A Line is one line of an object. Bytes that are not UTF-8 are escaped.
type Line struct {
	Number int64  `json:"number"`
	Text   string `json:"text"`
	// Values are a row's, nil for NULL. Problem says why the line is no row.
	Values  []*string `json:"values,omitempty"`
	Problem string    `json:"problem,omitempty"`
	// Envelope is what stands under an error prefix.
	Envelope *Envelope `json:"envelope,omitempty"`
}

// An Envelope is a reject of the application, or a record that Firehose's transform failed on.
type Envelope struct {
	Reason         string    `json:"reason"`
	Column         string    `json:"column,omitempty"`
	Attempts       int       `json:"attempts,omitempty"`
	Shard          string    `json:"shard,omitempty"`
	SequenceNumber string    `json:"sequenceNumber,omitempty"`
	Arrival        time.Time `json:"arrival,omitzero"`
	Data           string    `json:"data"` // the original bytes
}

// Read reads the start of an object. It needs s3:ListBucket and s3:GetObject.
func Read(ctx context.Context, s *stack.Stack, key string) (*Contents, error) {
	in := bucket.NewS3(s.S3, s.Outputs.BucketName)
	found, err := bucket.Find(ctx, in, key)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("there is no object s3://%s/%s", s.Outputs.BucketName, key)
	}
	body, err := in.Open(ctx, *found)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	c := &Contents{Object: Object{found.Key, found.Size, found.LastModified.UTC()}, Kind: kindOf(s.Outputs, key), Lines: []Line{}}
	var columns row.Schema
	if c.Kind == Rows {
		if columns, err = columnsOf(ctx, s); err != nil {
			c.Problem = fmt.Sprintf("the columns are not known: %v", err)
		}
		for _, column := range columns {
			c.Columns = append(c.Columns, column.Name)
		}
	}
	lines := bucket.NewLines(body, longestLine)
	c.Compressed = lines.Compressed()
	for lines.Next() {
		if len(c.Lines) == MaxLines {
			c.Truncated = true
			return c, nil
		}
		c.Lines = append(c.Lines, lineOf(c.Kind, columns, lines))
	}
	if err := lines.Err(); err != nil {
		c.Problem = fmt.Sprintf("the object cannot be read to its end: %v", err)
	}
	return c, nil
}

func kindOf(o stack.Outputs, key string) string {
	for _, one := range []struct{ prefix, kind string }{{o.FailedPrefix, Failed}, {o.ErrorsPrefix, Rejects}, {o.DataPrefix, Rows}} {
		if one.prefix != "" && strings.HasPrefix(key, one.prefix) {
			return one.kind
		}
	}
	return Text
}

// columnsOf are the columns of the query that runs.
func columnsOf(ctx context.Context, s *stack.Stack) (row.Schema, error) {
	current, err := s.Book().Current(ctx)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, errors.New(ledger.CurrentKey + " does not name the query")
	}
	p, err := s.Book().Pipeline(ctx, current.Pipeline)
	if err != nil {
		return nil, err
	}
	return query.Destination(p)
}

func lineOf(kind string, columns row.Schema, lines *bucket.Lines) Line {
	text := lines.Text()
	l := Line{Number: lines.Number(), Text: Visible(text)}
	if err := lines.Fault(); err != nil {
		l.Problem = lines.Explain(err)
		return l
	}
	var err error
	switch {
	case kind == Rows && columns != nil:
		fields := make([]row.Field, len(columns))
		if _, err = columns.AppendFields(nil, fields, text); err == nil {
			for _, f := range fields {
				l.Values = append(l.Values, Value(f))
			}
		}
	case kind == Rejects:
		var r *reject.Reject
		if r, err = reject.Parse(text); err == nil {
			l.Envelope = &Envelope{Reason: r.Reason, Column: r.Column, Shard: r.Shard, SequenceNumber: r.SequenceNumber, Arrival: r.ArrivalTime, Data: Visible(r.Data)}
		}
	case kind == Failed:
		var f *reject.Failure
		if f, err = reject.ParseFailure(text); err == nil {
			l.Envelope = &Envelope{Reason: strings.TrimSpace(cmp.Or(f.ErrorCode, "?") + " " + f.ErrorMessage), Attempts: f.AttemptsMade, Data: Visible(f.RawData)}
		}
	}
	if err != nil {
		l.Problem = terminal.Escape(err.Error())
	}
	return l
}

// Value is a field's text for a person, nil for NULL.
func Value(f row.Field) *string {
	if f.Null {
		return nil
	}
	shown := Visible(f.Text)
	return &shown
}
