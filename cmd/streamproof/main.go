// Command streamproof runs, drives and judges a streamproof stack, on this machine or on AWS.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"streamproof/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in order, a second one this process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
