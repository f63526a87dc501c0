package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"streamproof/internal/stack"
)

// states stands in for Step Functions and S3, with a run of three parts, and counts how often each call is made.
type states struct {
	partFails, mergeFails bool
	asked                 map[string]int
	input                 string
}

func (s *states) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]string
	if call != "" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			panic(err)
		}
	}
	failed := `"status":"FAILED","error":"errorString","cause":"{\"errorMessage\":\"%s\",\"errorType\":\"errorString\"}"`
	s.asked[call]++
	switch call {
	case "StartExecution":
		s.input = in["input"]
		fmt.Fprint(w, `{"executionArn":"run","startDate":0}`)
	case "DescribeExecution":
		switch {
		case in["executionArn"] == "part":
			fmt.Fprintf(w, `{`+failed+`}`, "start another run")
		case s.asked[call] == 1:
			fmt.Fprint(w, `{"status":"RUNNING"}`)
		case s.mergeFails:
			fmt.Fprintf(w, `{`+failed+`}`, "no report")
		case s.partFails:
			fmt.Fprint(w, `{"status":"FAILED","error":"States.ExceedToleratedFailureThreshold","cause":"exceeded"}`)
		default:
			fmt.Fprint(w, `{"status":"SUCCEEDED","output":"{\"verdict\":\"PROVEN\",\"report\":\"reports/1.json\"}"}`)
		}
	case "ListMapRuns":
		fmt.Fprint(w, `{"mapRuns":[{"mapRunArn":"map","executionArn":"run","stateMachineArn":"m","startDate":0}]}`)
	case "DescribeMapRun":
		counts := `{"succeeded":2,"failed":%d,"aborted":0,"pending":0,"running":1,"timedOut":0,"total":3,"resultsWritten":0}`
		n := 0
		if s.partFails {
			n = 1
		}
		fmt.Fprintf(w, `{"mapRunArn":"map","itemCounts":`+counts+`,"executionCounts":`+counts+`}`, n, n)
	case "ListExecutions":
		fmt.Fprint(w, `{"executions":[{"executionArn":"part","name":"p","stateMachineArn":"m","status":"FAILED","startDate":0}]}`)
	default:
		fmt.Fprint(w, `{"verdict":"PROVEN","key":"reports/1.json"}`)
	}
}

func TestVerifyInParts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		states states
		want   string // of the error
	}{
		"all is well":  {},
		"a part fails": {states{partFails: true}, "run: it is FAILED: start another run"},
		"the end does": {states{mergeFails: true}, "run: it is FAILED: no report"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.states.asked = map[string]int{}
			config := service(t, outputs+" VerifyInParts=m", nil)
			others, err := url.Parse(*config.BaseEndpoint)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Amz-Target") != "" || strings.Contains(r.URL.Path, "reports/") {
					test.states.ServeHTTP(w, r)
					return
				}
				httputil.NewSingleHostReverseProxy(others).ServeHTTP(w, r)
			}))
			defer server.Close()
			config.BaseEndpoint = &server.URL
			s, err := stack.Open(t.Context(), config, "streamproof")
			if err != nil {
				t.Fatal(err)
			}
			counted := -1
			r, raw, err := s.VerifyInParts(t.Context(), 3, func(done int) { counted = done })
			switch {
			case test.want != "":
				if err == nil || err.Error() != test.want {
					t.Errorf("got %v, want %s", err, test.want)
				}
			case err != nil || r.Verdict != "PROVEN" || !strings.Contains(string(raw), "PROVEN"):
				t.Errorf("got %v, %s, error %v", r, raw, err)
			}
			if counted != 2 || test.states.input != `{"parts":3}` {
				t.Errorf("%d parts were counted, the input was %s", counted, test.states.input)
			}
		})
	}
}

func TestStacksWithoutPartsSaySo(t *testing.T) {
	t.Parallel()
	s, err := stack.Open(t.Context(), service(t, outputs, nil), "streamproof")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.VerifyInParts(t.Context(), 3, nil); err == nil || !strings.Contains(err.Error(), "deploy this version of the template") {
		t.Errorf("got %v", err)
	}
}
