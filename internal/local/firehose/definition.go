package firehose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const mebibyte = 1 << 20

// A definition is a delivery stream as the emulator describes it.
type definition struct {
	arn, region, account string
	version              string
	encrypted            bool // at rest, as the answers to puts report
	bucket, role         string
	ok, failed           prefix
	size                 int // bytes that make an object
	interval             time.Duration
	gzip                 bool
	processor            *processor // nil for none
	newline              bool       // whether each record is ended by one
	source               *source    // nil for Direct PUT
	errorLog             *errorLog  // nil for none
}

// A processor is the Lambda function that transforms the records.
type processor struct {
	function, role string
	size           int // bytes that make an invocation
	interval       time.Duration
	retries        int
}

// description is the supported part of
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamDescription.html
// Any other member is refused, so that nothing the template asks for is silently ignored.
type description struct {
	DeliveryStreamName   string
	DeliveryStreamARN    string
	DeliveryStreamStatus string
	DeliveryStreamType   string
	VersionId            string
	CreateTimestamp      json.RawMessage
	LastUpdateTimestamp  json.RawMessage
	HasMoreDestinations  bool
	Source               struct {
		KinesisStreamSourceDescription *struct {
			KinesisStreamARN, RoleARN string
			DeliveryStartTimestamp    float64
		}
	}
	Destinations []struct {
		DestinationId                    string
		S3DestinationDescription         json.RawMessage // on AWS, the same again
		ExtendedS3DestinationDescription *struct {
			BucketARN               string
			RoleARN                 string
			Prefix                  string
			ErrorOutputPrefix       string
			BufferingHints          *struct{ SizeInMBs, IntervalInSeconds *scalar }
			CompressionFormat       string
			S3BackupMode            string
			EncryptionConfiguration struct {
				NoEncryptionConfig string
			}
			CloudWatchLoggingOptions struct {
				Enabled                     scalar
				LogGroupName, LogStreamName string
			}
			ProcessingConfiguration struct {
				Enabled    scalar
				Processors []struct {
					Type       string
					Parameters []parameter
				}
			}
		}
	}
	DeliveryStreamEncryptionConfiguration struct {
		Status  string
		KeyType string
		KeyARN  string
	}
}

type parameter struct {
	ParameterName  string
	ParameterValue scalar
}

// A scalar is a string, number or Boolean, as text. The emulator passes on what CloudFormation gave it, which has
// numbers as strings and the reverse.
type scalar string

func (s *scalar) UnmarshalJSON(data []byte) error {
	var value any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return err
	}
	switch value.(type) {
	case string, bool, json.Number:
		*s = scalar(fmt.Sprint(value))
		return nil
	}
	return fmt.Errorf("%s is not a string, a number or a Boolean", data)
}

