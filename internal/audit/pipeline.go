package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// describer is the one call that is made.
type describer interface {
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

var _ describer = (*firehose.Client)(nil)

// A Pipeline is what carries a stream to S3: a delivery stream says it of itself (see Describe), of anything else a
// person does.
type Pipeline struct {
	Stream string // its name
	Bucket string
	// Prefix and ErrorsPrefix are as far as every object's key begins with them: up to the first expression.
	Prefix, ErrorsPrefix string
	// RejectsPrefix is where the lines are delivered that the pipeline refuses, as Streamproof's own application writes
	// them: each is owed as a reject. The records below ErrorsPrefix are rows then, and not records of the stream. It is
	// empty for every other pipeline.
	RejectsPrefix string
	// Hourly reports whether keys continue after each prefix with yyyy/MM/dd/HH, as Firehose's do by default: then not
	// every object is listed each time.
	Hourly bool
	// Partitioned reports whether the folders of rows are named by values of the records (dynamic partitioning).
	Partitioned bool
	// Deadline is how long a record may take, by the buffers.
	Deadline time.Duration
	// Since is when it began to read the stream: it delivers no record from before. SinceWhy says so in a sentence. It is
	// zero where that is not known.
	Since    time.Time
	SinceWhy string
	// Gzip is whether it compresses objects.
	Gzip bool
	// AddsNewline is whether it ends each record with a newline.
	AddsNewline bool
	// Functions are the ARNs of the functions that transform the records, in batches of at most so many bytes and so much
	// time.
	Functions  []string
	BatchBytes int
	BatchTime  time.Duration
	// ARN and StreamARN are those of the delivery stream and of its stream.
	ARN, StreamARN string
	// Faults say, in sentences, why its objects cannot be judged.
	Faults []string
}

// grace is for how long Firehose may be behind its buffers: it retries, and scales.
const grace = 5 * time.Minute

// Describe asks a delivery stream what it reads and where it writes.
func Describe(ctx context.Context, client describer, name string) (*Pipeline, error) {
	out, err := client.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("describe delivery stream %s: %w", name, err)
	}
	d := out.DeliveryStreamDescription
	if d.Source == nil || d.Source.KinesisStreamSourceDescription == nil {
		return nil, fmt.Errorf("delivery stream %s reads no Kinesis stream: if one is upstream of it, name that with --stream, --bucket and --prefix", name)
	}
	source := d.Source.KinesisStreamSourceDescription
	p := &Pipeline{
		ARN: aws.ToString(d.DeliveryStreamARN), StreamARN: aws.ToString(source.KinesisStreamARN),
		Since: aws.ToTime(source.DeliveryStartTimestamp), SinceWhy: "the delivery stream has read the stream only since then",
	}
	if p.Stream, err = resource(source.KinesisStreamARN, "stream/"); err != nil {
		return nil, fmt.Errorf("delivery stream %s: %w", name, err)
	}
	var s3 *types.ExtendedS3DestinationDescription
	for _, one := range d.Destinations {
		s3 = one.ExtendedS3DestinationDescription
	}
	if len(d.Destinations) != 1 || s3 == nil {
		return nil, fmt.Errorf("delivery stream %s does not deliver to S3: no other destination can be judged", name)
	}
	if p.Bucket, err = resource(s3.BucketARN, ""); err != nil {
		return nil, fmt.Errorf("delivery stream %s: %w", name, err)
	}
	p.Prefix, p.ErrorsPrefix = static(s3.Prefix), static(s3.ErrorOutputPrefix)
	if p.ErrorsPrefix == "" && aws.ToString(s3.ErrorOutputPrefix) == "" {
		p.ErrorsPrefix = p.Prefix + "processing-failed/"
	}
	// Firehose appends the hour in UTC to a prefix that has no expression.
	p.Hourly = p.Prefix == aws.ToString(s3.Prefix) || p.Prefix+"!{timestamp:yyyy/MM/dd/HH}/" == aws.ToString(s3.Prefix)
	if zone := aws.ToString(s3.CustomTimeZone); zone != "" && zone != "UTC" {
		p.Hourly = false
	}
	p.Partitioned = strings.Contains(aws.ToString(s3.Prefix), "!{partitionKeyFrom")
	p.Deadline = grace
	if s3.BufferingHints != nil {
		p.Deadline += seconds(s3.BufferingHints.IntervalInSeconds)
	}
	p.processors(s3.ProcessingConfiguration)
	p.format(s3)
	return p, nil
}

