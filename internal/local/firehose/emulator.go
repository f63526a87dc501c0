package firehose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	service       = "firehose"
	targetPrefix  = "Firehose_20150804."
	contentType   = "application/x-amz-json-1.1"
	contentSHA256 = "X-Amz-Content-Sha256"
)

// An answer is the emulator's, to be read or passed on.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) asError() *Error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(a.body, &e) != nil || e.Type == "" {
		return &Error{a.status, "InternalFailure", strings.TrimSpace(string(a.body))}
	}
	return &Error{a.status, e.Type[strings.LastIndexByte(e.Type, '#')+1:], e.Message}
}

func (s *Server) call(r *http.Request) (answer, error) {
	response, err := s.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

// signed makes root's request for an operation.
func (s *Server) signed(ctx context.Context, operation string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	c, err := s.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	return r, v4.NewSigner().SignHTTP(ctx, c, r, hash(body), service, s.aws.Region, time.Now())
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// authorize asks the emulator whether the caller may make this call. If not, it returns the emulator's answer to the
// caller.
//
// The emulator gets the call without its records. It checks the signature and the policies before it finds that there
// is nothing to put, and then answers with an InvalidArgumentException. The signature covers the body's length and its
// hash. The hash can be given in a header, and the emptied body is padded to the length of the caller's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *Server) authorize(r *http.Request, operation, stream string, body []byte) (*answer, error) {
	// A number is no data; an empty record would be accepted.
	nothing := map[string]any{"DeliveryStreamName": stream, "Record": map[string]int{"Data": 1}}
	if operation == putRecordBatch {
		nothing = map[string]any{"DeliveryStreamName": stream, "Records": []any{}}
	}
	emptied, err := json.Marshal(nothing)
	if err != nil {
		return nil, err
	}
	if missing := len(body) - len(emptied); missing > 0 {
		emptied = append(emptied, bytes.Repeat([]byte(" "), missing)...)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, s.endpoint+r.URL.RequestURI(), bytes.NewReader(emptied))
	if err != nil {
		return nil, err
	}
	out.Header = r.Header.Clone()
	// These belong to one connection, and are never signed.
	for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Expect"} {
		out.Header.Del(hop)
	}
	out.Host = r.Host // it is signed
	if out.Header.Get(contentSHA256) == "" {
		out.Header.Set(contentSHA256, hash(body))
	}
	a, err := s.call(out)
	if err != nil {
		return nil, fmt.Errorf("ask the emulator whether %s is allowed: %w", operation, err)
	}
	if a.status/100 == 2 || a.status == http.StatusBadRequest && a.asError().Code == invalidArgument {
		return nil, nil
	}
	return &a, nil
}

// doer makes the calls for which the SDK's clients will not do.
func doer(c aws.Config) aws.HTTPClient {
	if c.HTTPClient != nil {
		return c.HTTPClient
	}
	return http.DefaultClient
}
