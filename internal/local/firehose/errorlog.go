package firehose

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// An errorLog is where the errors of a delivery stream are logged.
type errorLog struct{ group, stream string }

// logError logs an error as the delivery stream's role, if the stream has a log. An event that cannot be logged is
// lost, as with Firehose.
// https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
func (s *stream) logError(d *definition, code, message string) {
	if d.errorLog == nil {
		return
	}
	event, err := json.Marshal(map[string]string{
		"deliveryStreamARN": d.arn, "destination": "arn:aws:s3:::" + d.bucket, "deliveryStreamVersionId": d.version,
		"message": message, "errorCode": code,
	})
	if err == nil {
		text, at := string(event), time.Now().UnixMilli()
		_, err = s.server.role(d.role, d.account).logs.PutLogEvents(s.server.ctx, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: &d.errorLog.group, LogStreamName: &d.errorLog.stream,
			LogEvents: []types.InputLogEvent{{Message: &text, Timestamp: &at}},
		})
	}
	if err != nil {
		s.server.log.Warn("an error is not logged", "stream", s.name, "group", d.errorLog.group, "error", err)
	}
}
