package deployer_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"streamproof/internal/deployer"
)

func TestPosition(t *testing.T) {
	d := &deployer.Deployer{Log: slog.New(slog.DiscardHandler)}
	stream := "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
	ask := func(start string) (string, map[string]any, error) {
		return d.Handle(t.Context(), cfn.Event{
			RequestType: cfn.RequestCreate, ResourceType: deployer.PositionType, LogicalResourceID: "StreamPosition",
			StackID:            "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
			ResourceProperties: map[string]any{"StreamArn": stream, "Start": start},
		})
	}
	for _, start := range []string{"TRIM_HORIZON", "2026-01-01T10:00:00Z"} {
		if id, data, err := ask(start); err != nil || data["Start"] != start || id != start+" of "+stream {
			t.Errorf("%s: got %s %v %v", start, id, data, err)
		}
	}
	_, data, err := ask("NOW")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, data["Start"].(string))
	if ago := time.Since(at); err != nil || ago < 4*time.Second || ago > time.Minute {
		t.Errorf("NOW is %v (%v), want some seconds ago", data, err)
	}
	stream = "arn:aws:kinesis:eu-west-1:999999999999:stream/orders"
	if _, _, err := ask("NOW"); err == nil || !strings.Contains(err.Error(), "not in this stack's account") {
		t.Errorf("another account's: got %v", err)
	}
	stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
	for _, start := range []string{"LATEST", "2026-11-31T10:00:00Z", "2026-01-01T10:00:00+01:00", "2999-01-01T00:00:00Z"} {
		if _, _, err := ask(start); err == nil || !strings.Contains(err.Error(), "StartPosition is") {
			t.Errorf("%s: got %v, want an error that names StartPosition", start, err)
		}
	}
}
