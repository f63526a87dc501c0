package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"pgregory.net/rapid"

	"streamproof/internal/explain"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/internal/stack"
	"streamproof/internal/stack/stacktest"
	"streamproof/internal/tail"
	"streamproof/internal/terminal"
)

// hostile clears the screen, conceals what follows, rings, begins lines that look like the program's own, and turns
// the direction of the text around. XML has no way to say some of it.
const (
	hostileText = "\u009b2J\u0085\u202e\u2066\u200f\u2028\u061c\nFORGED: owed 1"
	hostile     = "\x1b[2J\x1b[H\x1b[8m\x1b]0;t\a\b\r\x00\xff" + hostileText
)

// checkShown fails where a terminal would obey what it is given, or a line is not the program's.
func checkShown(t interface{ Errorf(string, ...any) }, what, text string) {
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && !unicode.IsGraphic(r) {
			t.Errorf("%s: %U is in %q", what, r, text)
			return
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.Trim(line, " │"), "FORGED") {
			t.Errorf("%s: a line of the data's own is in %q", what, text)
		}
	}
}

// fill puts a text into every string that is in a value, and something into all else.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, text)
		fill(value, text)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(tick))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text)
			}
		}
	}
}

func filled[T any](text string) *T {
	value := new(T)
	fill(reflect.ValueOf(value).Elem(), text)
	return value
}

// filledReport has samples of every class.
func filledReport(text string) *report.Report {
	r := filled[report.Report](text)
	r.Audit = nil
	samples := *filled[[]proof.Sample](text)
	r.Samples = map[proof.Class][]proof.Sample{}
	for _, class := range append(append([]proof.Class{}, proof.Classes...), proof.Foreign) {
		r.Samples[class] = samples
		r.LastSeen = append(r.LastSeen, report.Finding{Class: class, Row: text, Count: 1, Tick: tick, Hop: report.Hop(text), Text: text})
	}
	return r
}

// TestTextsOfHostileData: no field of what is shown reaches the terminal as a control character, whatever it contains.
func TestTextsOfHostileData(t *testing.T) {
	t.Parallel()
	check := func(t interface{ Errorf(string, ...any) }, text string) {
		r, audited := filledReport(text), filledReport(text)
		audited.Audit = filled[report.Audit](text)
		shownStatus := status{Status: filled[stack.Status](text), Local: filled[localStatus](text)}
		shownStatus.Last = r
		columns := row.Schema{{Name: text, Alias: text}, {Name: "a", Alias: text}}
		query := filled[operate.ShownQuery]("a")
		query.NotJudged, query.SQL = text, strings.NewReplacer("\n", "", "\t", "").Replace(text) // which SQL may have
		query.Judged = false
		texts := map[string]terminal.Text{
			"verify":       reportText(r),
			"audit":        reportText(audited),
			"accept":       acceptedText(filled[ledger.Acceptance](text), r),
			"explain":      explainText(filled[explain.Explanation](text), r),
			"repair":       repairText(filled[operate.RepairResult](text)),
			"explain none": explainText(&explain.Explanation{}, r),
			"produce":      answerText(filled[producer.Answer](text)),
			"status":       statusText(&shownStatus),
			"discover":     discoveredText(filledDiscovered(text)),
			"sql show":     showText(query, false),
			"sql versions": versionsText([]operate.Version{*filled[operate.Version](text)}),
			"tail":         batchText(&tail.Batch{Records: []tail.Record{*filled[tail.Record](text)}}),
			"sql run":      rowsText(columns, [][]*string{{&text, nil}}),
			"its faults":   terminal.Join([]terminal.Text{faultText(text, operate.Fault{Message: text}), faultText(text, operate.Fault{Message: text, Translated: text})}, "\n"),
			"pause":        sentences(text, text),
		}
		for name, shown := range texts {
			checkShown(t, name, shown.String())
		}
		var out bytes.Buffer
		e := newEnv(io.Discard, &out)
		p := newProgress(e)
		st := p.begin(text)
		st.Note(text)
		st.Update(text)
		st.End(errors.New(text))
		e.report(&local.LogError{Err: fmt.Errorf("%s: %w", text, errors.New(text)), Log: text})
		e.report(&usageError{errors.New(text)})
		checkShown(t, "stderr", out.String())
	}
	check(t, hostile)
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.Map(rapid.SliceOf(rapid.SampledFrom([]rune(hostileText+"\x1b\a\t\r\x00 \"\\%sé"))), func(r []rune) string { return string(r) }).Draw(t, "text"))
	})
}

