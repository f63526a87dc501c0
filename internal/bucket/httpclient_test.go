package bucket_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
)

// TestHTTPClientKeepsItsConnections reads many objects ahead, each over a connection that was there before, once all
// are made.
func TestHTTPClientKeepsItsConnections(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond)
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, "row\n")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	b := bucket.NewS3(s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true, HTTPClient: bucket.HTTPClient(), Credentials: aws.AnonymousCredentials{},
	}), "b")
	objects := make([]bucket.Object, 1000)
	for i := range objects {
		objects[i] = bucket.Object{Key: "key", ETag: "1", Size: 4}
	}
	for _, content := range bucket.ReadAhead(t.Context(), b, objects) {
		if data, err := io.ReadAll(content); err != nil || string(data) != "row\n" {
			t.Fatalf("got %q, %v", data, err)
		}
	}
	if n := made.Load(); n > 128 {
		t.Errorf("%d connections for %d reads", n, len(objects))
	}
}
