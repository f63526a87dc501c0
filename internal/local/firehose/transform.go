package firehose

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
)

const (
	// Of a request and of an answer, in bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	maxEvent  = 6 * mebibyte
	maxAnswer = 6291556
	// Upper bounds of what an event has around a record's data, and around all records.
	recordOverhead = 160
	eventOverhead  = 1024
	// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
	invocationTimeout = 5 * time.Minute
	// Between two attempts. The pages do not say how long it is.
	retryPause = time.Second
)

// event is what the function gets of a Direct PUT stream: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html
type event struct {
	InvocationID      string        `json:"invocationId"`
	DeliveryStreamArn string        `json:"deliveryStreamArn"`
	Region            string        `json:"region"`
	Records           []eventRecord `json:"records"`
}

type eventRecord struct {
	RecordID                    string `json:"recordId"`
	ApproximateArrivalTimestamp int64  `json:"approximateArrivalTimestamp"` // ms
	Data                        []byte `json:"data"`
}

// An envelope is a line of an error object: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
type envelope struct {
	AttemptsMade           int    `json:"attemptsMade"`
	ArrivalTimestamp       int64  `json:"arrivalTimestamp"` // ms, like the next
	ErrorCode              string `json:"errorCode"`
	ErrorMessage           string `json:"errorMessage"`
	AttemptEndingTimestamp int64  `json:"attemptEndingTimestamp"`
	RawData                []byte `json:"rawData"` // as before the transform
	LambdaArn              string `json:"lambdaArn"`
}

// A failure is why records could not be transformed.
type failure struct{ code, message string }

// Codes: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html#monitoring-lambda-errors
var (
	assumeDenied     = failure{"Lambda.AssumeRoleAccessDenied", "The role could not be assumed."}
	functionError    = failure{"Lambda.FunctionError", "The function was invoked and returned an error."}
	functionTimedOut = failure{"Lambda.FunctionTimedOut", "The function did not answer in time."}
	notUnderstood    = failure{"Lambda.JsonProcessingException", "The function's answer does not follow the status model."}
	duplicatedID     = failure{"Lambda.DuplicatedRecordId", "The function returned the record's id more than once."}
	missingID        = failure{"Lambda.MissingRecordId", "The function did not return the record's id."}
	processingFailed = failure{"Lambda.ProcessingFailedStatus", "The function set the status ProcessingFailed."}
)

// fitting returns how many of the records fit into an event, at least one.
func fitting(records []record) int {
	size := eventOverhead
	for i, r := range records {
		size += recordOverhead + base64.StdEncoding.EncodedLen(len(r.data))
		if size > maxEvent && i > 0 {
			return i
		}
	}
	return len(records)
}

// transform has the function transform the records. It returns the results and the envelopes of failures, each in the
// order of the records, and how many records the function dropped. The error is the context's.
func (s *stream) transform(ctx context.Context, d *definition, records []record) (ok, failed []record, dropped int, err error) {
	p := d.processor
	in := event{DeliveryStreamArn: d.arn, Region: d.region, Records: make([]eventRecord, len(records))}
	batch := rand.Text()
	for i, r := range records {
		in.Records[i] = eventRecord{fmt.Sprintf("%s%06d", batch, i), r.arrived.UnixMilli(), r.data}
	}
	results, fault, attempts := s.attempts(ctx, d, in)
	ended := time.Now()
	if ctx.Err() != nil {
		return nil, nil, 0, ctx.Err()
	}
	for i, r := range records {
		result, why := results.of(in.Records[i].RecordID)
		if fault != nil {
			why = fault
		}
		switch {
		case why != nil:
			line, err := json.Marshal(envelope{attempts, r.arrived.UnixMilli(), why.code, why.message, ended.UnixMilli(), r.data, p.function})
			if err != nil {
				return nil, nil, 0, err
			}
			failed = append(failed, record{data: append(line, '\n'), arrived: r.arrived})
		case result.Result == "Dropped":
			dropped++
		default:
			ok = append(ok, record{data: result.data, arrived: r.arrived})
		}
	}
	return ok, failed, dropped, nil
}

