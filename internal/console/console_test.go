package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"streamproof/internal/explain"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/stack/stacktest"
)

// A console of a stack, and a browser that has opened its address.
type opened struct {
	*Server
	world   *stacktest.World
	browser *http.Client
	root    string       // the page's address
	gone    atomic.Bool  // the stack
	looks   atomic.Int64 // at the schedule: one for each look at the stack
}

func serveWorld(t *testing.T, write bool) *opened {
	t.Helper()
	world, _ := stacktest.New(t)
	return serveProject(t, world, write, "")
}

// serveProject serves the console of a stack with a project's pipeline folder.
func serveProject(t *testing.T, world *stacktest.World, write bool, folder string) *opened {
	t.Helper()
	o := &opened{world: world}
	o.world.Before = func(call string) bool {
		if call == "GetSchedule" {
			o.looks.Add(1)
		}
		return o.gone.Load()
	}
	found := o.world.Open()
	var err error
	o.Server, err = ServeStack(Stack{
		Name: "streamproof", Region: "eu-west-1", Wait: time.Hour, Folder: folder, Deployment: []string{"make deploy"},
		Plan: func(_ context.Context, _ []byte, sql string) ([]flink.Fault, error) {
			if strings.Contains(sql, "'refused'") {
				return []flink.Fault{{Line: 1, Column: 1, Message: "refused"}}, nil
			}
			return nil, nil
		},
		Open: func(context.Context) (*stack.Stack, *local.Stack, error) {
			if o.gone.Load() {
				return nil, nil, errors.New("no local stack runs")
			}
			return found, nil, nil
		},
	}, Options{Write: write})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	o.visit(t)
	return o
}

// visit opens the address in a browser.
func (o *opened) visit(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.browser = &http.Client{Jar: jar}
	response, err := o.browser.Get(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if o.root = response.Request.URL.String(); response.StatusCode != http.StatusOK {
		t.Fatalf("got %s for the page, want OK", response.Status)
	}
}

// post asks for an operation, and returns it when it has ended.
func (o *opened) post(t *testing.T, route, body string) (status int, ended Operation) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.root+"api/"+route, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Streamproof", "1")
	response, err := o.browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return response.StatusCode, ended
	}
	if err := json.NewDecoder(response.Body).Decode(&ended); err != nil {
		t.Fatal(err)
	}
	for ended.State == "" || ended.State == running {
		o.get(t, "api/operation?id="+ended.ID, &ended)
	}
	return response.StatusCode, ended
}

func (o *opened) get(t *testing.T, route string, into any) {
	t.Helper()
	response, err := o.browser.Get(o.root + route)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %s: %v", route, data, err)
	}
}

// watch opens a page, and returns the function that waits for its next event.
func (o *opened) watch(t *testing.T, topics string) (next func() (topic, data string), leave func()) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.root+"events?topics="+topics, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := o.browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(); _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %s for the events, want OK", response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<24)
	return func() (topic, data string) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				topic = value
			case "data":
				return topic, value
			}
		}
		t.Fatalf("the events of %s ended: %v", topics, lines.Err())
		return "", ""
	}, leave
}

