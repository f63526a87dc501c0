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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"

	"streamproof/internal/analytics"
	"streamproof/internal/bucket"
	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
)

// Book is the stack's ledger, written with the caller's own credentials.
func (s *Stack) Book() *ledger.Store { return ledger.NewStore(s.S3, s.Outputs.BucketName) }

// KeepsSnapshots tells whether the stack's parameter SnapshotState says that the application goes on from a snapshot.
func (s *Stack) KeepsSnapshots() bool { return s.parameters["SnapshotState"] != "DISABLED" }

// A Query is what the ledger says that the application runs, and whether the application has been told that.
type Query struct {
	Current  *ledger.Current
	Pipeline *pipeline.Pipeline
	// Flink is what the application has to be told to run it, empty for its JAR's own.
	Flink string
	// Set is the hash of what it has been told.
	Set string
}

// Agrees reports whether the application has the query that the ledger names.
func (q *Query) Agrees() bool { return q.Set == HashOf(q.Flink) }

// Problem says what is wrong between the ledger and the application, and what to do; it is empty where nothing is.
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

// HashOf is the hash of Flink SQL as Query.Set has it, empty for none.
func HashOf(sql string) string {
	if sql == "" {
		return ""
	}
	group, err := analytics.Properties(sql)
	if err != nil {
		return "" // it is too long to be told
	}
	return analytics.Hash([]types.PropertyGroup{group})
}

// Query reads which query runs. A stack that does not say in its ledger is ErrNotUsable. It needs s3:GetObject on
// ledger.CurrentKey and ledger.PipelinesPrefix, and kinesisanalytics:DescribeApplication.
func (s *Stack) Query(ctx context.Context) (*Query, error) {
	var q Query
	var err error
	if q.Current, err = s.Book().Current(ctx); err != nil {
		return nil, err
	}
	if q.Current == nil {
		return nil, fmt.Errorf("%w: stack %s does not say in s3://%s/%s which query it runs: deploy this version of the template", ErrNotUsable, s.Name, s.Outputs.BucketName, ledger.CurrentKey)
	}
	if q.Pipeline, err = s.Book().Pipeline(ctx, q.Current.Pipeline); err != nil {
		return nil, err
	}
	if q.Current.Pipeline != q.Current.Deployed {
		if q.Flink, err = dialect.Translate(string(q.Pipeline.SQL), q.Pipeline.Schema); err != nil {
			return nil, fmt.Errorf("the query that runs now, %s: %w", ledger.PipelineKey(q.Current.Pipeline), err)
		}
	}
	app, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	q.Set = analytics.Hash(analytics.Described(app))
	return &q, nil
}

func (s *Stack) describe(ctx context.Context) (*types.ApplicationDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.application.Describe(ctx)
}

// SetQuery tells the application, which is to be stopped, to run Flink SQL from its next start on; its JAR's own where it is
// empty. All else that it is told stays. It needs kinesisanalytics:DescribeApplication and kinesisanalytics:UpdateApplication.
func (s *Stack) SetQuery(ctx context.Context, sql string) error {
	var set *types.PropertyGroup
	want := ""
	if sql != "" {
		group, err := analytics.Properties(sql)
		if err != nil {
			return err
		}
		set, want = &group, HashOf(sql)
	}
	app, err := s.describe(ctx)
	if err != nil || analytics.Hash(analytics.Described(app)) == want {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	_, err = s.application.Update(ctx, func(app *types.ApplicationDetail) (*kinesisanalyticsv2.UpdateApplicationInput, error) {
		return &kinesisanalyticsv2.UpdateApplicationInput{ApplicationConfigurationUpdate: &types.ApplicationConfigurationUpdate{
			EnvironmentPropertyUpdates: &types.EnvironmentPropertyUpdates{PropertyGroups: analytics.Groups(analytics.Described(app), set)},
		}}, nil
	})
	if err != nil {
		return fmt.Errorf("set the query of application %s: %w", s.Outputs.ApplicationName, err)
	}
	return nil
}

// LatestSnapshot gives the name of the application's newest snapshot, empty where it has none. It needs
// kinesisanalytics:ListApplicationSnapshots.
func (s *Stack) LatestSnapshot(ctx context.Context) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	latest, err := s.application.LatestSnapshot(ctx)
	if err != nil || latest == nil {
		return "", err
	}
	return aws.ToString(latest.SnapshotName), nil
}

// FirstRows reads up to a number of the rows that were delivered from a moment on, by S3's clock, in the order of their objects.
func (s *Stack) FirstRows(ctx context.Context, output row.Schema, since time.Time, most int) (rows [][]row.Field, err error) {
	in := bucket.NewS3(s.S3, s.Outputs.BucketName)
	since = since.Truncate(time.Second)
	// Objects are named for the hour in which the first of their rows arrived, by Firehose's clock.
	objects, _, err := in.ListAfter(ctx, s.Outputs.DataPrefix, s.Outputs.DataPrefix+since.UTC().Add(-time.Hour).Format("2006/01/02/15"))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
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
			return nil, fmt.Errorf("read %s/%s: %w", in.Name(), object.Key, err)
		}
		if rows = append(rows, more...); len(rows) >= most {
			break
		}
	}
	return rows, nil
}

// rowsOf reads the first rows of an object.
func rowsOf(object io.Reader, output row.Schema, most int) (rows [][]row.Field, err error) {
	in, err := bucket.Unzip(object)
	if err != nil {
		return nil, err
	}
	for reader := bufio.NewReader(in); len(rows) < most; {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return rows, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		fields := make([]row.Field, len(output))
		if _, err := output.AppendFields(nil, fields, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return nil, err
		}
		rows = append(rows, fields)
	}
	return rows, nil
}
