// Package metrics writes lines of CloudWatch's embedded metric format. A function that writes one to its log, as a line of its
// own, has metrics made of it without a call and without a permission.
//
// Each metric with each set of its dimensions' values is one custom metric, and CloudWatch bills each by the hours in which it
// has values. So a dimension is for what there is little of: a stack, a shard, and never a tick or a request. What else a line
// is about costs nothing: CloudWatch leaves it in the log, where it can be searched for.
//
// CloudWatch promises each line at least once, so that a sum may rarely be too high. Nothing is proven by a metric.
//
// The rules are those of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// Package metricstest reads lines as strictly.
package metrics
