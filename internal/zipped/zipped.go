// Package zipped writes values as JSON in gzip, whose checksum reveals what was cut or changed.
package zipped

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

// writers are kept: a new one clears 800 KB, and most values have a few.
var writers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Encode returns a value as zipped JSON.
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&out)
	if err := errors.Join(json.NewEncoder(w).Encode(v), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Text returns the JSON that Encode zipped.
func Text(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