func TestGuard(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	at, err := url.Parse(o.root)
	if err != nil {
		t.Fatal(err)
	}
	cookie := o.browser.Jar.Cookies(at)
	if len(cookie) != 1 {
		t.Fatalf("got %d cookies at %s, want 1", len(cookie), o.root)
	}
	port := at.Port()
	ok := func(*http.Request) {}
	tests := map[string]struct {
		method, path string
		change       func(*http.Request)
		want         int
	}{
		"the page":                          {"GET", at.Path, ok, 200},
		"by another name of this machine":   {"GET", at.Path, func(r *http.Request) { r.Host = "localhost:" + port }, 200},
		"without the cookie":                {"GET", at.Path, func(r *http.Request) { r.Header.Del("Cookie") }, 403},
		"another user's cookie":             {"GET", at.Path, func(r *http.Request) { r.Header.Set("Cookie", cookieName+"=guess") }, 403},
		"the events, without the cookie":    {"GET", at.Path + "events?topics=flow", func(r *http.Request) { r.Header.Del("Cookie") }, 403},
		"a script, without the cookie":      {"GET", at.Path + "app.js", func(r *http.Request) { r.Header.Del("Cookie") }, 403},
		"outside the page's path":           {"GET", "/api/about", ok, 403},
		"without a token":                   {"GET", "/", ok, 403},
		"with a wrong token":                {"GET", "/?token=guess", ok, 403},
		"with an empty token":               {"GET", "/?token=", ok, 403},
		"DNS rebinding":                     {"GET", at.Path + "api/about", func(r *http.Request) { r.Host = "evil.example:" + port }, 421},
		"DNS rebinding, without a port":     {"GET", at.Path + "api/about", func(r *http.Request) { r.Host = "evil.example" }, 421},
		"the name of another port":          {"GET", at.Path + "api/about", func(r *http.Request) { r.Host = "127.0.0.1:1" }, 421},
		"another site asks":                 {"GET", at.Path + "api/about", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"another port of this host asks":    {"GET", at.Path + "api/about", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"a sandboxed page asks":             {"GET", at.Path + "api/about", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"another site loads it":             {"GET", at.Path + "app.js", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another port loads it":             {"GET", at.Path + "app.js", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"the page loads it":                 {"GET", at.Path + "app.js", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"a form of another site":            {"POST", at.Path + "api/produce", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"without the page's header":         {"POST", at.Path + "api/produce", func(r *http.Request) { r.Header.Del("X-Streamproof") }, 403},
		"another site posts":                {"POST", at.Path + "api/produce", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another site posts by a form":      {"POST", at.Path + "api/produce", navigates, 403},
		"another site saves a schema":       {"POST", at.Path + "api/schema", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"another port samples the stream":   {"POST", at.Path + "api/discover", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"a method that nothing is asked by": {"DELETE", at.Path + "api/produce", ok, 405},
		"what is not there":                 {"GET", at.Path + "api/nothing", ok, 404},
		"a file outside":                    {"GET", at.Path + "..%2f..%2fserver.go", ok, 404},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1:"+port+test.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(cookie[0])
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Streamproof", "1")
			test.change(r)
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if got := response.StatusCode; got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
			for header, want := range map[string]string{
				"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			} {
				if header == "Cache-Control" && response.StatusCode == http.StatusNotFound {
					continue // net/http drops it, and there is nothing to be cached
				}
				if got := response.Header.Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
		})
	}
}

func navigates(r *http.Request) {
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
}

func TestCookie(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, false)
	response, err := http.DefaultTransport.RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodGet, o.URL, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all := response.Cookies()
	if response.StatusCode != http.StatusSeeOther || len(all) != 1 {
		t.Fatalf("got %s with %d cookies, want 303 with one", response.Status, len(all))
	}
	c := all[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("got cookie %s, want HttpOnly and SameSite=Strict", c)
	}
	if c.Path != response.Header.Get("Location") || len(c.Path) < 20 {
		t.Errorf("got path %s, want the page's, which other ports cannot name", c.Path)
	}
	if strings.Contains(c.Value+c.Path, strings.TrimPrefix(o.URL[strings.Index(o.URL, "token="):], "token=")) {
		t.Error("the cookie has the token")
	}
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

// TestOnePoller: ten pages cost as many calls as one.
func TestOnePoller(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, false)
	for range 10 {
		next, _ := o.watch(t, "flow,report")
		for seen := map[string]bool{}; !seen["flow"] || !seen["report"]; {
			topic, _ := next()
			seen[topic] = true
		}
		var flow map[string]any
		o.get(t, "api/flow", &flow)
		if flow["connected"] != true {
			t.Fatalf("got the flow %v, want that it is connected", flow)
		}
	}
	if got := o.looks.Load(); got != 1 {
		t.Errorf("ten pages looked at the stack %d times, want 1", got)
	}
}

// TestNobodyWatches: without a page nothing is read.
func TestNobodyWatches(t *testing.T) {
	t.Parallel()
	reads := make(chan context.Context, 2)
	watched := &topic{name: "t", linger: time.Millisecond, read: func(ctx context.Context, publish func(any)) {
		publish("state")
		reads <- ctx
	}}
	w := newWatcher()
	watched.watch(w)
	first := <-reads
	watched.leave(w)
	<-first.Done()
	watched.watch(w)
	defer watched.leave(w)
	second := <-reads
	if err := second.Err(); err != nil {
		t.Errorf("the topic is not read although it is watched: %v", err)
	}
}

// TestGone: a stack that goes and comes back is followed on the same page.
func TestGone(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, false)
	next, _ := o.watch(t, "flow")
	subject := o.subject.(*stackSubject)
	await := func(connected bool) {
		t.Helper()
		for {
			_, data := next()
			var f struct {
				Connected bool   `json:"connected"`
				Error     string `json:"error"`
				Stack     string `json:"stack"`
			}
			if err := json.Unmarshal([]byte(data), &f); err != nil {
				t.Fatal(err)
			}
			if f.Connected == connected {
				if (f.Error == "") != connected || f.Stack != "streamproof" {
					t.Errorf("got %+v, want the error while it is gone, and always the stack", f)
				}
				return
			}
			subject.changed()
		}
	}
	await(true)
	o.gone.Store(true)
	subject.changed()
	await(false)
	subject.changed()
	await(false)
	o.gone.Store(false)
	subject.changed()
	await(true)
}

func TestOperations(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	if status, got := o.post(t, "produce", `{"records": 5, "poison": 9}`); status != http.StatusAccepted || got.State != failed || !strings.Contains(got.Error, "poison is 9") {
		t.Errorf("got %d, %+v, want that 9 of 5 records are refused", status, got)
	}
	if _, got := o.post(t, "produce", `{"records": 5}`); got.State != done || len(got.Steps) != 1 || got.Steps[0].State != done {
		t.Errorf("got %+v, want a tick in one step", got)
	}
	_, got := o.post(t, "verify", `{}`)
	var r report.Report
	if err := json.Unmarshal(got.Result, &r); err != nil || r.Verdict != "PROVEN" {
		t.Errorf("got %+v, %v, want a report that is PROVEN", got, err)
	}
	if status, _ := o.post(t, "verify", `{"full": "yes"}`); status != http.StatusBadRequest {
		t.Errorf("got %d for a request that is none, want 400", status)
	}
	next, _ := o.watch(t, "operations")
	_, data := next()
	if strings.Contains(data, `"result"`) || !strings.Contains(data, `"hasResult":true`) {
		t.Errorf("got %s, want operations without their results", data)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, false)
	for _, route := range []string{"produce", "verify", "accept", "pause", "resume", "query/run", "repair", "delivery", "schema"} {
		if status, _ := o.post(t, route, `{}`); status != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", route, status)
		}
	}
	if len(o.world.Calls) > 0 {
		t.Errorf("got the calls %v, want none", o.world.Calls)
	}
	var about About
	o.get(t, "api/about", &about)
	if about.Write || about.ReadOnlyReason == "" {
		t.Errorf("got %+v, want read-only and why", about)
	}
}

// TestOneChange: of the operations that change something, one runs at a time.
func TestOneChange(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	begun, goOn := make(chan bool), make(chan bool)
	wait := func(context.Context, func(string) operate.Step) (any, error) { begun <- true; <-goOn; return nil, nil }
	if _, err := o.operations.begin(t.Context(), "verify", true, wait); err != nil {
		t.Fatal(err)
	}
	<-begun
	if status, _ := o.post(t, "verify", `{}`); status != http.StatusConflict {
		t.Errorf("got %d, want 409", status)
	}
	goOn <- true
	o.operations.work.Wait()
	if status, _ := o.post(t, "verify", `{}`); status != http.StatusAccepted {
		t.Errorf("got %d when the first has ended, want 202", status)
	}
}

// ask posts a question that is answered at once.
func (o *opened) ask(t *testing.T, route string, in, into any) (status int) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, o.root+"api/"+route, bytes.NewReader(body)))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Streamproof", "1")
	response, err := o.browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// TestQuery: a query is checked while it is typed, runs, and can be had again later.
func TestQuery(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	var shown Query
	o.get(t, "api/query", &shown)
	if shown.SQL == "" || len(shown.Columns) == 0 || shown.Source == "" || !slices.Contains(shown.Functions, "SUBSTRING") {
		t.Fatalf("got %+v, want the query and what an editor completes", shown)
	}
	var checked operate.Checked
	o.ask(t, "query/check", checkRequest{SQL: "\n  SELECT FROM x"}, &checked)
	if len(checked.Faults) == 0 || checked.Faults[0].Line != 2 || checked.Faults[0].By != "parser" || checked.Planned {
		t.Errorf("got %+v, want the parser's fault in line 2", checked)
	}
	refused := strings.Replace(shown.SQL, "WHERE", "WHERE 'refused' <> '' AND", 1)
	checked = operate.Checked{}
	o.ask(t, "query/check", checkRequest{SQL: refused}, &checked)
	if len(checked.Faults) > 0 || checked.Planned || checked.Flink == "" {
		t.Errorf("got %+v, want no fault before Flink has planned it", checked)
	}
	checked = operate.Checked{}
	o.ask(t, "query/check", checkRequest{SQL: refused, Plan: true}, &checked)
	if len(checked.Faults) != 1 || checked.Faults[0].By != "flink" || !checked.Planned {
		t.Errorf("got %+v, want Flink's fault", checked)
	}
	_, ran := o.post(t, "query/run", string(mustJSON(t, runRequest{SQL: refused})))
	var change operate.Change
	if err := json.Unmarshal(ran.Result, &change); err != nil || ran.State != failed || len(change.Faults) != 1 {
		t.Errorf("got %+v, %v, want that nothing is changed, and Flink's fault", ran, err)
	}
	var versions []operate.Version
	o.get(t, "api/query/versions", &versions)
	if len(versions) != 1 || versions[0].SQL != shown.SQL || !versions[0].Current {
		t.Errorf("got %+v, want the query that runs", versions)
	}
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAudit: the console of an audit shows its report, audits again when asked, and changes nothing.
func TestAudit(t *testing.T) {
	t.Parallel()
	runs := make(chan bool, 2)
	server, err := ServeAudit(Audit{Name: "foreign", Region: "eu-west-1", Run: func(_ context.Context, step func(string) operate.Step) (*report.Report, error) {
		step("read the stream").End(nil)
		runs <- true
		return missingOne(), nil
	}, Explain: func(_ context.Context, step func(string) operate.Step) (*explain.Explanation, *report.Report, error) {
		step("look for the rows").End(nil)
		return explain.Of(missingOne(), []report.Finding{{Class: "missing", Row: "the row"}}), missingOne(), nil
	}}, Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	o := &opened{Server: server}
	o.visit(t)
	<-runs
	next, _ := o.watch(t, "flow,report")
	for {
		topic, data := next()
		if topic == "report" && strings.Contains(data, "NOT PROVEN") && strings.Contains(data, `"tone":"wrong"`) {
			break
		}
	}
	if status, again := o.post(t, "audit", `{}`); status != http.StatusAccepted || again.State != done || len(again.Steps) != 1 {
		t.Errorf("got %d, %+v, want another audit", status, again)
	}
	if _, explained := o.post(t, "explain", `{}`); explained.State != done || !strings.Contains(string(explained.Result), "the row") {
		t.Errorf("got %+v, want where the row is", explained)
	}
	var about About
	o.get(t, "api/about", &about)
	if about.Kind != "audit" || about.Write || !strings.HasPrefix(about.ReadOnlyReason, "an audit only reads") {
		t.Errorf("got %+v, want an audit that is read-only whatever the options say", about)
	}
	if status, _ := o.post(t, "accept", `{}`); status != http.StatusForbidden {
		t.Errorf("got %d for an acceptance without a folder, want 403", status)
	}
}

func missingOne() *report.Report {
	return &report.Report{Version: 1, Verdict: "NOT PROVEN", Counts: proof.Counts{Owed: 2, Missing: 1}, Audit: &report.Audit{Stream: "foreign"}}
}

// TestAcceptAudit: findings of an audit are accepted where there is a folder for them, and the page shows the verdict
// after that.
func TestAcceptAudit(t *testing.T) {
	t.Parallel()
	var accepted report.Choice
	server, err := ServeAudit(Audit{Name: "foreign", Run: func(context.Context, func(string) operate.Step) (*report.Report, error) {
		return missingOne(), nil
	}, Accept: func(_ context.Context, choice report.Choice, _ func(string) operate.Step) (*report.Report, error) {
		accepted = choice
		r := missingOne()
		r.Verdict = proof.Proven
		return r, nil
	}}, Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	o := &opened{Server: server}
	o.visit(t)
	next, _ := o.watch(t, "report")
	for data := ""; !strings.Contains(data, "NOT PROVEN"); { // the first audit
		_, data = next()
	}
	if _, got := o.post(t, "accept", `{"class": "missing", "count": 1}`); got.State != failed || accepted.Class != "" {
		t.Errorf("got %+v for an acceptance without a reason, want that it fails", got)
	}
	_, got := o.post(t, "accept", `{"class": "missing", "count": 1, "reason": "known"}`)
	if got.State != done || accepted.Count != 1 || accepted.Who == "" {
		t.Errorf("got %+v, %+v, want the finding accepted by this machine's user", got, accepted)
	}
	if _, data := next(); !strings.Contains(data, `"verdict":"PROVEN"`) {
		t.Errorf("got %s, want the verdict after the acceptance", data)
	}
}

// TestRepair: missing rows are planned in a console that only reads, and written in one that may.
func TestRepair(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	tick := &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "o", LeaseEnd: at.Add(time.Minute), ClaimedAt: at, Seed: 1, Generator: generator.Version,
		Pipeline: o.world.Current().Pipeline, Records: 50, PartitionKey: generator.Uniform, Outcomes: []ledger.Range{{Last: 49, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
	data, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	o.world.Objects[ledger.TickKey(at)] = stacktest.Object{Body: data, ETag: `"tick"`, Written: at.Add(time.Second)}

	tests := map[string]struct{ body, want string }{
		"no class":          {`{}`, "name classes"},
		"another class":     {`{"classes": ["leaked"]}`, "missing, failed, duplicated, corrupt"},
		"a negative margin": {`{"classes": ["missing"], "marginSeconds": -1}`, "0s or more"},
	}
	for name, test := range tests {
		if _, got := o.post(t, "repair/plan", test.body); got.State != failed || !strings.Contains(got.Error, test.want) {
			t.Errorf("%s: got %+v, want that it says %q", name, got, test.want)
		}
	}
	plan := func(route, body string) operate.RepairResult {
		t.Helper()
		_, got := o.post(t, route, body)
		var r operate.RepairResult
		if err := json.Unmarshal(got.Result, &r); err != nil || got.State != done {
			t.Fatalf("%s: got %+v, %v", body, got, err)
		}
		return r
	}
	young := plan("repair/plan", `{"classes": ["missing", "failed"], "marginSeconds": 86400}`)
	if !young.Empty() || len(young.Left) != 1 || young.Left[0].Class != proof.Missing {
		t.Errorf("got %+v with a margin of a day, want that the rows are left", young.Plan)
	}
	dry := plan("repair/plan", `{"classes": ["missing", "failed"]}`)
	if dry.Written || len(dry.Writes) != 1 || dry.Rows[proof.Missing] == 0 || dry.StillCome != dry.Rows[proof.Missing] {
		t.Errorf("got %+v, want an object of rows that may still come", dry.Plan)
	}
	if _, there := o.world.Objects[dry.Writes[0].Key]; there {
		t.Errorf("%s is written by a dry run", dry.Writes[0].Key)
	}
	wrote := plan("repair", `{"classes": ["missing", "failed"]}`)
	if _, there := o.world.Objects[dry.Writes[0].Key]; !there || !wrote.Written || wrote.Before == nil || wrote.After == nil {
		t.Errorf("got %+v, want the object written, and both verdicts", wrote)
	}
}

// TestReshape: a page changes the objects' shape and nothing else, where the console can deploy.
func TestReshape(t *testing.T) {
	t.Parallel()
	o := serveWorld(t, true)
	if _, got := o.post(t, "delivery", `{"parameters": {"Compression": "GZIP"}}`); got.State != failed ||
		!strings.Contains(got.Error, "sam deploy --stack-name streamproof --region eu-west-1 --parameter-overrides Compression=GZIP") {
		t.Errorf("got %+v of a stack on AWS, want the command", got)
	}
	var deployed map[string]string
	o.subject.(*stackSubject).Deploy = func(_ context.Context, parameters map[string]string, step func(string) operate.Step) error {
		step("deploy the template").End(nil)
		deployed = parameters
		return nil
	}
	for body, want := range map[string]string{`{}`: "name parameters", `{"parameters": {"Compression": "GZIP", "Prefix": "x/"}}`: `"Prefix" is not changed from here`} {
		if _, got := o.post(t, "delivery", body); got.State != failed || !strings.Contains(got.Error, want) || deployed != nil {
			t.Errorf("%s: got %+v, want that it says %s", body, got, want)
		}
	}
	_, got := o.post(t, "delivery", `{"parameters": {"Compression": "GZIP", "Transform": "JSON"}}`)
	if got.State != done || len(got.Steps) != 1 || len(deployed) != 2 || deployed["Transform"] != "JSON" {
		t.Errorf("got %+v with %v, want both parameters deployed", got, deployed)
	}
	if o.subject.(*stackSubject).stack != nil || got.HasResult {
		t.Errorf("got %s, and the stack of before the deploy is still shown", got.Result)
	}
	// A deploy that changes the application replaces a query that was set by hand.
	book := o.world.Open().Book()
	deploy, err := book.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byHand := *deploy
	byHand.Pipeline, byHand.By = strings.Repeat("b", 64), ledger.BySQLRun
	if _, err := book.SetCurrent(t.Context(), &byHand, deploy); err != nil {
		t.Fatal(err)
	}
	o.subject.(*stackSubject).Deploy = func(ctx context.Context, _ map[string]string, _ func(string) operate.Step) error {
		_, err := book.SetCurrent(ctx, deploy, &byHand)
		return err
	}
	if _, got := o.post(t, "delivery", `{"parameters": {"OutputFormat": "JSON"}}`); got.State != done || !strings.Contains(string(got.Result), "The application runs ") {
		t.Errorf("got %+v, want that it says which query runs", got)
	}
}
