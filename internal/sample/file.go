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

// mostFileBytes is how much is read of files and objects, after decompression.
const mostFileBytes = 16 << 20

// File reads the first lines of a file, which may be compressed by gzip.
func File(path string, lines int) (discover.Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return discover.Record{}, err
	}
	defer f.Close()
	data, cut, err := head(f, lines, mostFileBytes)
	if err != nil {
		return discover.Record{}, fmt.Errorf("read %s: %w", path, err)
	}
	return discover.Record{Data: data, Name: path, Cut: cut}, nil
}

// Complete reads all of a file, which may be compressed by gzip. Its text may have at most most bytes.
func Complete(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, cut, err := head(f, most+1, most+1) // no more lines than bytes
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case cut || len(data) > most:
		return nil, fmt.Errorf("%s has more than %d bytes, the most that samples may have; shorten it", path, most)
	case data == nil:
		data = []byte{}
	}
	return data, nil
}

// head reads the first lines, decompressed, and reports whether there are more.
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

// firstLines reads the first lines and reports whether there are more. With an error, it returns what could be read.
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
	return data, !errors.Is(err, io.EOF), nil // an error after the sample does not matter
}

// gzipError returns the error of gzip data of which size bytes of text could be read.
func gzipError(err error, size int) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the gzip data ends too early, after %d bytes of text; get the rest of it: %w", size, err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, new(flate.CorruptInputError)):
		return fmt.Errorf("the gzip data is broken after %d bytes of text: %w", size, err)
	}
	return err
}

// S3 is the part of a client that a sample needs: s3:ListBucket and s3:GetObject.
type S3 interface {
	s3.ListObjectsV2APIClient
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

var _ S3 = (*s3.Client)(nil)

const (
	// mostObjects are read, and only some lines of each, so that one object does not make up the sample.
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
				continue // a folder made in the S3 console
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