func filledDiscovered(text string) *discovered {
	d := filled[discovered](text)
	d.hint = strings.ReplaceAll(text, "\n", "")
	for i := range d.Columns {
		d.Columns[i].Agree, d.Columns[i].Values = 1, 2
	}
	return d
}

// TestCommandsOfHostileData runs every command against a stack, and in a folder, whose every text is hostile.
func TestCommandsOfHostileData(t *testing.T) {
	root := filepath.Join(t.TempDir(), "\x1b[8m\nFORGED\u202e")
	if err := os.MkdirAll(filepath.Join(root, "pipeline"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		file := filepath.Join(root, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("samconfig.toml", "")
	template, err := os.ReadFile("../../template.yaml") // which says what a stack costs
	if err != nil {
		t.Fatal(err)
	}
	write("template.yaml", string(template))
	data := write("data.csv", "a,"+strings.ReplaceAll(hostileText, "\n", "")+"\n1,\x1b[8m\n2,\x1b[2J\n3,\u202e\n")
	faulty := write("faulty.sql", "SELECT \""+strings.ReplaceAll(hostileText, "\n", "")+"\x1b[8m\" FROM x;")
	judged := write("report.json", string(mustJSON(t, filledReport(hostile))))
	onAWS := " --stack streamproof --region eu-west-1"
	commands := map[string][]string{
		"up":            {"up --state-dir " + root, "up --set " + hostile + "=1"},
		"demo":          {"demo"},
		"produce":       {"produce 10" + onAWS, "produce " + hostile},
		"verify":        {"verify" + onAWS, "verify --dir " + root, "verify --dir " + hostile},
		"discover":      {"discover --file " + data, "discover" + onAWS, "discover --s3 s3://" + stacktest.Bucket + "/x --region eu-west-1", "discover --stream " + hostile + " --region eu-west-1"},
		"audit":         {"audit --delivery-stream " + hostile + " --region eu-west-1", "audit --stream s --bucket " + stacktest.Bucket + " --prefix x --region eu-west-1", "audit --from " + hostile, "audit" + onAWS},
		"explain":       {"explain" + onAWS, "explain --report " + judged + onAWS, "explain --report " + data + onAWS, "explain --delivery-stream " + hostile + " --region eu-west-1"},
		"accept":        {"accept missing 1 --reason " + hostile + onAWS, "accept " + hostile + " 1 --reason x", "accept missing 1 --reason x --stream " + hostile + " --bucket b --prefix p --region eu-west-1 --accepted " + filepath.Join(root, "accepted")},
		"repair":        {"repair" + onAWS, "repair --duplicates" + onAWS, "repair --corrupt --yes" + onAWS, "repair --duplicates --margin " + hostile, "repair --delivery-stream " + hostile + " --region eu-west-1", "repair --stream s --bucket " + stacktest.Bucket + " --prefix x --yes --region eu-west-1", "repair --stream " + hostile},
		"doctor":        {"doctor --region eu-west-1 --stack streamproof", "doctor --region " + hostile, "doctor --set " + hostile + "=1", "doctor --state-dir " + root},
		"logs":          {"logs" + onAWS, "logs " + hostile, "logs --since " + hostile, "logs --state-dir " + root},
		"status":        {"status" + onAWS, "status --state-dir " + hostile},
		"console":       {"console " + hostile, "console --region " + hostile},
		"objects":       {"objects" + onAWS, "objects data/x" + onAWS, "objects " + hostile + onAWS},
		"pause":         {"pause" + onAWS},
		"resume":        {"resume" + onAWS},
		"sql run":       {"sql run " + faulty + onAWS, "sql run " + hostile + onAWS},
		"sql show":      {"sql show" + onAWS, "sql show --flink" + onAWS},
		"sql versions":  {"sql versions" + onAWS, "sql versions " + hostile + onAWS},
		"tail":          {"tail --for 1s" + onAWS, "tail --for " + hostile},
		"sql check":     {"sql check " + faulty, "sql check " + hostile},
		"sql translate": {"sql translate " + faulty, "sql translate " + hostile},
		"down":          {"down --state-dir " + root},
		"completion":    {"completion " + hostile},
		"complete":      {"complete -- up --set " + hostile, "complete -- up --s"},
		"follow":        {"follow " + root},
	}
	for _, kind := range []string{"answers", "errors", "broken"} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := stacktest.New(t)
			w.Logs = map[string][]stacktest.Event{"ProducerLogs": {{Message: hostile, Time: time.Now()}}}
			if kind == "answers" {
				makeHostile(t, w)
			}
			for name, lines := range commands {
				for _, line := range lines {
					line := strings.ReplaceAll(line, hostile, "<hostile>")
					var args []string
					for _, arg := range strings.Fields(strings.ReplaceAll(line, root, "<root>")) {
						args = append(args, strings.NewReplacer("<root>", root, "<hostile>", strings.ReplaceAll(hostile, "\x00", "")).Replace(arg))
					}
					var stdout, stderr bytes.Buffer
					e := newEnv(&stdout, &stderr)
					e.grammar.Project = root
					e.loadAWS = func(_ context.Context, region string) (aws.Config, error) { return hostileAWS(w, kind, region), nil }
					status := e.run(t.Context(), append(args, "--project", root))
					shown := stdout.String() + stderr.String()
					if name == "complete" { // for the shell's script
						shown = strings.ReplaceAll(shown, "\t", " ")
					}
					checkShown(t, fmt.Sprintf("%s, %s", kind, name), shown)
					if stdout.Len()+stderr.Len() == 0 {
						t.Errorf("%s, %s: nothing was shown, status %d", kind, line, status)
					}
				}
			}
		})
	}
	parser, err := newParser(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if name := leafName(leaf); commands[name] == nil {
			t.Errorf("streamproof %s is not tried with hostile data", name)
		}
	}
}