// parseDefinition reads the answer to DescribeDeliveryStream. The error names everything that is not supported.
func parseDefinition(answer []byte) (*definition, error) {
	var out struct{ DeliveryStreamDescription description }
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		return nil, fmt.Errorf("a delivery stream with members that are not supported: %w", err)
	}
	in := out.DeliveryStreamDescription
	var faults []error
	unknown := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	from := in.Source.KinesisStreamSourceDescription
	unknown(in.DeliveryStreamType != "DirectPut" && (in.DeliveryStreamType != "KinesisStreamAsSource" || from == nil),
		"DeliveryStreamType %s", in.DeliveryStreamType)
	if len(in.Destinations) != 1 || in.Destinations[0].ExtendedS3DestinationDescription == nil {
		faults = append(faults, errors.New("a destination that is not one ExtendedS3DestinationConfiguration"))
		return nil, notKnown(faults)
	}
	s3 := in.Destinations[0].ExtendedS3DestinationDescription
	bucket, isBucket := strings.CutPrefix(s3.BucketARN, "arn:aws:s3:::")
	arn := strings.Split(in.DeliveryStreamARN, ":") // arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME
	unknown(!isBucket, "BucketARN %s", s3.BucketARN)
	unknown(len(arn) != 6, "DeliveryStreamARN %s", in.DeliveryStreamARN)
	unknown(s3.RoleARN == "", "no RoleARN")
	unknown(s3.S3BackupMode != "" && s3.S3BackupMode != "Disabled", "S3BackupMode %s", s3.S3BackupMode)
	logging := s3.CloudWatchLoggingOptions
	unknown(on(logging.Enabled) && (logging.LogGroupName == "" || logging.LogStreamName == ""),
		"CloudWatchLoggingOptions without LogGroupName or LogStreamName")
	unknown(s3.CompressionFormat != "" && s3.CompressionFormat != "UNCOMPRESSED" && s3.CompressionFormat != "GZIP",
		"CompressionFormat %s", s3.CompressionFormat)
	if len(faults) > 0 {
		return nil, notKnown(faults)
	}
	d := &definition{
		arn: in.DeliveryStreamARN, region: arn[3], account: arn[4],
		version:   in.VersionId,
		encrypted: in.DeliveryStreamEncryptionConfiguration.Status == "ENABLED",
		bucket:    bucket,
		role:      s3.RoleARN,
		gzip:      s3.CompressionFormat == "GZIP",
	}
	if from != nil {
		_, name, ok := strings.Cut(from.KinesisStreamARN, ":stream/")
		unknown(!ok || from.RoleARN == "", "KinesisStreamARN %s read by role %s", from.KinesisStreamARN, from.RoleARN)
		d.source = &source{name, from.RoleARN, time.UnixMilli(int64(from.DeliveryStartTimestamp * 1000))}
	}
	if on(logging.Enabled) {
		d.errorLog = &errorLog{logging.LogGroupName, logging.LogStreamName}
	}
	var err error
	d.ok, d.failed, err = parsePrefixes(s3.Prefix, s3.ErrorOutputPrefix)
	if err != nil {
		faults = append(faults, err)
	}
	// https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
	sizeInMBs, interval := scalar("5"), scalar("300")
	if h := s3.BufferingHints; h != nil && h.SizeInMBs != nil {
		sizeInMBs = *h.SizeInMBs
	}
	if h := s3.BufferingHints; h != nil && h.IntervalInSeconds != nil {
		interval = *h.IntervalInSeconds
	}
	d.size = int(number(&faults, "SizeInMBs", sizeInMBs, 1, 128) * mebibyte)
	d.interval = seconds(number(&faults, "IntervalInSeconds", interval, 0, 900))

	if on(s3.ProcessingConfiguration.Enabled) {
		for _, one := range s3.ProcessingConfiguration.Processors {
			switch {
			case one.Type == "Lambda" && d.processor == nil:
				d.processor = parseProcessor(one.Parameters, d.role, &faults)
			case one.Type == "AppendDelimiterToRecord":
				d.newline = true
			default:
				faults = append(faults, fmt.Errorf("the processor %s, or two of type Lambda", one.Type))
			}
		}
	}
	return d, notKnown(faults)
}

// parseProcessor reads the parameters of a function. Ranges and defaults:
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html
// and https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
func parseProcessor(parameters []parameter, role string, faults *[]error) *processor {
	p := &processor{role: role, size: mebibyte, interval: time.Minute, retries: 3}
	for _, parameter := range parameters {
		name, value := parameter.ParameterName, parameter.ParameterValue
		switch name {
		case "LambdaArn":
			p.function = string(value)
		case "RoleArn":
			p.role = string(value)
		case "BufferSizeInMBs":
			p.size = int(number(faults, name, value, 0.2, 3) * mebibyte)
		case "BufferIntervalInSeconds":
			p.interval = seconds(number(faults, name, value, 0, 900))
		case "NumberOfRetries":
			p.retries = int(number(faults, name, value, 0, 300))
		default:
			*faults = append(*faults, fmt.Errorf("the processor's parameter %s", name))
		}
	}
	if p.function == "" {
		*faults = append(*faults, errors.New("a processor without LambdaArn"))
	}
	return p
}

func notKnown(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	texts := make([]string, len(faults))
	for i, fault := range faults {
		texts[i] = fault.Error()
	}
	return fmt.Errorf("a delivery stream with settings that are not supported: %s", strings.Join(texts, "; "))
}

func on(s scalar) bool { return strings.EqualFold(string(s), "true") }

func number(faults *[]error, name string, value scalar, low, high float64) float64 {
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(n >= low && n <= high) {
		*faults = append(*faults, fmt.Errorf("%s %s, want %v to %v", name, value, low, high))
	}
	return n
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// describe asks the emulator for the delivery stream. If there is none, or one that is not supported, the error is an
// *Error. The SDK's client will not do: it refuses numbers that are strings.
func (s *Server) describe(ctx context.Context, name string) (*definition, error) {
	body, err := json.Marshal(map[string]string{"DeliveryStreamName": name})
	if err != nil {
		return nil, err
	}
	request, err := s.signed(ctx, "DescribeDeliveryStream", body)
	if err != nil {
		return nil, err
	}
	answer, err := s.call(request)
	if err != nil {
		return nil, fmt.Errorf("describe delivery stream %s: %w", name, err)
	}
	if answer.status != http.StatusOK {
		return nil, answer.asError()
	}
	d, err := parseDefinition(answer.body)
	if err != nil {
		return nil, invalid("%s is %v", name, err)
	}
	return d, nil
}
