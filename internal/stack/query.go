package stack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/analytics"
	"streamproof/internal/bucket"
	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
)

// KeepsSnapshots reports whether the application restarts from a snapshot (parameter SnapshotState).
func (s *Stack) KeepsSnapshots() bool { return s.parameters["SnapshotState"] != "DISABLED" }

// Transforms reports whether Firehose converts the rows (parameter Transform).
func (s *Stack) Transforms() bool {
	return s.parameters["Transform"] != "" && s.parameters["Transform"] != "none"
}

// A Query is the query that the ledger names, and the one that the application is set to.
type Query struct {
	Current  *ledger.Current
	Pipeline *pipeline.Pipeline
	// Flink is the SQL that the application must be set to, empty for its JAR's own.
	Flink string
	// Set is the hash of the SQL that it is set to.
	Set string
}

// Agrees reports whether the application is set to the query that the ledger names.
func (q *Query) Agrees() bool { return q.Set == HashOf(q.Flink) }

// Problem says how the ledger and the application disagree, and what to do; it is empty if they agree.
func (q *Query) Problem() string {
	switch pending := q.Current.Pending(); {
	case pending != "":
		return pending
	case !q.Agrees():
		return fmt.Sprintf("the application is set to another query than pipeline %.12s, for which ticks are produced, so rows go missing: "+
			"`streamproof resume` restores that pipeline", q.Current.Pipeline)
	default:
		return ""
	}
}

// HashOf is the hash of Flink SQL, as in Query.Set; empty for no SQL.
func HashOf(sql string) string {
	if sql == "" {
		return ""
	}
	group, err := analytics.Properties(sql)
	if err != nil {
		return "" // it is too long to be set
	}
	return analytics.Hash([]types.PropertyGroup{group})
}

// Query reads which query runs. It returns ErrNotUsable if the stack's ledger does not say. It needs s3:GetObject on
// ledger.CurrentKey and ledger.PipelinesPrefix, and kinesisanalytics:DescribeApplication.
func (s *Stack) Query(ctx context.Context) (*Query, error) {
	var q Query
	var err error
	if q.Current, err = s.Book().Current(ctx); err != nil {
		return nil, err
	}
	if q.Current == nil {
		return nil, fmt.Errorf("%w: stack %s does not name its query in s3://%s/%s: deploy this version of the template", ErrNotUsable, s.Name, s.Outputs.BucketName, ledger.CurrentKey)
	}
	if q.Pipeline, err = s.Book().Pipeline(ctx, q.Current.Pipeline); err != nil {
		return nil, err
	}
	if q.Current.Pipeline != q.Current.Deployed {
		if q.Flink, err = dialect.Translate(string(q.Pipeline.SQL), q.Pipeline.Schema); err != nil {
			return nil, fmt.Errorf("translate the query that runs now, %s: %w", ledger.PipelineKey(q.Current.Pipeline), err)
		}
	}
	app, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	q.Set = analytics.Hash(analytics.Described(app))
	return &q, nil
}

// FirstRows reads up to most of the rows that were delivered since a moment, by S3's clock, in the order of their
// objects. It leaves out lines that are no row of these columns: after a forced change, they may be of the query
// before. If no line is one, the error wraps a *row.Error.
func (s *Stack) FirstRows(ctx context.Context, output row.Schema, since time.Time, most int) (rows [][]row.Field, err error) {
	in := bucket.NewS3(s.S3, s.Outputs.BucketName)
	since = since.Truncate(time.Second)
	// Objects are named after the hour in which their first row arrived, by Firehose's clock.
	objects, _, err := in.ListAfter(ctx, s.Outputs.DataPrefix, s.Outputs.DataPrefix+since.UTC().Add(-time.Hour).Format("2006/01/02/15"))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
	var fault error
	for _, object := range objects {
		if object.LastModified.Before(since) {
			continue
		}
		body, err := in.Open(ctx, object)
		if err != nil {
			return nil, err
		}
		more, err := rowsOf(body, output, most-len(rows))
		_ = body.Close() // it was only read
		if err != nil {
			err = fmt.Errorf("read %s/%s: %w", in.Name(), object.Key, err)
		}
		if err != nil && !errors.As(err, new(*row.Error)) {
			return nil, err
		}
		if fault == nil {
			fault = err
		}
		if rows = append(rows, more...); len(rows) >= most {
			break
		}
	}
	if len(rows) == 0 {
		return nil, fault
	}
	return rows, nil
}

// rowsOf reads the first rows of an object. If it returns none, the error may be that of the first line, a *row.Error.
func rowsOf(object io.Reader, output row.Schema, most int) (rows [][]row.Field, err error) {
	in, err := bucket.Unzip(object)
	if err != nil {
		return nil, err
	}
	var fault error
	for reader := bufio.NewReader(in); len(rows) < most; {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		fields := make([]row.Field, len(output))
		if _, err := output.AppendFields(nil, fields, bytes.TrimSuffix(line, []byte("\n"))); err == nil {
			rows = append(rows, fields)
		} else if fault == nil {
			fault = err
		}
	}
	if len(rows) == 0 {
		return nil, fault
	}
	return rows, nil
}
