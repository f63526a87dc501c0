package fault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/local/emulator"
	"streamproof/internal/local/process"
)

// A Microburst is a proxy that runs as a process and ends with this one.
type Microburst struct {
	URL string

	process *process.Process
	behind  *httptest.Server
	names   map[int]string // the faults of the rules that were ever set, by rule
}

// StartMicroburst starts the proxy in front of an endpoint, from the virtual environment in root. Its files go into
// dir.
func StartMicroburst(ctx context.Context, root, dir, upstream string) (*Microburst, error) {
	port, err := emulator.FreePort(0)
	if err != nil {
		return nil, err
	}
	m := &Microburst{URL: emulator.Endpoint(port), names: map[int]string{}}
	if m.behind, err = restoreHost(upstream, strings.TrimPrefix(m.URL, "http://")); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "microburst-"+strconv.Itoa(port))
	output, err := os.Create(name + ".log")
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd := exec.Command(filepath.Join(root, ".venv", "bin", "microburst"), "--upstream", m.behind.URL, "--port", strconv.Itoa(port), "--host", "127.0.0.1")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, process.UTF8}
	if m.process, err = process.Start(cmd, name+".pid", true); err != nil {
		return nil, fmt.Errorf("start microburst: %w", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for m.call(ctx, http.MethodGet, "health", nil, &struct{}{}) != nil {
		select {
		case <-m.process.Done():
			return nil, fmt.Errorf("microburst has ended, and left %s", name+".log")
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("microburst does not answer"), m.Stop(ctx))
		}
	}
	return m, nil
}

// Stop ends the proxy.
func (m *Microburst) Stop(ctx context.Context) error {
	err := m.process.End(ctx, time.Second)
	m.behind.CloseClientConnections()
	m.behind.Close()
	return err
}

// signedHost is the header in which a Proxy passes on the host that a call was signed for.
const signedHost = "X-Signed-Host"

// restoreHost is a proxy between microburst and the emulator. Microburst changes the Host header and sends objects in
// chunks. The emulator checks the signature, which covers the host that was called and the Content-Length, so both are
// restored.
func restoreHost(upstream, called string) (*httptest.Server, error) {
	next, err := passOn(upstream, func(r *httputil.ProxyRequest) {
		r.Out.Host = cmp.Or(r.In.Header.Get(signedHost), called)
		r.Out.Header.Del(signedHost)
		if r.In.ContentLength >= 0 {
			return
		}
		body, err := io.ReadAll(r.In.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Out.Body, r.Out.ContentLength, r.Out.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	})
	if err != nil {
		return nil, err
	}
	return httptest.NewServer(next), nil
}

// A Rule is a rule of microburst, as described in its README, with a name for the fault that it causes.
type Rule struct {
	Fault string
	JSON  string
}

// Set replaces all rules. The first that matches a call, and fires, decides.
func (m *Microburst) Set(ctx context.Context, rules ...Rule) error {
	list := []json.RawMessage{}
	for _, rule := range rules {
		list = append(list, json.RawMessage(rule.JSON))
	}
	var set []struct {
		ID int `json:"id"`
	}
	if err := m.call(ctx, http.MethodPost, "rules", list, &set); err != nil {
		return err
	}
	if len(set) != len(rules) {
		return fmt.Errorf("microburst took %d of %d rules", len(set), len(rules))
	}
	for i, rule := range set {
		m.names[rule.ID] = rules[i].Fault
	}
	return nil
}

// Fired counts the faults so far.
func (m *Microburst) Fired(ctx context.Context) (map[string]int, error) {
	var stats struct {
		Rules []struct {
			ID    int `json:"id"`
			Fired int `json:"fired"`
		} `json:"by_rule"`
	}
	if err := m.call(ctx, http.MethodGet, "stats", nil, &stats); err != nil {
		return nil, err
	}
	fired := map[string]int{}
	for _, rule := range stats.Rules {
		fired[m.names[rule.ID]] += rule.Fired
	}
	return fired, nil
}

func (m *Microburst) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, m.URL+"/_microburst/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("microburst: %s %s: %s: %s", method, path, answer.Status, data)
	}
	return json.Unmarshal(data, out)
}
