package managedflink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/jsonfile"
	"streamproof/internal/local/runner"
)

const (
	targetPrefix   = "KinesisAnalytics_20180523."
	contentType    = "application/x-amz-json-1.1"
	maxRequestBody = 1 << 20
	stepEvery      = 200 * time.Millisecond
	callTimeout    = 10 * time.Second
)

// Codes of errors:
// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_UpdateApplication.html#API_UpdateApplication_Errors
const (
	resourceInUse    = "ResourceInUseException"
	invalidArgument  = "InvalidArgumentException"
	invalidRequest   = "InvalidRequestException"
	invalidConfig    = "InvalidApplicationConfigurationException"
	notFound         = "ResourceNotFoundException"
	unsupported      = "UnsupportedOperationException"
	unknownOperation = "UnknownOperationException"
)

// An Error is the answer to a call that was refused.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// Config says where the applications are.
type Config struct {
	AWS    aws.Config // root's, at the emulator itself
	Listen string     // an address of 127.0.0.1
	Dir    string     // for the server's own file
	// Job returns the state of an application's job, zero until a runner has it.
	Job func(application string) (runner.Status, error)
	Log *slog.Logger // nil to log nothing
}

// A Server is Managed Flink in front of an emulator.
type Server struct {
	Config
	endpoint string // the emulator's
	client   *kinesisanalyticsv2.Client
	iam      *iam.Client
	sts      *sts.Client
	metrics  *cloudwatch.Client
	logs     *cloudwatchlogs.Client

	listener net.Listener
	server   *http.Server
	stop     context.CancelFunc
	stopped  chan struct{}

	mu           sync.Mutex // held for a call, or a step
	applications map[string]*application
}

// Start starts a server, which continues where an earlier one ended in the same directory.
func Start(c Config) (*Server, error) {
	if c.AWS.BaseEndpoint == nil {
		return nil, errors.New("managedflink: the emulator's address is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		Config:   c,
		endpoint: strings.TrimSuffix(*c.AWS.BaseEndpoint, "/"),
		client:   kinesisanalyticsv2.NewFromConfig(c.AWS),
		iam:      iam.NewFromConfig(c.AWS),
		sts:      sts.NewFromConfig(c.AWS),
		metrics:  cloudwatch.NewFromConfig(c.AWS, func(o *cloudwatch.Options) { o.DisableRequestCompression = true }),
		logs:     cloudwatchlogs.NewFromConfig(c.AWS),
		stopped:  make(chan struct{}),

		applications: map[string]*application{},
	}
	_, err := jsonfile.Read(s.file(), &s.applications)
	if err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second}
	go s.server.Serve(s.listener) //nolint:errcheck // it always ends with the error that it was closed
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go s.follow(ctx)
	return s, nil
}

func (s *Server) file() string { return filepath.Join(s.Dir, "applications.json") }

// URL is the service's endpoint.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the server.
func (s *Server) Close() error {
	s.stop()
	<-s.stopped
	return s.server.Close()
}

// Applications are the names of the applications.
func (s *Server) Applications() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, a := range s.applications {
		if a.Known {
			names = append(names, name)
		}
	}
	return names
}

// application returns the application of that name, a new one if there is none.
func (s *Server) application(name string) *application {
	if s.applications[name] == nil {
		s.applications[name] = &application{}
	}
	return s.applications[name]
}

func (s *Server) save() error { return jsonfile.Write(s.file(), s.applications) }

// ServeHTTP answers the service's calls and CloudFormation's questions.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == emulator.GatePath {
		err = s.gate(r.Context(), body)
		s.answer(w, answer{status: http.StatusOK, body: []byte("{}")}, err)
		return
	}
	a, err := s.call(r, body)
	s.answer(w, a, err)
}

// answer writes the emulator's answer to a call, or an error.
func (s *Server) answer(w http.ResponseWriter, a answer, err error) {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		a.status = http.StatusBadRequest
		a.body, _ = json.Marshal(map[string]string{"__type": refused.Code, "message": refused.Message})
	case err != nil:
		s.Log.Error("a call failed", "error", err)
		a.status = http.StatusInternalServerError
		a.body, _ = json.Marshal(map[string]string{"__type": "InternalFailure", "message": err.Error()})
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that misses it will ask again
}

// An answer is the emulator's.
type answer struct {
	status int
	body   []byte
}

func (a answer) ok() bool { return a.status/100 == 2 }

// pass passes a call on to the emulator, which authenticates and authorizes the caller.
func (s *Server) pass(r *http.Request, body []byte) (answer, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, s.endpoint+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	out.Header = r.Header.Clone()
	out.Host = r.Host // it is signed
	response, err := http.DefaultClient.Do(out)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, data}, err
}

