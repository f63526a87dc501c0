// Command archive archives the classes of Flink and of the job, so that the JVMs of local stacks start sooner.
package main

import (
	"context"
	"fmt"
	"os"

	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	checker, err := local.Checker(".")
	if err != nil {
		return err
	}
	port, err := emulator.FreePort(0)
	if err != nil {
		return err
	}
	return checker.Archive(ctx, port)
}