// attempts invokes the function until it answers, and at most NumberOfRetries times again. The page says so of failed
// calls. In practice, a failing function is called again as well, and an answer in the wrong form is not.
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
func (s *stream) attempts(ctx context.Context, d *definition, in event) (results, *failure, int) {
	for attempt := 1; ; attempt++ {
		in.InvocationID = rand.Text()
		payload, err := json.Marshal(in)
		if err != nil {
			return nil, &failure{"Lambda.InternalServerError", err.Error()}, attempt
		}
		answer, fault := s.invoke(ctx, d, attempt, payload)
		if fault == nil {
			results, fault := parseResults(answer)
			return results, fault, attempt
		}
		s.server.log.Warn("a transform failed", "stream", s.name, "function", d.processor.function, "role", d.processor.role,
			"attempt", attempt, "of", d.processor.retries+1, "code", fault.code, "error", fault.message)
		s.logError(d, fault.code, fault.message)
		if attempt > d.processor.retries {
			return nil, fault, attempt
		}
		select {
		case <-ctx.Done():
			return nil, fault, attempt
		case <-time.After(retryPause):
		}
	}
}

// invoke makes one attempt.
func (s *stream) invoke(ctx context.Context, d *definition, attempt int, payload []byte) ([]byte, *failure) {
	if hook := s.server.hooks.Load().Invoke; hook != nil {
		if err := hook(s.name, attempt, payload); err != nil {
			return nil, failureOf(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, invocationTimeout)
	defer cancel()
	role := s.server.role(d.processor.role, d.account)
	if _, err := role.credentials.Retrieve(ctx); err != nil {
		return nil, &failure{assumeDenied.code, err.Error()}
	}
	out, err := role.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &d.processor.function, Payload: payload})
	if err != nil {
		role.credentials.Invalidate() // the next attempt gets new ones
		return nil, failureOf(err)
	}
	if out.FunctionError != nil {
		return nil, &failure{functionError.code, fmt.Sprintf("%s %s: %.300s", functionError.message, aws.ToString(out.FunctionError), out.Payload)}
	}
	// On AWS, Lambda fails such an invocation.
	if len(out.Payload) > maxAnswer {
		return nil, &failure{functionError.code, fmt.Sprintf("%s The answer has %d bytes, and %d are allowed.", functionError.message, len(out.Payload), maxAnswer)}
	}
	return out.Payload, nil
}

// failureOf returns the failure for an invocation's error.
func failureOf(err error) *failure {
	var code, message string
	var api smithy.APIError
	var own *Error
	switch {
	case errors.As(err, &own):
		code, message = own.Code, own.Message
	case errors.As(err, &api):
		code, message = api.ErrorCode(), api.ErrorMessage()
	case errors.Is(err, context.DeadlineExceeded):
		return &functionTimedOut
	default:
		return &failure{functionError.code, err.Error()}
	}
	switch code {
	case "AccessDenied", "AccessDeniedException":
		code = "Lambda.InvokeAccessDenied"
	case "TooManyRequestsException":
		code = "Lambda.InvokeLimitExceeded"
	case "ResourceNotFoundException":
		code = "Lambda.ResourceNotFound"
	default:
		code = "Lambda." + code
	}
	return &failure{code, message}
}

// results are the function's, by record ID: one each if it follows the rules.
type results map[string][]result

// A result: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
type result struct {
	RecordID string  `json:"recordId"`
	Result   string  `json:"result"`
	Data     *string `json:"data"`

	data []byte
}

// parseResults reads an answer. If it breaks the status model anywhere, all its records fail; if an ID is missing or
// duplicated, that record fails. IDs that were not sent are ignored.
func parseResults(answer []byte) (results, *failure) {
	var out struct {
		Records []result `json:"records"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, &failure{notUnderstood.code, fmt.Sprintf("%s %v", notUnderstood.message, err)}
	}
	by := results{}
	for _, r := range out.Records {
		switch r.Result {
		case "Ok":
			if r.Data == nil {
				return nil, &failure{notUnderstood.code, fmt.Sprintf("%s Record %s is Ok without data.", notUnderstood.message, r.RecordID)}
			}
			data, err := base64.StdEncoding.DecodeString(*r.Data)
			if err != nil {
				return nil, &failure{notUnderstood.code, fmt.Sprintf("%s The data of record %s: %v.", notUnderstood.message, r.RecordID, err)}
			}
			r.data = data
		case "Dropped", "ProcessingFailed":
		default:
			return nil, &failure{notUnderstood.code, fmt.Sprintf("%s Record %s has the result %q.", notUnderstood.message, r.RecordID, r.Result)}
		}
		by[r.RecordID] = append(by[r.RecordID], r)
	}
	return by, nil
}

// of returns a record's result, Ok or Dropped, or why it failed.
func (r results) of(id string) (*result, *failure) {
	switch found := r[id]; {
	case len(found) == 0:
		return nil, &missingID
	case len(found) > 1:
		return nil, &duplicatedID
	case found[0].Result == "ProcessingFailed":
		return nil, &processingFailed
	default:
		return &found[0], nil
	}
}
