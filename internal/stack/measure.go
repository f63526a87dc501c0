package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const (
	// measurePeriod is the shortest period of the services' metrics.
	measurePeriod = time.Minute
	// measuredWithin is how late a metric may arrive.
	measuredWithin = 5 * time.Minute
)

// A Metric is one of CloudWatch's.
type Metric struct {
	Namespace, Name, Stat string
	Dimensions            map[string]string
}

// Measure returns the latest values of metrics, in their order; nil for those that CloudWatch has no value of in the
// last five minutes. Sums are of a minute. It needs cloudwatch:GetMetricData, and AWS bills each metric of each call.
func (s *Stack) Measure(ctx context.Context, metrics []Metric) ([]*float64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	end := time.Now().Truncate(measurePeriod) // the period that has not ended has not been counted
	start := end.Add(-measuredWithin)
	in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, ScanBy: cloudwatchtypes.ScanByTimestampDescending}
	for i, m := range metrics {
		stat := &cloudwatchtypes.MetricStat{
			Period: aws.Int32(int32(measurePeriod.Seconds())), Stat: &m.Stat,
			Metric: &cloudwatchtypes.Metric{Namespace: &m.Namespace, MetricName: &m.Name},
		}
		for name, value := range m.Dimensions {
			stat.Metric.Dimensions = append(stat.Metric.Dimensions, cloudwatchtypes.Dimension{Name: &name, Value: &value})
		}
		in.MetricDataQueries = append(in.MetricDataQueries, cloudwatchtypes.MetricDataQuery{Id: aws.String(fmt.Sprintf("m%d", i)), MetricStat: stat})
	}
	values := make([]*float64, len(metrics))
	pages := cloudwatch.NewGetMetricDataPaginator(s.application.Metrics, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of stack %s: %w", s.Name, err)
		}
		for _, result := range page.MetricDataResults {
			var i int
			if _, err := fmt.Sscanf(aws.ToString(result.Id), "m%d", &i); err != nil || i < 0 || i >= len(values) {
				continue
			}
			if values[i] == nil && len(result.Values) > 0 {
				values[i] = &result.Values[0]
			}
		}
	}
	return values, nil
}

// Parameter is a parameter that the stack was deployed with, empty if it has none of that name.
func (s *Stack) Parameter(name string) string { return s.parameters[name] }
