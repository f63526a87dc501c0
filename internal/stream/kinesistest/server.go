// Package kinesistest has stand-ins for Kinesis, for tests and benchmarks in this process.
//
// A Server answers PutRecords over HTTP, as far as a producer can see: shards chosen by the explicit hash key or else
// the MD5 of the partition key, sequence numbers that look like Kinesis' own, no limits, faults by hook. It finds the
// keys in the request without parsing it, and decodes records only if it keeps them, so that a benchmark measures the
// producer.
//
// A Stream is read in memory, with shards, limits and expiring iterators.
package kinesistest

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/big"
	"math/bits"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"streamproof/internal/stream/kpl"
)

// A Fault is what goes wrong with one call.
type Fault int

// The faults. A call is stored only if the name says so.
const (
	None               Fault = iota
	Reset                    // the connection is reset and nothing stored
	StoredThenReset          // everything is stored and the answer lost
	StoredThenCut            // everything is stored and half of the answer sent
	Failure                  // 500 InternalFailure and nothing stored
	StoredThenFailure        // 500 InternalFailure, and everything stored all the same
	Throttled                // 400 ProvisionedThroughputExceededException
	NotFound                 // 400 ResourceNotFoundException
	Denied                   // 400 AccessDeniedException
	EveryOtherThrottle       // every other entry is refused, the rest stored
	EveryOtherFails          // every other entry answers InternalFailure, and every second of these is stored all the same
)

// A Server is a stream. Set its fields before the first call.
type Server struct {
	*httptest.Server
	// Shards is the number of shards; 0 means 2.
	Shards int
	// Latency is how long each answer takes at least.
	Latency time.Duration
	// Fault, if set, decides what goes wrong with a call, counted from 0.
	Fault func(call int) Fault
	// Keep makes the server count what it stores, by data. An aggregate counts as the records in it.
	Keep bool

	mu       sync.Mutex
	calls    int
	sequence uint64
	units    int
	stored   map[string]int
	buffers  sync.Pool
}

// New starts a server; the caller closes it.
func New() *Server {
	s := &Server{stored: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.putRecords))
	return s
}

// Stored is how many copies of each record the stream holds, if Keep is set.
func (s *Server) Stored() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.stored)
}

// Records is how many copies of entries, records or aggregates, were stored since the server started.
func (s *Server) Records() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.sequence)
}

// Units is how many PUT payload units the stored copies cost: each counts with its partition key, in pieces of 25 KB.
func (s *Server) Units() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units
}