// may asks the emulator whether the caller may make a call that the emulator does not implement. If not, the answer is
// not ok.
func (s *Server) may(r *http.Request, body []byte) (answer, error) {
	a, err := s.pass(r, body)
	var e struct {
		Type string `json:"__type"`
	}
	if err == nil && json.Unmarshal(a.body, &e) == nil && strings.HasSuffix(e.Type, unknownOperation) {
		a = answer{status: http.StatusOK}
	}
	return a, err
}

// input has the members of calls that matter here.
type input struct {
	ApplicationName             string
	Force                       bool
	CurrentApplicationVersionId *int64  //nolint:revive // the service's name
	ConditionalToken            *string //
	OperationId                 string  //nolint:revive // the service's name
	Limit                       int
	Operation                   string
	OperationStatus             types.OperationStatus
}

func (s *Server) call(r *http.Request, body []byte) (answer, error) {
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if r.Method != http.MethodPost || !ok {
		return answer{}, refuse(unknownOperation, "%s %s: this endpoint is Managed Flink's", r.Method, r.Header.Get("X-Amz-Target"))
	}
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return answer{}, refuse("SerializationException", "%v", err)
	}
	if in.ApplicationName == "" { // a call about tags, or a faulty one
		return s.pass(r, body)
	}
	out, err := s.dispatch(r, body, action, in, s.application(in.ApplicationName))
	if err == nil {
		err = s.save()
	}
	return out, err
}

func (s *Server) dispatch(r *http.Request, body []byte, action string, in input, a *application) (answer, error) {
	ctx := r.Context()
	switch action {
	case "DescribeApplication":
		out, err := s.pass(r, body)
		if err != nil || !out.ok() {
			return out, err
		}
		a.Known = true
		return describe(out, a)
	case "ListApplicationOperations", "DescribeApplicationOperation":
		if out, err := s.may(r, body); err != nil || !out.ok() {
			return out, err
		}
		if action == "ListApplicationOperations" {
			return encode(listOperations(a, in))
		}
		o := a.operation(in.OperationId)
		if o == nil {
			return answer{}, refuse(notFound, "operation %s of application %s does not exist", in.OperationId, in.ApplicationName)
		}
		return encode(map[string]any{"ApplicationOperationInfoDetails": o.details()})
	case "CreateApplicationSnapshot":
		return answer{}, refuse(unsupported, "the local stack takes a snapshot when an application is stopped or updated, not while it runs")
	}
	detail, err := s.detail(ctx, in.ApplicationName)
	if err != nil {
		return answer{}, err
	}
	if detail == nil { // the emulator reports that, or creates it
		return s.pass(r, body)
	}
	status := a.status(detail.ApplicationStatus)
	if err := s.rule(a, detail, action, in.Force); err != nil {
		return answer{}, err
	}
	switch kind(action) {
	case start, stop:
		out, err := s.pass(r, body)
		if err != nil || !out.ok() {
			return out, err
		}
		o := a.begin(kind(action))
		if o.Force = in.Force; kind(action) == stop && !in.Force && takesSnapshots(detail) {
			if o.Snapshot, err = s.newestSnapshot(ctx, in.ApplicationName); err != nil {
				return out, err
			}
		}
		return withOperation(out, o)
	case update:
		if in.CurrentApplicationVersionId == nil && in.ConditionalToken == nil {
			return answer{}, refuse(invalidArgument, "either CurrentApplicationVersionId or ConditionalToken is required")
		}
		out, err := s.pass(r, body)
		if err != nil || !out.ok() {
			return out, err
		}
		o := a.beginUpdate(detail, status)
		if out, err = describe(out, a); err != nil {
			return out, err
		}
		return withOperation(out, o)
	case rollback:
		if out, err := s.may(r, body); err != nil || !out.ok() {
			return out, err
		}
		o, err := s.rollBack(ctx, in.ApplicationName, a, detail)
		if err != nil {
			return answer{}, err
		}
		return encode(map[string]any{"OperationId": o.ID})
	}
	out, err := s.pass(r, body)
	if action == "DeleteApplication" && err == nil && out.ok() {
		delete(s.applications, in.ApplicationName)
	}
	return out, err
}

// beginUpdate starts an update, which ends at once if the application is stopped.
func (a *application) beginUpdate(detail *types.ApplicationDetail, status types.ApplicationStatus) *operation {
	o := a.begin(update)
	o.From = aws.ToInt64(detail.ApplicationVersionId)
	o.To = o.From + 1
	if status == types.ApplicationStatusReady {
		o.end(types.OperationStatusSuccessful, "")
	}
	return o
}

