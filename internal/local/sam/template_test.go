package sam_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"streamproof/internal/verifier"
)

type template struct {
	Metadata struct {
		Interface struct {
			ParameterGroups []struct {
				Parameters []string `yaml:"Parameters"`
			} `yaml:"ParameterGroups"`
		} `yaml:"AWS::CloudFormation::Interface"`
	} `yaml:"Metadata"`
	Parameters map[string]map[string]any `yaml:"Parameters"`
	Resources  map[string]struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
	} `yaml:"Resources"`
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parse reads the template; of a function, as !Ref, its argument is left.
func parse(t *testing.T, text string) (parsed template) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestParameters: each is in one group, described, held to something that it says, used, and in the runbook's table of
// changes.
func TestParameters(t *testing.T) {
	text := read(t, "template.yaml")
	parsed := parse(t, text)
	_, uses, _ := strings.Cut(text, "\nRules:\n")
	_, table, _ := strings.Cut(read(t, "docs/operations/update.md"), "## What a change of a parameter does")
	table, _, _ = strings.Cut(table, "\n## ")
	groups := map[string]int{}
	for _, group := range parsed.Metadata.Interface.ParameterGroups {
		for _, name := range group.Parameters {
			groups[name]++
		}
	}
	for name, p := range parsed.Parameters {
		if groups[name] != 1 {
			t.Errorf("%s is in %d groups", name, groups[name])
		}
		if description, _ := p["Description"].(string); description == "" {
			t.Errorf("%s has no description", name)
		}
		if p["AllowedValues"] == nil && p["AllowedPattern"] == nil && p["MinValue"] == nil {
			t.Errorf("%s takes anything", name)
		}
		if constraint, _ := p["ConstraintDescription"].(string); !strings.HasPrefix(constraint, "must be ") {
			t.Errorf("%s does not say what it must be", name) // CloudFormation puts its name before this
		}
		if !regexp.MustCompile(`(!Ref ` + name + `\b|\$\{` + name + `\})`).MatchString(uses) {
			t.Errorf("%s is not used", name)
		}
		if !regexp.MustCompile("(?m)^\\|[^|]*`" + name + "`[^|]*\\|").MatchString(table) {
			t.Errorf("docs/operations/update.md does not say what a change of %s does", name)
		}
	}
	for name := range groups {
		if parsed.Parameters[name] == nil {
			t.Errorf("group of %s, which is no parameter", name)
		}
	}
	audit := parse(t, read(t, "audit.yaml"))
	for _, override := range regexp.MustCompile(`"([A-Z]\w+)=[^"]*"`).FindAllStringSubmatch(read(t, "samconfig.toml"), -1) {
		if parsed.Parameters[override[1]] == nil && audit.Parameters[override[1]] == nil {
			t.Errorf("samconfig.toml sets %s, which is no parameter", override[1])
		}
	}
}

