// Package reject reads the objects under the error prefixes: the lines that the analytics application rejected, and the
// records that Firehose's transform failed on. Both are JSON lines that hold the original bytes.
package reject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Reject is a line that the analytics application could not use, as its delivery stream of rejects writes it.
type Reject struct {
	// Reason is one of a small set of phrases.
	Reason string `json:"reason"`
	// Column is the faulty column, "" if the fault is not in a column.
	Column string `json:"column"`
	// Data is a line of a record without its newline, byte for byte. If Shard is empty, it is a row that does not fit
	// the output.
	Data           []byte    `json:"data"`
	Shard          string    `json:"shard"`
	SequenceNumber string    `json:"sequence_number"`
	ArrivalTime    time.Time `json:"arrival_time"`
	// Part and Parts are set if the line is too long for one Firehose record: Data is part 1 to Parts of it.
	Part  int `json:"part"`
	Parts int `json:"parts"`
}

// Parse reads a line, without its newline, of the rejects' prefix. An unknown field is an error.
func Parse(line []byte) (*Reject, error) {
	var r Reject
	if err := decode(line, &r, true); err != nil {
		return nil, fmt.Errorf("not a reject: %w", err)
	}
	if r.Reason == "" || r.Data == nil {
		return nil, errors.New("not a reject: reason or data is missing")
	}
	return &r, nil
}

// A Failure is a record that Firehose's transform failed on.
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
type Failure struct {
	AttemptsMade int    `json:"attemptsMade"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	// RawData is the record before the transform: any number of rows.
	RawData []byte `json:"rawData"`
}

// ParseFailure reads a line, without its newline, of Firehose's processing-failed prefix. It ignores other fields,
// which Firehose may add.
func ParseFailure(line []byte) (*Failure, error) {
	var f Failure
	if err := decode(line, &f, false); err != nil {
		return nil, fmt.Errorf("not a failed record of Firehose: %w", err)
	}
	if f.ErrorCode == "" || f.RawData == nil {
		return nil, errors.New("not a failed record of Firehose: errorCode or rawData is missing")
	}
	return &f, nil
}

func decode(line []byte, into any, strict bool) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the JSON object")
	}
	return nil
}
