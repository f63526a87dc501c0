package firehose

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Limits: https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html and
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const (
	maxRecords     = 500
	maxBatch       = 4 * mebibyte // of data, before base64
	maxRecord      = 1000 << 10   // the same
	maxRequestBody = 8 * mebibyte
)

const (
	putRecord      = "PutRecord"
	putRecordBatch = "PutRecordBatch"
)

// Codes of errors: https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html#API_PutRecordBatch_Errors
const (
	invalidArgument    = "InvalidArgumentException"
	serviceUnavailable = "ServiceUnavailableException"
)

// renewBefore is the time left at which a role's credentials are renewed. They last 15 minutes.
const renewBefore = 5 * time.Minute

// An Error is the answer to a call that was refused.
type Error struct {
	Status  int // of HTTP
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Config says where the delivery streams are.
type Config struct {
	AWS aws.Config   // root's, at the emulator: BaseEndpoint is set
	Log *slog.Logger // nil to log nothing
}

// A Server is the data plane of all delivery streams of an emulator.
type Server struct {
	aws      aws.Config
	http     aws.HTTPClient
	endpoint string
	log      *slog.Logger
	hooks    atomic.Pointer[Hooks]

	listener net.Listener
	server   *http.Server

	ctx     context.Context // of all work; ends when the server is ended by force
	force   context.CancelFunc
	closing context.Context // ends when Close begins
	letGo   context.CancelFunc
	began   time.Time
	readers sync.WaitGroup // of sources

	mu      sync.Mutex
	streams map[string]*stream
	roles   map[string]*role
}

// Start listens on a free port of 127.0.0.1.
func Start(c Config) (*Server, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second}
	s.readers.Go(s.followSources)
	go s.server.Serve(s.listener) //nolint:errcheck // it always ends with the error that it was closed
	return s, nil
}

func newServer(c Config) (*Server, error) {
	if c.AWS.BaseEndpoint == nil || c.AWS.Credentials == nil {
		return nil, errors.New("firehose: the emulator's address or root's credentials are missing")
	}
	s := &Server{
		aws:      c.AWS,
		http:     doer(c.AWS),
		endpoint: strings.TrimSuffix(*c.AWS.BaseEndpoint, "/"),
		log:      c.Log,
		streams:  map[string]*stream{},
		roles:    map[string]*role{},
		began:    time.Now(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.hooks.Store(&Hooks{})
	s.ctx, s.force = context.WithCancel(context.Background())
	s.closing, s.letGo = context.WithCancel(context.Background())
	return s, nil
}

// URL is the endpoint of PutRecord and PutRecordBatch.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Stats are what each delivery stream did, by name, for those that received a call.
func (s *Server) Stats() map[string]Stats {
	stats := map[string]Stats{}
	for _, st := range s.started() {
		stats[st.name] = st.stats()
	}
	return stats
}

// Waiting is what each delivery stream holds, by name.
func (s *Server) Waiting() map[string]Waiting {
	waiting := map[string]Waiting{}
	for _, st := range s.started() {
		waiting[st.name] = st.waiting()
	}
	return waiting
}

// started are the streams that have a definition.
func (s *Server) started() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var started []*stream
	for _, st := range s.streams {
		if st.definition.Load() != nil {
			started = append(started, st)
		}
	}
	return started
}

// Close accepts no more records, writes all that it holds and ends. If the context ends first, the rest is lost, and
// the error says how much.
func (s *Server) Close(ctx context.Context) error {
	s.letGo()
	var err error
	if s.server != nil {
		if err = s.server.Shutdown(ctx); err != nil {
			err = errors.Join(err, s.server.Close())
		}
	}
	s.readers.Wait()
	streams := s.started()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all sync.WaitGroup
		for _, st := range streams {
			all.Go(st.end)
		}
		all.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	s.force()
	<-done
	for _, st := range streams {
		if n := st.pending.Load(); n > 0 {
			err = errors.Join(err, fmt.Errorf("delivery stream %s: %d records were not written", st.name, n))
		}
	}
	return err
}

func (s *Server) stream(name string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[name] == nil {
		s.streams[name] = &stream{server: s, name: name}
	}
	return s.streams[name]
}

// A role is one that delivery streams act as.
type role struct {
	credentials *aws.CredentialsCache
	s3          *s3.Client
	lambda      *lambda.Client
	logs        *cloudwatchlogs.Client
	kinesis     *kinesis.Client
}

// role assumes a role as Firehose does, with the account as the external ID.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#firehose-assume-role
func (s *Server) role(arn, account string) *role {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[arn] == nil {
		c := s.aws.Copy()
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(c), arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "AWSFirehoseToS3"
			o.ExternalID = &account
		})
		cache := aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewBefore })
		c.Credentials = cache
		s.roles[arn] = &role{cache, s3.NewFromConfig(c), lambda.NewFromConfig(c, func(o *lambda.Options) {
			o.Retryer = aws.NopRetryer{} // the attempts are counted in transform.go
		}), cloudwatchlogs.NewFromConfig(c), kinesis.NewFromConfig(c)}
	}
	return s.roles[arn]
}