func leafName(leaf *kong.Node) string {
	name := leaf.Name
	for up := leaf.Parent; up != nil && up.Type == kong.CommandNode; up = up.Parent {
		name = up.Name + " " + name
	}
	return name
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// makeHostile gives a world a query, rows and a last report with hostile text in them.
func makeHostile(t *testing.T, w *stacktest.World) {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	bad, err := pipeline.ParseWithSamples(p.SchemaJSON, append([]byte("-- "+strings.ReplaceAll(hostileText, "\n", "")+"\x1b[8m\n"), p.SQL...), p.Samples)
	if err != nil {
		t.Fatal(err)
	}
	book := w.Open().Book()
	if err := book.PublishPipeline(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	current, err := book.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.SetCurrent(t.Context(), &ledger.Current{Pipeline: bad.Hash(), Since: time.Now(), By: ledger.BySQLRun, Deployed: p.Hash()}, current); err != nil {
		t.Fatal(err)
	}
	w.Put("reports/latest.json", mustJSON(t, filledReport(hostile)))
}

// hostileAWS answers as the world does, except that functions answer with hostile text, with errors that have hostile
// codes, or with no valid answer at all.
func hostileAWS(w *stacktest.World, kind, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String("http://127.0.0.1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1,
		HTTPClient: httpFunc(func(r *http.Request) (*http.Response, error) {
			answer := func(status int, body any) (*http.Response, error) {
				text, err := json.Marshal(body)
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, err
			}
			xml := func(status int, body string) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			}
			isJSON := r.Header.Get("X-Amz-Target") != "" || strings.Contains(r.URL.Path, "/functions/") || strings.Contains(r.URL.Path, "/schedules/")
			switch {
			case kind == "broken":
				return nil, errors.New(hostile)
			case kind == "errors" && strings.Contains(r.URL.Path, "/functions/"):
				response, err := answer(http.StatusOK, map[string]string{"errorMessage": hostile})
				response.Header.Set("X-Amz-Function-Error", "Unhandled")
				return response, err
			case kind == "errors" && isJSON:
				return answer(http.StatusBadRequest, map[string]string{"__type": hostile, "message": hostile})
			case kind == "errors" && strings.HasPrefix(r.URL.Path, "/"+stacktest.Bucket):
				return xml(http.StatusForbidden, "<Error><Code>"+hostileText+"</Code><Message>"+hostileText+"</Message></Error>")
			case kind == "answers" && strings.Contains(r.URL.Path, "/functions/verifier/"):
				r := filledReport(hostile)
				r.Verdict = proof.NotProven
				return answer(http.StatusOK, r)
			case kind == "answers" && strings.Contains(r.URL.Path, "/functions/producer/"):
				return answer(http.StatusOK, filled[producer.Answer](hostile))
			case kind == "answers" && strings.HasPrefix(r.Header.Get("X-Amz-Target"), "Kinesis_20131202."):
				return answer(http.StatusBadRequest, map[string]string{"__type": hostile, "message": hostile})
			}
			return w.Do(r)
		}),
	}
}

type httpFunc func(*http.Request) (*http.Response, error)

func (f httpFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
