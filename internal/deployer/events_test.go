package deployer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"streamproof/internal/deployer"
)

// The sample events are requests that the deployer supports.
func TestSampleEvents(t *testing.T) {
	paths, err := filepath.Glob("../../functions/deployer/events/*.json")
	if err != nil || len(paths) < 9 {
		t.Fatalf("the sample events are %v (%v)", paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		var event cfn.Event
		if err := decoder.Decode(&event); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if !slices.Contains([]string{deployer.ContentsType, deployer.CodeType, deployer.RunType}, event.ResourceType) {
			t.Errorf("%s: the deployer does not know %s", path, event.ResourceType)
		}
		if event.ResourceProperties["Bucket"] == nil {
			t.Errorf("%s: property Bucket is missing", path)
		}
	}
}