// refusals are the answers to calls that fail.
var refusals = map[Fault]struct {
	status        int
	code, message string
}{
	Failure:           {http.StatusInternalServerError, "InternalFailure", ""},
	StoredThenFailure: {http.StatusInternalServerError, "InternalFailure", ""},
	Throttled:         {http.StatusBadRequest, "ProvisionedThroughputExceededException", "Rate exceeded for stream"},
	NotFound:          {http.StatusBadRequest, "ResourceNotFoundException", "Stream under account 000000000000 not found."},
	Denied:            {http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform: kinesis:PutRecords"},
}

type buffers struct{ in, out []byte }

func (s *Server) putRecords(w http.ResponseWriter, r *http.Request) {
	b, _ := s.buffers.Get().(*buffers)
	if b == nil {
		b = new(buffers)
	}
	defer s.buffers.Put(b)
	if n := int(r.ContentLength); n > cap(b.in) {
		b.in = make([]byte, n)
	}
	b.in = b.in[:max(r.ContentLength, 0)]
	if _, err := io.ReadFull(r.Body, b.in); err != nil {
		panic(http.ErrAbortHandler) // the producer went away in mid-request
	}
	if target := r.Header.Get("X-Amz-Target"); target != "Kinesis_20131202.PutRecords" {
		fail(w, http.StatusBadRequest, "UnknownOperationException", target)
		return
	}

	s.mu.Lock()
	fault := None
	if s.Fault != nil {
		fault = s.Fault(s.calls)
	}
	s.calls++
	s.mu.Unlock()

	time.Sleep(s.Latency)
	refusal, refused := refusals[fault]
	if fault == StoredThenFailure || fault != Reset && !refused {
		b.out = s.store(b.out[:0], b.in, fault)
	}
	switch {
	case fault == Reset, fault == StoredThenReset:
		ResetConn(w)
		return
	case refused:
		fail(w, refusal.status, refusal.code, refusal.message)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Content-Length", strconv.Itoa(len(b.out)))
	if fault == StoredThenCut {
		_, _ = w.Write(b.out[:len(b.out)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(b.out) // the producer sees any error
}

// ResetConn ends the connection of a call with a RST instead of a FIN.
func ResetConn(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message)
}

// store stores the records of a request, as far as the fault allows, and appends the answer.
func (s *Server) store(answer, request []byte, fault Fault) []byte {
	shards := uint64(max(s.Shards, 0))
	if shards == 0 {
		shards = 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := 0
	answer = append(answer, `{"EncryptionType":"KMS","Records":[`...)
	for i := 0; ; i++ {
		data, rest, more := next(request, `"Data":"`)
		if !more {
			break
		}
		explicit, rest := explicitHashKey(rest)
		key, rest, _ := next(rest, `"PartitionKey":"`)
		request = rest
		if i > 0 {
			answer = append(answer, ',')
		}
		stored := true
		if i%2 == 1 && (fault == EveryOtherThrottle || fault == EveryOtherFails) {
			failed++
			stored = fault == EveryOtherFails && i%4 == 1
			code, message := "ProvisionedThroughputExceededException", "Rate exceeded for shard shardId-000000000001 in stream s under account 000000000000."
			if fault == EveryOtherFails {
				code, message = "InternalFailure", "Internal Service Failure"
			}
			answer = fmt.Appendf(answer, `{"ErrorCode":%q,"ErrorMessage":%q}`, code, message)
		} else {
			hash := md5.Sum(key)
			if explicit != nil {
				value, ok := new(big.Int).SetString(string(explicit), 10)
				if !ok || value.Sign() < 0 || value.BitLen() > 128 {
					panic(fmt.Sprintf("explicit hash key %q", explicit))
				}
				value.FillBytes(hash[:])
			}
			// The shards have equal shares of the 128-bit hash space: shard = hash · shards / 2¹²⁸.
			shard, _ := bits.Mul64(binary.BigEndian.Uint64(hash[:8]), shards)
			answer = append(answer, `{"SequenceNumber":"49654321098765432109876543210987654`...)
			answer = appendDigits(answer, s.sequence, 21)
			answer = append(answer, `","ShardId":"shardId-`...)
			answer = append(appendDigits(answer, shard, 12), `"}`...)
		}
		if stored {
			s.sequence++
			size := base64.StdEncoding.DecodedLen(len(data)) - bytes.Count(data[max(0, len(data)-2):], []byte("=")) + len(key)
			s.units += (size + unit - 1) / unit
			if s.Keep {
				record, err := base64.StdEncoding.DecodeString(string(data))
				if err != nil {
					panic(err)
				}
				records, aggregated, err := kpl.Deaggregate(record)
				if err != nil {
					panic(err)
				}
				if !aggregated {
					records = []kpl.Record{{Data: record}}
				}
				for _, r := range records {
					s.stored[string(r.Data)]++
				}
			}
		}
	}
	answer = append(answer, `],"FailedRecordCount":`...)
	return append(strconv.AppendInt(answer, int64(failed), 10), '}')
}

// unit is the bytes of a PUT payload unit.
const unit = 25_000

// explicitHashKey finds the explicit hash key of an entry whose data ends where entry starts, nil if it has none. The
// SDK writes an entry's fields in the order of their names.
func explicitHashKey(entry []byte) (key, rest []byte) {
	if !bytes.HasPrefix(entry, []byte(`","ExplicitHashKey":"`)) {
		return nil, entry
	}
	key, rest, _ = next(entry, `"ExplicitHashKey":"`)
	return key, rest
}

// next finds the string after the prefix, and the rest. Neither base64 nor the keys contain escapes.
func next(request []byte, prefix string) (value, rest []byte, ok bool) {
	_, request, ok = bytes.Cut(request, []byte(prefix))
	if !ok {
		return nil, nil, false
	}
	end := bytes.IndexByte(request, '"')
	return request[:end], request[end:], true
}

func appendDigits(dst []byte, n uint64, width int) []byte {
	dst = append(dst, "0000000000000000000000000"[:width]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
