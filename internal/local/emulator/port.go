package emulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// ErrPortInUse reports that another program listens on the port.
var ErrPortInUse = errors.New("already in use")

// The free ports are from where few programs listen, and end before those that systems give to outgoing connections
// (from 32768 on Linux, from 49152 elsewhere): one of those could be taken before the program that is to listen starts.
const (
	leastFree = 20_000
	freePorts = 12_768
)

// A process gets one port after the other, so that none is given twice within a short time. Each begins elsewhere.
var (
	begin = rand.Uint32N(freePorts)
	given atomic.Uint32
)

// FreePort returns the port, or a free one for 0. The error wraps ErrPortInUse if a program listens on it.
func FreePort(port int) (int, error) {
	if port != 0 {
		return port, checkFree(port)
	}
	var err error
	for range 100 {
		port = leastFree + int((begin+given.Add(1))%freePorts)
		if err = checkFree(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port is free: %w", err)
}

func checkFree(port int) error {
	// A program that listens on every interface does not prevent another from listening on 127.0.0.1.
	address := strings.TrimPrefix(Endpoint(port), "http://")
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = conn.Close()
		return fmt.Errorf("port %d is %w", port, ErrPortInUse)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("port %d is %w: %w", port, ErrPortInUse, err)
	}
	return l.Close()
}
