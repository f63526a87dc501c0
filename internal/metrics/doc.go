// Package metrics writes lines of CloudWatch's embedded metric format. A function that writes such a line to its log
// gets metrics without a call and without a permission.
//
// Each combination of a metric and its dimensions' values is one custom metric, billed for the hours in which it has
// values. So dimensions are for things that are few: a stack, a shard, never a tick or a request. Any other member of a
// line is free: CloudWatch leaves it in the log, where it can be searched.
//
// CloudWatch processes each line at least once, so a sum may rarely be too high. Nothing is proven by a metric.
//
// The rules are those of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// Package metricstest reads lines just as strictly.
package metrics
