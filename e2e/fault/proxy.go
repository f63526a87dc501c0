package fault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"streamproof/internal/local/emulator"
	"streamproof/internal/stream/kinesistest"
)

// A Kind is what a Proxy does to a call.
type Kind int

// The kinds.
const (
	// Held calls are only seen by the rule's hooks.
	Held Kind = iota
	// LostAnswer: the call goes through, and its connection is reset instead of an answer.
	LostAnswer
	// FailsAfter: the call goes through, and its answer is 500 InternalFailure.
	FailsAfter
	// ThrottledEntries: of a PutRecords call, every second record is refused and the rest goes through.
	ThrottledEntries
	// FailedEntries: every second record answers InternalFailure, and every second of these goes through all the same.
	FailedEntries
)

// An Order is what a Proxy does to some calls.
type Order struct {
	Fault string // the name under which it is counted
	Kind  Kind
	// Operation is an operation of Kinesis, such as PutRecords, or for S3 a method of HTTP.
	Operation string
	// Path must occur in the call's path.
	Path string
	// Times is the number of calls it applies to.
	Times int
	// Before is called before the call goes through, and After before it is answered. Either may be nil.
	Before, After func()
}

// A Proxy stands in front of an endpoint.
type Proxy struct {
	URL string

	server *httptest.Server
	next   *httputil.ReverseProxy

	mu     sync.Mutex
	orders []*Order
	fired  map[string]int
}

// StartProxy starts a proxy in this process.
func StartProxy(upstream string) (*Proxy, error) {
	next, err := passOn(upstream, func(r *httputil.ProxyRequest) {
		r.Out.Host = r.In.Host // what was signed
		r.Out.Header.Set(signedHost, r.In.Host)
	})
	if err != nil {
		return nil, err
	}
	p := &Proxy{fired: map[string]int{}, next: next}
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	return p, nil
}

// passOn passes calls on to an endpoint, changed by rewrite.
func passOn(upstream string, rewrite func(*httputil.ProxyRequest)) (*httputil.ReverseProxy, error) {
	target, err := url.Parse(upstream)
	return &httputil.ReverseProxy{
		// A new connection for each call: an upstream closes a connection that was idle for some seconds, and a call at
		// that moment would break off, a fault that no order asked for.
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			rewrite(r)
		},
		// A call that the upstream does not answer is not answered here either: a 502 would be a fault that no order
		// asked for. Neither is this one, unless the caller gave up: the log says which call it was, and why.
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Printf("fault: %s did not answer %s %s %s: %v", target.Host, r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"), err)
			}
			panic(http.ErrAbortHandler)
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusBadGateway { // microburst's word for the same
				body, err := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				log.Printf("fault: %s answered %s %s with %s: %q", target.Host, r.Request.Method, r.Request.Header.Get("X-Amz-Target"), r.Status, body)
				return err
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0), // it would report the ordered faults
	}, err
}

// Stop ends the proxy.
func (p *Proxy) Stop() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Set replaces all orders.
func (p *Proxy) Set(orders ...Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders = nil
	for _, o := range orders {
		p.orders = append(p.orders, &o)
	}
}

// Fired counts the faults so far.
func (p *Proxy) Fired() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.fired)
}

// order finds the first order for a call.
func (p *Proxy) order(r *http.Request) Order {
	_, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		operation = r.Method
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.orders {
		if o.Times > 0 && o.Operation == operation && strings.Contains(r.URL.Path, o.Path) {
			o.Times--
			p.fired[o.Fault]++
			return *o
		}
	}
	return Order{}
}

// ServeHTTP passes a call on, with the fault of the first order that matches.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o := p.order(r)
	if o.Before != nil {
		o.Before()
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
	}
	if o.Kind == Held && o.After == nil {
		p.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	switch o.Kind {
	case ThrottledEntries, FailedEntries:
		if err := p.entries(answer, r, o.Kind); err != nil {
			panic(http.ErrAbortHandler)
		}
	default:
		p.next.ServeHTTP(answer, r)
	}
	if o.After != nil {
		o.After()
	}
	switch o.Kind {
	case LostAnswer:
		kinesistest.ResetConn(w)
	case FailsAfter:
		body := `{"__type":"InternalFailure","message":"Internal Service Failure"}`
		if r.Header.Get("X-Amz-Target") == "" {
			body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>`
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, body)
	default:
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}
}

// entries lets some entries of a PutRecords call through, and answers for the others by the kind of fault.
func (p *Proxy) entries(w *httptest.ResponseRecorder, r *http.Request, kind Kind) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	request, records, err := readRecords(body)
	if err != nil {
		return err
	}
	var through []json.RawMessage
	for i, record := range records {
		if i%2 == 0 || kind == FailedEntries && i%4 == 1 {
			through = append(through, record)
		}
	}
	if body, err = request.with(through); err != nil {
		return err
	}
	if r, err = signAgain(r, body); err != nil {
		return err
	}
	passed := httptest.NewRecorder()
	p.next.ServeHTTP(passed, r)
	maps.Copy(w.Header(), passed.Header())
	if passed.Code != http.StatusOK {
		w.WriteHeader(passed.Code)
		_, err = w.Write(passed.Body.Bytes())
		return err
	}
	answer, stored, err := readRecords(passed.Body.Bytes())
	if err != nil {
		return err
	}
	said := json.RawMessage(`{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."}`)
	if kind == FailedEntries {
		said = json.RawMessage(`{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}`)
	}
	var all []json.RawMessage
	failed := 0
	for i := range records {
		switch {
		case i%2 == 0:
			all, stored = append(all, stored[0]), stored[1:]
			continue
		case kind == FailedEntries && i%4 == 1:
			stored = stored[1:]
		}
		failed++
		all = append(all, said)
	}
	answer["FailedRecordCount"] = json.RawMessage(strconv.Itoa(failed))
	if body, err = answer.with(all); err != nil {
		return err
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// A message is a request or an answer of PutRecords.
type message map[string]json.RawMessage

func readRecords(body []byte) (m message, records []json.RawMessage, err error) {
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, nil, err
	}
	return m, records, json.Unmarshal(m["Records"], &records)
}

func (m message) with(records []json.RawMessage) (body []byte, err error) {
	if m["Records"], err = json.Marshal(records); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// signAgain replaces a call's body and signs it as root, because the caller's signature covers the original body.
func signAgain(r *http.Request, body []byte) (*http.Request, error) {
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target", "User-Agent"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/") // key/date/region/service/aws4_request
	if len(parts) < 5 {
		return nil, fmt.Errorf("a call without a signature: %q", scope)
	}
	hash := sha256.Sum256(body)
	root := aws.Credentials{AccessKeyID: emulator.AccessKeyID, SecretAccessKey: emulator.SecretAccessKey}
	return again, v4.NewSigner().SignHTTP(r.Context(), root, again, hex.EncodeToString(hash[:]), parts[3], parts[2], time.Now())
}