// rule refuses what the service would refuse in the current state of the application and its job.
func (s *Server) rule(a *application, detail *types.ApplicationDetail, action string, force bool) error {
	name, status := aws.ToString(detail.ApplicationName), a.status(detail.ApplicationStatus)
	var from []types.ApplicationStatus
	snapshot := false // the action starts with a snapshot if the application runs
	switch kind(action) {
	case start:
		from = []types.ApplicationStatus{types.ApplicationStatusReady}
	case stop:
		// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_StopApplication.html
		if from, snapshot = []types.ApplicationStatus{types.ApplicationStatusRunning}, !force; force {
			from = append(from, types.ApplicationStatusStarting, types.ApplicationStatusUpdating, types.ApplicationStatusStopping, types.ApplicationStatusAutoscaling)
		}
	case rollback:
		// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_RollbackApplication.html
		from = []types.ApplicationStatus{types.ApplicationStatusUpdating, types.ApplicationStatusAutoscaling, types.ApplicationStatusRunning}
	case update, "AddApplicationCloudWatchLoggingOption", "DeleteApplicationCloudWatchLoggingOption":
		from, snapshot = []types.ApplicationStatus{types.ApplicationStatusReady, types.ApplicationStatusRunning}, true
	case "DeleteApplication":
		from = []types.ApplicationStatus{types.ApplicationStatusReady, types.ApplicationStatusRunning}
	default:
		return nil
	}
	if !slices.Contains(from, status) {
		return refuse(resourceInUse, "%s: application %s is %s, not one of %v", action, name, status, from)
	}
	if !snapshot || status != types.ApplicationStatusRunning || !takesSnapshots(detail) {
		return nil
	}
	if job, err := s.Job(name); err != nil || job.RunsSince == nil {
		// https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-symptoms.html#troubleshooting-rt-appconfigexception
		return refuse(invalidConfig, "Failed to take snapshot for the application %s at this moment. The application is currently experiencing downtime.", name)
	}
	return nil
}

func takesSnapshots(detail *types.ApplicationDetail) bool {
	c := detail.ApplicationConfigurationDescription
	return c != nil && c.ApplicationSnapshotConfigurationDescription != nil && aws.ToBool(c.ApplicationSnapshotConfigurationDescription.SnapshotsEnabled)
}

// detail is the emulator's description of an application, nil if there is none.
func (s *Server) detail(ctx context.Context, name string) (*types.ApplicationDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := s.client.DescribeApplication(ctx, &kinesisanalyticsv2.DescribeApplicationInput{ApplicationName: &name})
	switch {
	case errors.As(err, new(*types.ResourceNotFoundException)):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("describe application %s: %w", name, err)
	}
	return out.ApplicationDetail, nil
}

// describe puts the status into the emulator's description of an application.
func describe(out answer, a *application) (answer, error) {
	return edit(out, func(body map[string]any) {
		if detail, ok := body["ApplicationDetail"].(map[string]any); ok {
			emulated, _ := detail["ApplicationStatus"].(string)
			detail["ApplicationStatus"] = a.status(types.ApplicationStatus(emulated))
		}
	})
}

func withOperation(out answer, o *operation) (answer, error) {
	return edit(out, func(body map[string]any) { body["OperationId"] = o.ID })
}

func edit(out answer, change func(body map[string]any)) (answer, error) {
	decoder := json.NewDecoder(bytes.NewReader(out.body))
	decoder.UseNumber()
	var body map[string]any
	if err := decoder.Decode(&body); err != nil {
		return out, fmt.Errorf("read the emulator's answer: %w", err)
	}
	change(body)
	return encode(body)
}

func encode(body any) (answer, error) {
	data, err := json.Marshal(body)
	return answer{http.StatusOK, data}, err
}

func seconds(t time.Time) json.Number {
	return json.Number(fmt.Sprintf("%.3f", float64(t.UnixMilli())/1000))
}

func (o *operation) info() map[string]any {
	m := map[string]any{"Operation": o.Kind, "OperationId": o.ID, "OperationStatus": o.Status, "StartTime": seconds(o.Start)}
	if !o.End.IsZero() {
		m["EndTime"] = seconds(o.End)
	}
	return m
}

func (o *operation) details() map[string]any {
	m := o.info()
	delete(m, "OperationId")
	if o.To > 0 {
		m["ApplicationVersionChangeDetails"] = map[string]any{"ApplicationVersionUpdatedFrom": o.From, "ApplicationVersionUpdatedTo": o.To}
	}
	if o.Status == types.OperationStatusFailed {
		failure := map[string]any{"ErrorInfo": map[string]any{"ErrorString": o.Error}}
		if o.RollbackID != "" {
			failure["RollbackOperationId"] = o.RollbackID
		}
		m["OperationFailureDetails"] = failure
	}
	return m
}

func listOperations(a *application, in input) map[string]any {
	list := []map[string]any{}
	for _, o := range slices.Backward(a.Operations) {
		if (in.Operation == "" || in.Operation == string(o.Kind)) && (in.OperationStatus == "" || in.OperationStatus == o.Status) &&
			(in.Limit == 0 || len(list) < in.Limit) {
			list = append(list, o.info())
		}
	}
	return map[string]any{"ApplicationOperationInfoList": list}
}
