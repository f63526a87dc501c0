package firehose

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const streamName = "delivery"

// A fake is a stand-in for the emulator, without a network: time can stand still around it.
type fake struct {
	mu           sync.Mutex
	description  map[string]any // of the one stream's destination; nil for none
	version      int
	describes    int
	authorized   []*http.Request
	denied       bool // puts
	assumed      []string
	assumeDenied bool
	writesDenied bool
	objects      []object
	events       []event
	logged       []string // calls of PutLogEvents
	function     func(event) (payload string, functionError bool)
}

type object struct {
	key, body, encoding, credential string
	at                              time.Time
}

func newFake() *fake {
	return &fake{version: 1, description: map[string]any{
		"BucketARN":         "arn:aws:s3:::bucket",
		"RoleARN":           "arn:aws:iam::000000000000:role/delivery",
		"Prefix":            "data/!{timestamp:yyyy/MM/dd/HH}/",
		"ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
		"BufferingHints":    map[string]any{"SizeInMBs": "1", "IntervalInSeconds": "60"},
		"CompressionFormat": "UNCOMPRESSED",
		"S3BackupMode":      "Disabled",
	}}
}

// set changes a member of the description, which makes another version of the stream.
func (f *fake) set(name string, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.description[name] = value
	f.version++
}

func processing(parameters ...any) map[string]any {
	list := []map[string]any{{"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:eu-west-1:000000000000:function:f"}}
	for i := 0; i < len(parameters); i += 2 {
		list = append(list, map[string]any{"ParameterName": parameters[i], "ParameterValue": parameters[i+1]})
	}
	return map[string]any{"Enabled": true, "Processors": []any{map[string]any{"Type": "Lambda", "Parameters": list}}}
}

// start makes a server that can reach only the fake. A test may close it itself.
func (f *fake) start(t *testing.T) *Server {
	t.Helper()
	s, err := newServer(Config{AWS: aws.Config{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String("http://127.0.0.1:1"),
		Credentials:  credentials.NewStaticCredentialsProvider("root", "root", ""),
		HTTPClient:   f,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func (f *fake) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	status, header, answer := f.answer(r, body)
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)), Request: r}, nil
}

func (f *fake) answer(r *http.Request, body []byte) (int, http.Header, string) {
	header := http.Header{"Content-Type": {contentType}}
	fail := func(status int, code string) (int, http.Header, string) {
		return status, header, fmt.Sprintf(`{"__type":%q,"message":"said by the fake"}`, code)
	}
	target := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	switch {
	case target == "DescribeDeliveryStream":
		f.describes++
		if f.description == nil || !strings.Contains(string(body), `"`+streamName+`"`) {
			return fail(http.StatusBadRequest, "ResourceNotFoundException")
		}
		answer, err := json.Marshal(map[string]any{"DeliveryStreamDescription": map[string]any{
			"DeliveryStreamName": streamName, "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:000000000000:deliverystream/" + streamName,
			"DeliveryStreamStatus": "ACTIVE", "DeliveryStreamType": "DirectPut", "VersionId": fmt.Sprint(f.version),
			"CreateTimestamp": 1.5, "LastUpdateTimestamp": 1.5, "HasMoreDestinations": false,
			"Destinations":                          []any{map[string]any{"DestinationId": "d", "ExtendedS3DestinationDescription": f.description}},
			"DeliveryStreamEncryptionConfiguration": map[string]any{"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK"},
		}})
		if err != nil {
			panic(err)
		}
		return http.StatusOK, header, string(answer)
	case target == putRecord || target == putRecordBatch:
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.authorized = append(f.authorized, r)
		if f.denied {
			return fail(http.StatusForbidden, "AccessDeniedException")
		}
		return fail(http.StatusBadRequest, invalidArgument)
	case target == "Logs_20140328.PutLogEvents":
		f.logged = append(f.logged, string(body))
		return http.StatusOK, header, "{}"
	case strings.Contains(string(body), "Action=AssumeRole"):
		f.assumed = append(f.assumed, string(body))
		if f.assumeDenied {
			return http.StatusForbidden, header, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>`
		}
		return http.StatusOK, header, fmt.Sprintf(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>SESSION%d</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			len(f.assumed), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		var e event
		if err := json.Unmarshal(body, &e); err != nil {
			panic(err)
		}
		f.events = append(f.events, e)
		payload, functionError := f.function(e)
		if functionError {
			header.Set("X-Amz-Function-Error", "Unhandled")
		}
		return http.StatusOK, header, payload
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/bucket/"):
		if f.writesDenied {
			return http.StatusForbidden, header, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`
		}
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		credential, _, _ = strings.Cut(credential, "/")
		f.objects = append(f.objects, object{strings.TrimPrefix(r.URL.Path, "/bucket/"), string(body), r.Header.Get("Content-Encoding"), credential, time.Now()})
		return http.StatusOK, header, ""
	}
	return fail(http.StatusNotImplemented, r.Method+" "+r.URL.Path)
}

// written are the objects under a prefix, in the order of their writing.
func (f *fake) written(prefix string) []object {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []object
	for _, o := range f.objects {
		if strings.HasPrefix(o.key, prefix) {
			found = append(found, o)
		}
	}
	return found
}

// bodies are what is in the objects under a prefix, with gzip undone.
func (f *fake) bodies(t *testing.T, prefix string) []string {
	t.Helper()
	var bodies []string
	for _, o := range f.written(prefix) {
		body := o.body
		if o.encoding == "gzip" {
			r, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// post makes a call and reads its answer; the status is 0 where the connection breaks.
func post(s *Server, operation string, body any) (status int, answer map[string]any) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // it is panicked with as it is
			status = 0
		} else if p != nil {
			panic(p)
		}
	}()
	data, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		data = string(encoded)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(data))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		panic(err)
	}
	return w.Code, answer
}

func batch(records ...string) map[string]any {
	list := make([]map[string]string, len(records))
	for i, r := range records {
		list[i] = map[string]string{"Data": base64.StdEncoding.EncodeToString([]byte(r))}
	}
	return map[string]any{"DeliveryStreamName": streamName, "Records": list}
}

func put(t *testing.T, s *Server, records ...string) {
	t.Helper()
	if status, answer := post(s, putRecordBatch, batch(records...)); status != http.StatusOK || answer["FailedPutCount"] != 0.0 {
		t.Fatalf("got %d %v, want the records taken", status, answer)
	}
}
