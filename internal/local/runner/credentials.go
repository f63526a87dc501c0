package runner

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
)

// A vendor provides one role's credentials to one JVM, in the form of the ECS container credentials endpoint. It renews
// them in time: session credentials end after an hour, a job does not.
type vendor struct {
	URL   string
	Token string // of the Authorization header

	provider aws.CredentialsProvider
	server   *http.Server
	log      *slog.Logger

	mu      sync.Mutex
	current aws.Credentials
}

const (
	// lifetime is the longest that a role allows unless it says otherwise.
	lifetime = time.Hour
	// renewBefore is the time left at which credentials are renewed. The SDKs for Java ask 15 minutes before the end, and
	// before each of their calls from then on.
	renewBefore = 30 * time.Minute
)

func newVendor(client stscreds.AssumeRoleAPIClient, role string, log *slog.Logger) (*vendor, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &vendor{
		log:   log,
		URL:   "http://" + l.Addr().String() + "/credentials",
		Token: rand.Text(),
		provider: stscreds.NewAssumeRoleProvider(client, role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration = "streamproof-local", lifetime
		}),
	}
	v.server = &http.Server{Handler: v, ReadHeaderTimeout: callTimeout}
	go v.server.Serve(l) //nolint:errcheck // it always ends with the error that it was closed
	return v, nil
}

func (v *vendor) close() { _ = v.server.Close() }

// ServeHTTP answers as https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html says.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(v.Token)) != 1 {
		http.Error(w, `{"code":"AccessDenied","message":"wrong authorization token"}`, http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	c, err := v.retrieve(ctx)
	if err != nil {
		v.log.Error("no credentials for the job", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"code": "AssumeRoleFailed", "message": err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"AccessKeyId":     c.AccessKeyID,
		"SecretAccessKey": c.SecretAccessKey,
		"Token":           c.SessionToken,
		"Expiration":      c.Expires.UTC().Format(time.RFC3339),
	})
}

func (v *vendor) retrieve(ctx context.Context) (aws.Credentials, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Until(v.current.Expires) > renewBefore {
		return v.current, nil
	}
	c, err := v.provider.Retrieve(ctx)
	if err == nil {
		v.current = c
	}
	return c, err
}
