// Package s3test is a stand-in for S3, for tests: the calls for objects and ListObjectsV2 as the SDK's own client makes
// them, writes and reads on condition and reads of a range as S3 has them, a clock, and faults by hook. It stands where
// the client's connections would, so tests may run in the virtual time of testing/synctest, the SDK's retries included.
package s3test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A Fault is what goes wrong with one request.
type Fault int

// The faults.
const (
	None             Fault = iota
	Lost                   // the connection is reset and nothing done
	DoneThenLost           // the request is carried out and the connection reset before the answer
	Failure                // 500 InternalError, and nothing done
	DoneThenFailure        // 500 InternalError, and the request is carried out
	Conflict               // 409 ConditionalRequestConflict
	Denied                 // 403 AccessDenied
	NoBucket               // 404 NoSuchBucket
	DoneWithoutADate       // the request is carried out, and the answer has no Date
	BrokenOff              // the request is carried out, and the connection reset somewhere in the answer's body
)

// An Object is what stands under a key.
type Object struct {
	Body     []byte
	ETag     string
	Modified time.Time
	Tagging  string // as in a query
}

// An S3 has every bucket that anybody asks for. Set its fields before the first request.
type S3 struct {
	// Fault, where set, says what goes wrong with the request of this number, from 0.
	Fault func(request int, method string) Fault
	// Before, where set, is called before each request is carried out, and may change what stands.
	Before func(request int, method string)
	// Now is the clock; the real one where it is nil.
	Now func() time.Time

	mu       sync.Mutex
	requests int
	objects  map[string]Object // by path: /bucket/key
	writes   int
}

// New makes an empty one.
func New() *S3 { return &S3{objects: map[string]Object{}} }

// Client is a client of it, with the SDK's default retries.
func (s *S3) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://s3.test"), UsePathStyle: true, HTTPClient: s,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
}

// Get returns what stands under /bucket/key, and whether anything does.
func (s *S3) Get(path string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[path]
	return o, ok
}

// Paths are where objects stand, in order.
func (s *S3) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Put writes without a condition, as somebody else.
func (s *S3) Put(path string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(path, body, "")
}

// Tag sets the tags of what stands.
func (s *S3) Tag(path, tagging string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[path]
	o.Tagging = tagging
	s.objects[path] = o
}

// Writes is how many writes were carried out.
func (s *S3) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func (s *S3) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *S3) put(path string, body []byte, tagging string) string {
	sum := md5.Sum(body)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	// S3 keeps whole seconds.
	s.objects[path] = Object{Body: body, ETag: etag, Modified: s.now().UTC().Truncate(time.Second), Tagging: tagging}
	s.writes++
	return etag
}

// Do carries out one request, as http.Client's does.
func (s *S3) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	request := s.requests
	s.requests++
	s.mu.Unlock()
	fault := None
	if s.Fault != nil {
		fault = s.Fault(request, r.Method)
	}
	if s.Before != nil {
		s.Before(request, r.Method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	lost := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	switch fault {
	case Lost:
		return nil, lost
	case Failure:
		fail(w, http.StatusInternalServerError, "InternalError")
	case Conflict:
		fail(w, http.StatusConflict, "ConditionalRequestConflict")
	case Denied:
		fail(w, http.StatusForbidden, "AccessDenied")
	case NoBucket:
		fail(w, http.StatusNotFound, "NoSuchBucket")
	case DoneThenLost:
		s.serve(httptest.NewRecorder(), r, body)
		return nil, lost
	case DoneThenFailure:
		s.serve(httptest.NewRecorder(), r, body)
		fail(w, http.StatusInternalServerError, "InternalError")
	case DoneWithoutADate:
		s.serve(w, r, body)
		w.Header().Del("Date")
	default:
		s.serve(w, r, body)
	}
	answer := w.Result()
	if whole := w.Body.Bytes(); fault == BrokenOff {
		begin := whole[:rand.New(rand.NewPCG(uint64(request), 0)).IntN(len(whole)+1)]
		answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(begin), iotest.ErrReader(lost)))
	}
	return answer, nil
}

func (s *S3) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	switch r.Method {
	case http.MethodPut:
		s.servePut(w, r, body)
	case http.MethodGet, http.MethodHead:
		if r.URL.Query().Has("list-type") {
			s.serveList(w, r)
			return
		}
		s.serveGet(w, r)
	case http.MethodDelete:
		if _, stands := s.objects[r.URL.Path]; stands {
			delete(s.objects, r.URL.Path)
			s.writes++
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func (s *S3) servePut(w http.ResponseWriter, r *http.Request, body []byte) {
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		s.serveCopy(w, r, source)
		return
	}
	standing, stands := s.objects[r.URL.Path]
	match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case noneMatch == "*" && stands, match != "" && stands && match != standing.ETag:
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case match != "" && !stands:
		fail(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", s.put(r.URL.Path, body, r.Header.Get("X-Amz-Tagging")))
	}
}

func (s *S3) serveCopy(w http.ResponseWriter, r *http.Request, source string) {
	path, err := url.PathUnescape(source)
	o, stands := s.objects["/"+path]
	match := r.Header.Get("X-Amz-Copy-Source-If-Match")
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "InvalidArgument")
	case !stands:
		fail(w, http.StatusNotFound, "NoSuchKey")
	case match != "" && match != o.ETag:
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		_, _ = fmt.Fprintf(w, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>", html.EscapeString(s.put(r.URL.Path, o.Body, r.Header.Get("X-Amz-Tagging"))))
	}
}

// serveList answers with all keys on one page.
func (s *S3) serveList(w http.ResponseWriter, r *http.Request) {
	type content struct {
		Key          string
		LastModified time.Time
		ETag         string
		Size         int
	}
	list := struct {
		XMLName      xml.Name `xml:"ListBucketResult"`
		EncodingType string
		Contents     []content
	}{EncodingType: r.URL.Query().Get("encoding-type")}
	query, bucket := r.URL.Query(), strings.TrimSuffix(r.URL.Path, "/")+"/"
	for _, path := range slices.Sorted(maps.Keys(s.objects)) {
		key, inside := strings.CutPrefix(path, bucket)
		if o := s.objects[path]; inside && strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("start-after") {
			if list.EncodingType == "url" {
				key = url.QueryEscape(key)
			}
			list.Contents = append(list.Contents, content{key, o.Modified, o.ETag, len(o.Body)})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(list)
}

func (s *S3) serveGet(w http.ResponseWriter, r *http.Request) {
	o, stands := s.objects[r.URL.Path]
	if !stands {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	if r.URL.Query().Has("tagging") {
		serveTags(w, o.Tagging)
		return
	}
	w.Header().Set("ETag", o.ETag)
	if match := r.Header.Get("If-Match"); match != "" && match != o.ETag {
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	http.ServeContent(w, r, "", o.Modified, bytes.NewReader(o.Body))
}

func serveTags(w http.ResponseWriter, tagging string) {
	type tag struct{ Key, Value string }
	set := struct {
		XMLName xml.Name `xml:"Tagging"`
		Tags    []tag    `xml:"TagSet>Tag"`
	}{}
	values, _ := url.ParseQuery(tagging)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		set.Tags = append(set.Tags, tag{key, values.Get(key)})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(set)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<Error><Code>%s</Code><Message>%s</Message></Error>`, code, code)
}