// allows reports whether a parameter takes a value. Go's regular expressions have no negative look-ahead, which
// CloudFormation's have (Java's): those that the pattern begins with are tried by themselves.
func allows(t *testing.T, p map[string]any, value string) bool {
	t.Helper()
	if most, ok := p["MaxLength"].(int); ok && len(value) > most {
		return false
	}
	pattern := strings.TrimPrefix(p["AllowedPattern"].(string), "^")
	for strings.HasPrefix(pattern, "(?!") {
		depth, end := 1, len("(?!")
		for ; depth > 0; end++ {
			switch pattern[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		if regexp.MustCompile("^(?:" + pattern[len("(?!"):end-1] + ")").MatchString(value) {
			return false
		}
		pattern = pattern[end:]
	}
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(value)
}

// TestPatterns: what AWS would refuse is refused before a change set is made, and what it takes is taken.
func TestPatterns(t *testing.T) {
	parsed := parse(t, read(t, "template.yaml"))
	const uuid = "11111111-2222-3333-4444-5555abcdef55"
	long := strings.Repeat("a", 63)
	for name, values := range map[string]struct{ taken, refused []string }{
		"ExistingBucket": {
			[]string{"", "abc", "a-bucket-of-mine", "my.bucket.of.mine", "1.2.3", "1.2.3.4.5", "1234.2.3.4", "a--b", "xn-a", "my-xn--bucket", "s3alias", "my-s3alias-x", "my-ol-s3", "mrap", "my-table-s3", long},
			[]string{"a", "ab", "my..bucket", "my.-bucket", "my-.bucket", ".bucket", "bucket.", "-bucket", "bucket-", "192.168.5.4", "xn--abc", "sthree-a", "sthree-configurator", "amzn-s3-demo-bucket",
				"my-bucket-s3alias", "my--ol-s3", "my.mrap", "my--use1-az4--x-s3", "my--table-s3", "My-bucket", "my_bucket", "s3://mine", "mine/", long + "a"},
		},
		"KmsKeyArn": {
			[]string{"", "arn:aws:kms:eu-west-1:123456789012:key/" + uuid, "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/" + uuid, "arn:aws-iso-b:kms:us-isob-east-1:123456789012:key/" + uuid,
				"arn:aws:kms:eu-west-1:123456789012:key/mrk-" + strings.Repeat("0a", 16)},
			[]string{"alias/mine", uuid, "arn:aws:kms:eu-west-1:123456789012:alias/mine", "arn:aws:kms:eu-west-1:123456789012:key/mine", "arn:awsome:kms:eu-west-1:123456789012:key/" + uuid,
				"arn:aws:kms::123456789012:key/" + uuid, "arn:aws:kms:eu-west-1:12345678901:key/" + uuid, "arn:aws:kms:eu-west-1:123456789012:key/" + uuid + "0", "arn:aws:kms:eu-west-1:123456789012:key/mrk-" + uuid},
		},
		"AlarmEmail": {
			[]string{"", "on-call@example.com", "o.n+call_1'x@mail.example.co.uk", "a@xn--bcher-kva.example", "a@b.xn--p1ai"},
			[]string{"nobody", "a@b", "@example.com", "a@", "a@@example.com", "a b@example.com", ".a@example.com", "a..b@example.com", "a.@example.com", "a@example..com", "a@-example.com", "a@example.com.",
				"a@example.com,b@example.com", "a@example.com;b@example.com", "<a@example.com>", "mailto:a@example.com", "a@192.168.5.4", strings.Repeat("a", 250) + "@b.cc"},
		},
		"Prefix": {
			[]string{"ingestion-kinesis/", "rides/all/", "codes/", "a/ledger/"},
			[]string{"", "/", "data", "/data/", "data//x/", "data!/", "code/", "errors/", "ledger/x/", "reports/", "data-errors/", "data-errors/x/"},
		},
		"ErrorsPrefix":       {[]string{"ingestion-kinesis-errors/", "a-errors/b/"}, []string{"", "errors/", "-errors/", "a-errors", "a/b-errors/", "a-errors//"}},
		"ScheduleExpression": {[]string{"rate(1 minute)", "rate(48 hours)", "rate(99 minutes)"}, []string{"", "rate(1 minutes)", "rate(2 hour)", "rate(0 minutes)", "rate(49 hours)", "cron(0 * * * ? *)", "rate(1 day)"}},
		"VerifySchedule":     {[]string{"rate(5 minutes)"}, []string{"rate(1 minutes)"}},
	} {
		p := parsed.Parameters[name]
		if p == nil || p["AllowedPattern"] == nil {
			t.Errorf("%s has no pattern", name)
			continue
		}
		for _, value := range values.taken {
			if !allows(t, p, value) {
				t.Errorf("%s=%s is refused", name, value)
			}
		}
		for _, value := range values.refused {
			if allows(t, p, value) {
				t.Errorf("%s=%s is taken", name, value)
			}
		}
	}
	for name, p := range parsed.Parameters {
		if p["AllowedPattern"] != nil && !allows(t, p, fmt.Sprint(p["Default"])) {
			t.Errorf("%s does not take its default", name)
		}
	}
}

// TestAlarms: each goes to the topic, treats missing data explicitly, and is on the dashboard and in the runbook.
func TestAlarms(t *testing.T) {
	parsed := parse(t, read(t, "template.yaml"))
	docs := read(t, "docs/operations/alarms.md")
	dashboard := fmt.Sprint(parsed.Resources["Dashboard"].Properties["DashboardBody"])
	alarms := map[string]bool{}
	for name, resource := range parsed.Resources {
		if resource.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		alarms[name] = true
		p := resource.Properties
		for _, key := range []string{"AlarmActions", "OKActions"} {
			if got, want := fmt.Sprint(p[key]), "[AlarmTopic]"; got != want {
				t.Errorf("%s of %s are %s, want %s", key, name, got, want)
			}
		}
		if p["TreatMissingData"] == nil {
			t.Errorf("%s does not say what no data is", name)
		}
		if description := fmt.Sprint(p["AlarmDescription"]); !strings.HasSuffix(description, " Runbook: docs/operations/alarms.md, "+name+".") {
			t.Errorf("%s does not name its part of the runbook: %s", name, description)
		}
		if !strings.Contains(dashboard, "${"+name+".Arn}") {
			t.Errorf("%s is not on the dashboard", name)
		}
		_, part, _ := strings.Cut(docs, "\n### "+name+"\n")
		part, _, _ = strings.Cut(part, "\n### ")
		for _, word := range []string{"means.", "look", "do", "ends", "data."} {
			if !regexp.MustCompile(`(?i)\*\*[^*]*\b` + word).MatchString(part) {
				t.Errorf("docs/operations/alarms.md does not say %q of %s", word, name)
			}
		}
	}
	if len(alarms) < 20 {
		t.Errorf("only %d alarms", len(alarms))
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+Alarm)$`).FindAllStringSubmatch(docs, -1) {
		if !alarms[heading[1]] {
			t.Errorf("docs/operations/alarms.md has %s, which is no alarm", heading[1])
		}
	}
}

// TestDashboard: what CloudWatch is given is JSON, and no widget lies upon another.
func TestDashboard(t *testing.T) {
	body, _ := parse(t, read(t, "template.yaml")).Resources["Dashboard"].Properties["DashboardBody"].([]any)
	if len(body) != 2 {
		t.Fatalf("the dashboard has %d parts, want a text and what is put into it", len(body))
	}
	producer := body[1].(map[string]any)["ProducerWidgets"].([]any)[1].(string)
	text := strings.Replace(body[0].(string), "${ProducerWidgets}", producer, 1)
	text = regexp.MustCompile(`\$\{Alarms\w+\}`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(text, "600")
	var dashboard struct {
		Widgets []struct{ X, Y, Width, Height int }
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]int{}
	for i, w := range dashboard.Widgets {
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("widget %d is at column %d and row %d, where widget %d or no column is", i, x, y, other)
				}
				taken[[2]int{x, y}] = i
			}
		}
	}
	if got, want := len(taken), 24*23; got != want {
		t.Errorf("the widgets fill %d cells, want %d", got, want)
	}
}

// TestPermissions: no role may do all of anything, or anything to all, and none can be had by a service for another
// account.
func TestPermissions(t *testing.T) {
	parsed := parse(t, read(t, "template.yaml"))
	roles := 0
	for name, resource := range parsed.Resources {
		if resource.Type != "AWS::IAM::Role" {
			continue
		}
		roles++
		for _, s := range statements(resource.Properties["AssumeRolePolicyDocument"]) {
			// Lambda's own trust policy takes none.
			if trust := fmt.Sprint(s["Principal"]); s["Condition"] == nil && !strings.Contains(trust, "lambda.amazonaws.com") {
				t.Errorf("%s is had by %s for whomever it asks", name, trust)
			}
		}
		for _, s := range statements(resource.Properties["Policies"]) {
			for _, action := range strung(s["Action"]) {
				if strings.ContainsAny(action, "*?") {
					t.Errorf("%s may do %s", name, action)
				}
				for _, to := range strung(s["Resource"]) {
					onEmulator := action == "kinesis:GetRecords" && (name == "AnalyticsRole" || name == "VerifierRole")                              // which stream an iterator is of, it does not know
					takesNone := action == "logs:DescribeLogGroups" || action == "cloudwatch:GetMetricData" || strings.HasPrefix(action, "xray:Put") // AWS has no smaller resource for these
					if strings.Trim(to, "*:/") == "" && !onEmulator && !takesNone {
						t.Errorf("%s may do %s to %s", name, action, to)
					}
				}
			}
			if s["Effect"] != "Allow" || s["NotAction"] != nil || s["NotResource"] != nil {
				t.Errorf("%s has %v", name, s)
			}
		}
	}
	if roles != 9 {
		t.Errorf("%d roles, want 9: e2e/roles_test.go has a table of what each may", roles)
	}
}

// TestAtRest: what holds records is encrypted, by the key where there is one; and in the bucket nothing expires but old
// versions, uploads that broke off, reports, and what the verifier has tagged. The emulator would not tell: it leaves
// all of this out.
func TestAtRest(t *testing.T) {
	resources := parse(t, read(t, "template.yaml")).Resources
	for name, want := range map[string]string{
		"Stream":          "StreamEncryption:map[EncryptionType:KMS KeyId:[WithKey KmsKeyArn alias/aws/kinesis]]",
		"Delivery":        "KeyARN:[WithKey KmsKeyArn AWS::NoValue] KeyType:[WithKey CUSTOMER_MANAGED_CMK AWS_OWNED_CMK]",
		"RejectsDelivery": "KeyARN:[WithKey KmsKeyArn AWS::NoValue] KeyType:[WithKey CUSTOMER_MANAGED_CMK AWS_OWNED_CMK]",
		"Bucket":          "KMSMasterKeyID:[WithKey KmsKeyArn AWS::NoValue] SSEAlgorithm:aws:kms",
		"BucketPolicy":    "Action:s3:* Condition:map[Bool:map[aws:SecureTransport:false]] Effect:Deny Principal:*",
	} {
		if got := fmt.Sprint(resources[name].Properties); !strings.Contains(got, want) {
			t.Errorf("%s has %s, want %s in it", name, got, want)
		}
	}
	bucket := resources["Bucket"].Properties
	if got, want := fmt.Sprint(bucket["PublicAccessBlockConfiguration"]), "map[BlockPublicAcls:true BlockPublicPolicy:true IgnorePublicAcls:true RestrictPublicBuckets:true]"; got != want {
		t.Errorf("public access is %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(bucket["VersioningConfiguration"]), "map[Status:Enabled]"; got != want {
		t.Errorf("versioning is %s, want %s", got, want)
	}
	lifecycle, _ := bucket["LifecycleConfiguration"].(map[string]any)
	rules, _ := lifecycle["Rules"].([]any)
	var got []string
	for _, rule := range rules {
		on := ""
		if condition, ok := rule.([]any); ok {
			on, rule = fmt.Sprint(condition[0])+": ", condition[1]
		}
		got = append(got, on+fmt.Sprint(rule))
	}
	want := []string{
		"map[AbortIncompleteMultipartUpload:map[DaysAfterInitiation:1] Id:broken-uploads Status:Enabled]",
		"map[ExpiredObjectDeleteMarker:true Id:former-versions NoncurrentVersionExpiration:map[NoncurrentDays:7] Status:Enabled]",
		"WithExpiry: map[ExpirationInDays:ExpireAfterDays Id:settled Status:Enabled TagFilters:[map[Key:" + verifier.SettledTag + " Value:" + verifier.SettledValue + "]]]",
		"WithExpiry: map[ExpirationInDays:ExpireAfterDays Id:reports Prefix:reports/ Status:Enabled]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestNames: no resource has a name of its own, but for those that begin with the stack's; so two stacks can stand side
// by side.
func TestNames(t *testing.T) {
	for name, resource := range parse(t, read(t, "template.yaml")).Resources {
		for _, key := range []string{
			"Name", "AlarmName", "ApplicationName", "BucketName", "DashboardName", "DeliveryStreamName", "FunctionName", "GroupName", "LogStreamName",
			"QueueName", "RoleName", "TopicName",
		} {
			named := fmt.Sprint(resource.Properties[key])
			if resource.Properties[key] != nil && !strings.HasPrefix(named, "${AWS::StackName}-") && named != "Analytics" && named != "DeployerFunction" { // which are others' names
				t.Errorf("%s %s is named %s", resource.Type, name, named)
			}
		}
	}
}

// statements finds the statements of all policies in a value, in all branches of a condition.
func statements(value any) (found []map[string]any) {
	switch value := value.(type) {
	case map[string]any:
		if value["Effect"] != nil {
			return []map[string]any{value}
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			found = append(found, statements(value[key])...)
		}
	case []any:
		for _, each := range value {
			found = append(found, statements(each)...)
		}
	}
	return found
}

// strung is a text, or all those in a list, in all branches of a condition.
func strung(value any) (all []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, each := range value {
			all = append(all, strung(each)...)
		}
	}
	return all
}