// ServeHTTP answers PutRecord and PutRecordBatch.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, denied, err := s.serve(r)
	w.Header().Set("X-Amzn-Requestid", rand.Text())
	var refused *Error
	switch {
	case denied != nil:
		for _, name := range []string{"Content-Type", "X-Amzn-Errortype"} {
			if value := denied.header.Get(name); value != "" {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(denied.status)
		_, _ = w.Write(denied.body)
		return
	case errors.Is(err, errLost):
		panic(http.ErrAbortHandler)
	case errors.As(err, &refused):
	case err != nil:
		s.log.Error("a call failed", "error", err)
		refused = &Error{http.StatusServiceUnavailable, serviceUnavailable, err.Error()}
	}
	status, body := http.StatusOK, out
	if refused != nil {
		status, body = refused.Status, map[string]string{"__type": refused.Code, "message": refused.Message}
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that misses it cannot tell what was accepted
}

// errLost reports that records were accepted and the answer must not arrive.
var errLost = errors.New("the answer is lost")

func invalid(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, invalidArgument, fmt.Sprintf(format, args...)}
}

type (
	input struct {
		DeliveryStreamName string
		Record             *entry  // of PutRecord
		Records            []entry // of PutRecordBatch
	}
	entry struct{ Data []byte } // nil if missing

	// output is the answer to a batch, its entries in the order of the request's.
	output struct {
		FailedPutCount   int
		Encrypted        bool
		RequestResponses []outcome
	}
	outcome struct {
		RecordID     string `json:"RecordId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	singleOutput struct {
		RecordID  string `json:"RecordId"`
		Encrypted bool
	}
)

// serve accepts the records of a call. The answer, if any, is the emulator's refusal of a caller.
func (s *Server) serve(r *http.Request) (any, *answer, error) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if r.Method != http.MethodPost || !ok || operation != putRecord && operation != putRecordBatch {
		return nil, nil, &Error{http.StatusBadRequest, "UnknownOperationException",
			fmt.Sprintf("%s %s: this endpoint is for PutRecord and PutRecordBatch only; the emulator has the rest", r.Method, r.Header.Get("X-Amz-Target"))}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
	if err != nil {
		return nil, nil, err
	}
	if len(body) > maxRequestBody {
		return nil, nil, invalid("the request has more than %d bytes", maxRequestBody)
	}
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, nil, &Error{http.StatusBadRequest, "SerializationException", err.Error()}
	}
	if operation == putRecord {
		in.Records = nil
		if in.Record != nil {
			in.Records = []entry{*in.Record}
		}
	}
	denied, err := s.authorize(r, operation, in.DeliveryStreamName, body)
	if denied != nil || err != nil {
		return nil, denied, err
	}
	hooks := s.hooks.Load()
	if hooks.Call != nil {
		if refused := hooks.Call(in.DeliveryStreamName); refused != nil {
			return nil, nil, refused
		}
	}
	if err := check(in); err != nil {
		return nil, nil, err
	}
	st := s.stream(in.DeliveryStreamName)
	d, err := st.look(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if d.source != nil {
		return nil, nil, invalid("This operation is not permitted on KinesisStreamAsSource delivery stream type.")
	}
	out := st.putAll(d, in.Records, hooks.Entry)
	if hooks.Answer != nil && hooks.Answer(st.name) {
		return nil, nil, errLost
	}
	if operation == putRecord {
		o := out.RequestResponses[0]
		if o.ErrorCode != "" {
			return nil, nil, &Error{http.StatusServiceUnavailable, o.ErrorCode, o.ErrorMessage}
		}
		return singleOutput{o.RecordID, out.Encrypted}, nil, nil
	}
	return out, nil, nil
}

// check holds a call to the limits. The call is refused entirely.
func check(in input) error {
	switch {
	case in.DeliveryStreamName == "":
		return invalid("DeliveryStreamName is missing")
	case len(in.Records) == 0:
		return invalid("at least one record is required")
	case len(in.Records) > maxRecords:
		return invalid("%d records, and %d are allowed", len(in.Records), maxRecords)
	}
	total := 0
	for i, e := range in.Records {
		switch n := len(e.Data); {
		case e.Data == nil:
			return invalid("record %d has no Data", i)
		case n > maxRecord:
			return invalid("record %d has %d bytes, and %d are allowed", i, n, maxRecord)
		default:
			total += n
		}
	}
	if total > maxBatch {
		return invalid("the records have %d bytes, and %d are allowed", total, maxBatch)
	}
	return nil
}

// putAll accepts the entries, except those that the hook refuses.
func (s *stream) putAll(d *definition, entries []entry, refuse func(string, int) string) output {
	out := output{Encrypted: d.encrypted, RequestResponses: make([]outcome, len(entries))}
	now, id := time.Now(), rand.Text()
	records := make([]record, 0, len(entries))
	for i, e := range entries {
		if refuse != nil {
			if code := refuse(s.name, i); code != "" {
				out.FailedPutCount++
				out.RequestResponses[i] = outcome{ErrorCode: code, ErrorMessage: "refused by a hook"}
				continue
			}
		}
		out.RequestResponses[i].RecordID = fmt.Sprintf("%s%06d", id, i)
		records = append(records, record{data: e.Data, arrived: now})
	}
	s.take(records)
	return out
}