// processors takes note of what is done to a record on its way.
func (p *Pipeline) processors(config *types.ProcessingConfiguration) {
	if config == nil || !aws.ToBool(config.Enabled) {
		return
	}
	for _, one := range config.Processors {
		switch one.Type {
		case types.ProcessorTypeLambda:
			p.BatchBytes, p.BatchTime = defaultBatchBytes, defaultBatchTime
			for _, parameter := range one.Parameters {
				switch parameter.ParameterName {
				case types.ProcessorParameterNameLambdaArn:
					p.Functions = append(p.Functions, aws.ToString(parameter.ParameterValue))
				case types.ProcessorParameterNameBufferIntervalInSeconds:
					if n, err := strconv.ParseInt(aws.ToString(parameter.ParameterValue), 10, 32); err == nil {
						p.BatchTime = time.Duration(n) * time.Second
						p.Deadline += p.BatchTime
					}
				case types.ProcessorParameterNameBufferSizeInMb:
					if mb, err := strconv.ParseFloat(aws.ToString(parameter.ParameterValue), 64); err == nil {
						p.BatchBytes = int(mb * (1 << 20))
					}
				}
			}
		case types.ProcessorTypeAppendDelimiterToRecord:
			p.AddsNewline = true
		case types.ProcessorTypeRecordDeAggregation:
			for _, parameter := range one.Parameters { // JSON objects are rows of their own in any case
				if parameter.ParameterName == types.ProcessorParameterNameDelimiter {
					p.fault("its processor RecordDeAggregation cuts records at a delimiter of its own")
				}
			}
		case types.ProcessorTypeDecompression, types.ProcessorTypeCloudWatchLogProcessing:
			p.fault("its processor %s makes other records of those in the stream", one.Type)
		}
	}
}

// format takes note of what objects cannot be read, or hold other rows than the stream.
func (p *Pipeline) format(s3 *types.ExtendedS3DestinationDescription) {
	if c := s3.DataFormatConversionConfiguration; c != nil && (c.Enabled == nil || *c.Enabled) {
		p.fault("it converts records to Parquet or ORC, which are not read")
	}
	p.Gzip = s3.CompressionFormat == types.CompressionFormatGzip
	switch s3.CompressionFormat {
	case "", types.CompressionFormatUncompressed, types.CompressionFormatGzip:
	default:
		p.fault("it compresses objects as %s: only GZIP and UNCOMPRESSED are read", s3.CompressionFormat)
	}
	if b := s3.S3BackupDescription; s3.S3BackupMode == types.S3BackupModeEnabled && b != nil &&
		aws.ToString(b.BucketARN) == aws.ToString(s3.BucketARN) && strings.HasPrefix(static(b.Prefix), p.Prefix) {
		p.fault("its backup stands below the prefix of the data, so each record would be there twice")
	}
}

func (p *Pipeline) fault(format string, args ...any) {
	p.Faults = append(p.Faults, fmt.Sprintf(format, args...))
}

// static is a prefix up to its first expression.
func static(prefix *string) string {
	text, _, _ := strings.Cut(aws.ToString(prefix), "!{")
	return text
}

// resource gives the name in an ARN.
func resource(text *string, kind string) (string, error) {
	a, err := arn.Parse(aws.ToString(text))
	if err != nil {
		return "", err
	}
	name, ok := strings.CutPrefix(a.Resource, kind)
	if !ok || name == "" {
		return "", errors.New("unexpected ARN " + a.String())
	}
	return name, nil
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }
