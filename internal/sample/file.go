package sample

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	from "streamproof/internal/bucket"
	"streamproof/internal/discover"
)

// mostFileBytes is as much as is read of files and objects, after they were decompressed.
const mostFileBytes = 16 << 20

// File reads the first lines of a file, which may be compressed by gzip.
func File(path string, lines int) (discover.Record, error) {
	data, cut, err := headOf(path, lines, mostFileBytes)
	return discover.Record{Data: data, Name: path, Cut: cut}, err
}

// Whole reads a complete file, which may be compressed by gzip. Decompressed, it may have at most so many bytes.
func Whole(path string, most int) ([]byte, error) {
	data, cut, err := headOf(path, most+1, most+1) // a line has a byte at least
	switch {
	case err != nil:
		return nil, err
	case cut || len(data) > most:
		return nil, fmt.Errorf("%s has more than the %d bytes that samples may have: make a shorter file of it", path, most)
	case data == nil:
		data = []byte{}
	}
	return data, nil
}

func headOf(path string, lines, most int) (data []byte, cut bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	if data, cut, err = head(f, lines, most); err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	return data, cut, nil
}

// head reads the first lines, of gzip those that are compressed, and says whether there are more.
func head(r io.Reader, lines, most int) (data []byte, cut bool, err error) {
	reader := bufio.NewReader(r)
	if start, _ := reader.Peek(2); !bytes.Equal(start, []byte("\x1f\x8b")) {
		return firstLines(reader, lines, most)
	}
	unzipped, err := gzip.NewReader(reader)
	if err == nil {
		data, cut, err = firstLines(bufio.NewReader(unzipped), lines, most)
	}
	if err != nil {
		return nil, false, gzipError(err, len(data))
	}
	return data, cut, nil
}

// firstLines reads the first lines, and says whether there are more. With an error, it gives what could be read.
func firstLines(reader *bufio.Reader, lines, most int) (data []byte, cut bool, err error) {
	for range lines {
		line, err := reader.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) && len(data) < most {
			data = append(data, line...)
			line, err = reader.ReadSlice('\n')
		}
		data = append(data, line...)
		switch {
		case errors.Is(err, io.EOF):
			return data, false, nil
		case len(data) >= most:
			return data, true, nil
		case err != nil:
			return data, false, err
		}
	}
	_, err = reader.Peek(1)
	return data, !errors.Is(err, io.EOF), nil // what is broken behind the sample is not its business
}

// gzipError says what is wrong with compressed data of which so many bytes could be read.
func gzipError(err error, size int) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the gzip data ends too early, after %d bytes of text: get the rest of it (%w)", size, err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, new(flate.CorruptInputError)):
		return fmt.Errorf("the gzip data is broken after %d bytes of text: %w", size, err)
	}
	return err
}

// S3 is what a sample needs of a bucket: s3:ListBucket and s3:GetObject.
type S3 interface {
	s3.ListObjectsV2APIClient
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

var _ S3 = (*s3.Client)(nil)

const (
	// mostObjects are read, and of each at most a part of the lines, so that one object does not speak for all.
	mostObjects = 100
	parts       = 8
)

// Objects reads the first lines of the first objects under a prefix.
func Objects(ctx context.Context, client S3, bucket, prefix string, lines int) ([]discover.Record, error) {
	var records []discover.Record
	left, bytesLeft := lines, mostFileBytes
	for page, err := range from.Pages(ctx, client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}) {
		if err != nil {
			return nil, fmt.Errorf("list s3://%s/%s: %w", bucket, prefix, err)
		}
		for _, object := range page.Contents {
			key := aws.ToString(object.Key)
			if aws.ToInt64(object.Size) == 0 && strings.HasSuffix(key, "/") {
				continue // what the console makes a folder of
			}
			if len(records) == mostObjects || left <= 0 || bytesLeft <= 0 {
				return records, nil
			}
			record, err := read(ctx, client, bucket, key, min(left, lines/parts+1), bytesLeft)
			if err != nil {
				return nil, err
			}
			records = append(records, record)
			left -= max(bytes.Count(record.Data, []byte("\n")), 1)
			bytesLeft -= len(record.Data)
		}
	}
	return records, nil
}

func read(ctx context.Context, client S3, bucket, key string, lines, most int) (discover.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	name := "s3://" + bucket + "/" + key
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return discover.Record{}, fmt.Errorf("read %s: %w", name, err)
	}
	defer out.Body.Close()
	data, cut, err := head(out.Body, lines, most)
	if err != nil {
		return discover.Record{}, fmt.Errorf("read %s: %w", name, err)
	}
	return discover.Record{Data: data, Name: name, Cut: cut}, nil
}
