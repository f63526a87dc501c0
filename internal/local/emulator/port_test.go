package emulator

import (
	"net"
	"strings"
	"testing"
)

// TestFreePorts: a port is given to one only, while nobody listens on it yet, and none on which somebody listens.
// It does not run in parallel: it listens on ports that others would be given.
func TestFreePorts(t *testing.T) {
	had := map[int]bool{}
	for range 20 {
		port, err := FreePort(0)
		if err != nil {
			t.Fatal(err)
		}
		if had[port] || port < leastFree || port >= leastFree+freePorts {
			t.Errorf("got port %d after %v, want one of the %d from %d on, once", port, had, freePorts, leastFree)
		}
		had[port] = true
		next := leastFree + int((begin+given.Load()+1)%freePorts)
		l, err := net.Listen("tcp", strings.TrimPrefix(Endpoint(next), "http://"))
		if err != nil {
			continue // somebody else listens
		}
		defer l.Close()
		had[next] = true
	}
}
